/** The running count of what is checked, and of a household. Pure. */
import type { Listed } from '@muster/shared/api/types.ts';
import { seated } from './judge.ts';
import {
  counts,
  isThere,
  sameTask,
  type Index,
  type Scan,
  type Stand,
  type Task,
} from './scans.ts';

type Stands = ReadonlyMap<string, Stand>;

export interface Tally {
  /** known to be there: on board, or arrived */
  here: Listed[];
  /** expected, and not known to be there */
  missing: Listed[];
  /** there without a seat on this vehicle */
  unlisted: Listed[];
  /** seen, and on this list by no name: codes, and whom the server has found some to be */
  unknown: number;
  /** null: a point, or a haven that holds any number */
  seats: number | null;
}

const NOT_SEEN = new Set(['listed', 'notified', 'ready']);

export function tally(index: Index, stands: Stands, scans: readonly Scan[], task: Task): Tally {
  const people = index.kept.list.people;
  const there = (one: Listed) => isThere(stands.get(one.ref), task, index);
  const came = arrivedBy(scans, task);
  const here = people.filter((one) =>
    task.stage === 'arrived' && task.vehicle ? came.has(one.ref) && there(one) : there(one),
  );
  const inside = new Set(here);
  return {
    here,
    missing: people.filter((one) => !inside.has(one) && expected(one, task, index, stands)),
    unlisted: here.filter((one) => !seated(one, task, index)),
    unknown: new Set(strangers(index, stands, scans, task)).size,
    seats: seatsOf(index, task),
  };
}

/** Of a household: who is there, and who is not. */
export function household(
  person: Listed,
  index: Index,
  stands: Stands,
  task: Task,
): { here: Listed[]; missing: Listed[] } {
  const all = index.households.get(person.household) ?? [person];
  const there = (one: Listed) => isThere(stands.get(one.ref), task, index);
  return { here: all.filter(there), missing: all.filter((one) => !there(one)) };
}

/** Off a vehicle: those scanned as coming by it, for the place alone says not by what they came. */
function arrivedBy(scans: readonly Scan[], task: Task): Set<string | null> {
  const own = scans.filter((scan) => counts(scan) && sameTask(scan, task));
  return new Set(own.map(({ ref }) => ref));
}

function expected(one: Listed, task: Task, index: Index, stands: Stands): boolean {
  const stand = stands.get(one.ref)!;
  if (task.stage === 'boarded') return seated(one, task, index) && !isPast(stand.stage);
  if (task.vehicle) return stand.stage === 'boarded' && stand.vehicle === task.vehicle;
  if (task.stage === 'arrived') return stand.stage === 'boarded' || stand.stage === 'at_point';
  return NOT_SEEN.has(stand.stage);
}

/** Who stays, or has come where the journey ends, is not waited for. */
function isPast(stage: string): boolean {
  return ['arrived', 'accommodated', 'staying', 'hibernating'].includes(stage);
}

function strangers(index: Index, stands: Stands, scans: readonly Scan[], task: Task): string[] {
  return scans.flatMap((scan) => {
    if (!counts(scan) || !sameTask(scan, task)) return [];
    if (!scan.ref) return scan.code ?? [];
    if (index.byRef.has(scan.ref)) return [];
    return isThere(stands.get(scan.ref), task, index) ? [scan.ref] : [];
  });
}

function seatsOf(index: Index, task: Task): number | null {
  const { vehicles, points } = index.kept.list;
  if (task.vehicle) return vehicles.find(({ id }) => id === task.vehicle)?.seats ?? null;
  return points.find(({ id }) => id === task.point)?.capacity ?? null;
}
