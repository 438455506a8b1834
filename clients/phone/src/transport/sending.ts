import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem, type Failure } from '@muster/shared/api/problem.ts';
import type { Checkin, CheckinResult } from '@muster/shared/api/types.ts';
import type { Line } from './outbox.ts';

export type Sent<R = CheckinResult> =
  { kind: 'answered'; results: R[] } | { kind: 'failed'; failure: Failure };

/** What the server says of a batch; never throws. */
export async function answered<R>(answer: Promise<{ items?: R[] }>): Promise<Sent<R>> {
  try {
    return { kind: 'answered', results: (await answer).items ?? [] };
  } catch (thrown) {
    return { kind: 'failed', failure: asFailure(thrown) };
  }
}

/** Answers to roll calls. */
export function checkins(api: Api): Line<Checkin, CheckinResult> {
  return {
    lock: 'muster-outbox',
    batch: 50,
    send: (items) => answered(read(api.POST('/v1/checkins', { body: { items } }))),
    kept: withoutPlace,
    about: (body) => `${body.alert_id} ${body.for}`,
  };
}

/** Once the server has them, place and note need not stay on a phone that may be taken. */
export function withoutPlace({ location: _place, note: _note, ...body }: Checkin): Checkin {
  return body;
}

/** Not now, but perhaps later: what is retryable, and every trouble of the server's own. */
export function mayRetryLater(problem: { status: number; retryable: boolean }): boolean {
  return problem.retryable || problem.status === 429 || problem.status >= 500;
}

export type Verdict = 'later' | 'unlinked' | 'refused' | 'split';

/** What a failure of a whole batch means for its entries. */
export function splitFailure(
  failure: Failure,
  size: number,
): [Verdict, { code: string; detail: string }] {
  const detail = { code: failure.code, detail: failure.message };
  if (!(failure instanceof Problem) || mayRetryLater(failure)) return ['later', detail];
  if (failure.status === 401) return ['unlinked', detail];
  return [size > 1 ? 'split' : 'refused', detail];
}
