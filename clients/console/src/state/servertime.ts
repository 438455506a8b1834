/** The server's clock, as far as the dates of its answers tell. Pure. */

export interface Reading {
  /** the server's time, in milliseconds, when this page's own counter stood at `at` */
  server: number;
  at: number;
  /** by how much it may be wrong */
  error: number;
}

/** how much worse a reading grows, in milliseconds a second: counters drift, computers sleep */
const DRIFT = 1;
/** dates are whole seconds: on the average half a second has gone */
const HALF = 500;

/** @param date the Date of an answer; asked and answered by this page's own counter */
export function readingOf(date: string | null, asked: number, answered: number): Reading | null {
  const server = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(server)) return null;
  const half = (answered - asked) / 2;
  return { server: server + HALF, at: asked + half, error: HALF + half };
}

/** The reading that may be less wrong by now. */
export function better(known: Reading | null, fresh: Reading | null): Reading | null {
  if (!known || !fresh) return fresh ?? known;
  const grown = known.error + ((fresh.at - known.at) / 1_000) * DRIFT;
  return fresh.error <= grown ? fresh : known;
}

export function serverNow(reading: Reading, counter: number): number {
  return reading.server + counter - reading.at;
}
