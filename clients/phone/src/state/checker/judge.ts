/** What a code or a tick means here and now: by the list, and by what was scanned before. Pure. */
import type { Listed } from '@muster/shared/api/types.ts';
import type { Said } from './codes.ts';
import {
  byEvent,
  counts,
  isThere,
  sameTask,
  type Index,
  type Scan,
  type Stand,
  type Task,
  type Verdict,
} from './scans.ts';

export interface Judged {
  verdict: Verdict;
  person: Listed | null;
  /** the scan of before that this one repeats */
  earlier: Scan | null;
  /** where she stood before */
  before: Stand | null;
  /** the code was issued after the list: nothing here knows whether it was revoked since */
  newer: boolean;
}

export interface Known {
  index: Index;
  standings: ReadonlyMap<string, Stand>;
  scans: readonly Scan[];
}

export function judgeCode(said: Said, code: string, task: Task, known: Known): Judged {
  if (said.kind === 'foreign') return bare('foreign');
  const { handle, counter } = said;
  const person = (said.kind === 'signed' && known.index.byHandle.get(handle)) || null;
  if (!person) {
    const earlier = last(known.scans, (scan) => scan.code === code && sameTask(scan, task));
    return { ...bare(earlier ? 'again' : 'unknown'), earlier };
  }
  const revoked = person.counter === null || counter < person.counter;
  const judged = judgePerson(person, task, known);
  if (revoked && judged.verdict !== 'again') return { ...judged, verdict: 'revoked' };
  return { ...judged, newer: !revoked && counter > (person.counter ?? counter) };
}

/** Of somebody who stands on the list, whether by her code or by her name. */
export function judgePerson(person: Listed, task: Task, known: Known): Judged {
  const before = known.standings.get(person.ref) ?? null;
  const earlier = last(known.scans, (scan) => scan.ref === person.ref && sameTask(scan, task));
  const found = { person, before, newer: false };
  if (earlier && isThere(before ?? undefined, task, known.index))
    return { ...found, verdict: 'again', earlier };
  return {
    ...found,
    verdict: seated(person, task, known.index) ? 'good' : 'unlisted',
    earlier: null,
  };
}

/** Whether she is to ride there; a point has no seats. */
export function seated(person: Listed, task: Task, index: Index): boolean {
  if (task.vehicle === null) return true;
  return person.seats.some((number) => index.numbers.get(number) === task.vehicle);
}

function last(scans: readonly Scan[], wanted: (scan: Scan) => boolean): Scan | null {
  return (
    scans
      .filter((scan) => counts(scan) && wanted(scan))
      .sort(byEvent)
      .at(-1) ?? null
  );
}

function bare(verdict: Verdict): Judged {
  return { verdict, person: null, earlier: null, before: null, newer: false };
}
