import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem, type Failure } from '@muster/shared/api/problem.ts';
import type { Checkin, CheckinResult } from '@muster/shared/api/types.ts';

export type Sent =
  { kind: 'answered'; results: CheckinResult[] } | { kind: 'failed'; failure: Failure };

/** Sends a batch and says what became of it; never throws. */
export async function sendCheckins(api: Api, items: Checkin[]): Promise<Sent> {
  try {
    const answer = await read<{ items?: CheckinResult[] }>(
      api.POST('/v1/checkins', { body: { items } }),
    );
    return { kind: 'answered', results: answer.items ?? [] };
  } catch (thrown) {
    return { kind: 'failed', failure: asFailure(thrown) };
  }
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
