import type { FieldError, ProblemBody } from './types.ts';

/** The server understood and said no (RFC 9457), or said "not now". */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryable: boolean;
  readonly errors: FieldError[];

  constructor(body: ProblemBody) {
    super(body.detail ?? body.title ?? body.code);
    this.name = 'Problem';
    this.status = body.status;
    this.code = body.code;
    this.retryable = body.retryable;
    this.errors = body.errors ?? [];
  }
}

/**
 * No usable answer: no network, a timeout, or something in between that answered in
 * the server's place (a captive portal, a proxy). What was sent may have arrived.
 */
export class Unreachable extends Error {
  readonly code = 'unreachable';
  readonly retryable = true;

  constructor(why: string) {
    super(why);
    this.name = 'Unreachable';
  }
}

export type Failure = Problem | Unreachable;

/** A thrown thing as a Failure; what is neither stays what it is and is thrown again. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Problem || thrown instanceof Unreachable) return thrown;
  throw thrown;
}

/** A body as a Problem, or null where our server did not write it. */
export function problemFrom(status: number, body: unknown): Problem | null {
  if (typeof body !== 'object' || body === null) return null;
  const { code, retryable } = body as Partial<ProblemBody>;
  if (typeof code !== 'string' || typeof retryable !== 'boolean') return null;
  return new Problem({ ...(body as ProblemBody), status });
}
