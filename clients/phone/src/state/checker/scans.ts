/** What a checker saw, and where it leaves everybody: the list, and her own scans laid over it. Pure. */
import type { Listed, StageReport } from '@muster/shared/api/types.ts';
import type { KeptList } from '../../transport/checklist.ts';
import type { StageEntry } from '../../transport/stages.ts';

/** What is checked: who comes to a point, who boards a vehicle, who gets off it. */
export interface Task {
  movement: string;
  stage: 'at_point' | 'boarded' | 'arrived';
  vehicle: string | null;
  point: string | null;
}

/** What a look at the list made of it; again, revoked and foreign make no report by themselves. */
export type Verdict = 'good' | 'unlisted' | 'unknown' | 'again' | 'revoked' | 'foreign';

/** Somebody seen: a report on its way, under one id from the scan on. */
export interface Scan extends Task {
  id: string;
  author: string;
  at: string;
  /** null: the code named nobody on this list */
  ref: string | null;
  /** null: ticked by name */
  code: string | null;
  verdict: Verdict;
  /** where she stood before, as far as this phone knew */
  before: Stand | null;
  state: 'saved' | 'received' | 'refused';
  problem?: { code: string; detail: string };
  /** taken out before it was sent */
  undone?: true;
  /** the id of an earlier scan that was a mistake */
  corrects?: string;
  /** how many lists had been asked for when it was received: a later one contains it */
  epoch?: number;
}

export interface Stand {
  stage: string;
  vehicle: string | null;
  point: string | null;
}

/** A list by what is looked up in it. */
export interface Index {
  kept: KeptList;
  byHandle: ReadonlyMap<string, Listed>;
  byRef: ReadonlyMap<string, Listed>;
  households: ReadonlyMap<string, Listed[]>;
  /** vehicles by number -> id */
  numbers: ReadonlyMap<number, string>;
}

export function indexed(kept: KeptList): Index {
  const { people, vehicles } = kept.list;
  const households = new Map<string, Listed[]>();
  for (const one of people)
    households.set(one.household, [...(households.get(one.household) ?? []), one]);
  return {
    kept,
    byHandle: new Map(people.flatMap((one) => (one.handle ? [[one.handle, one]] : []))),
    byRef: new Map(people.map((one) => [one.ref, one])),
    households,
    numbers: new Map(vehicles.map(({ id, number }) => [number, id])),
  };
}

/** Whether it counts: not taken out, not refused. */
export function counts(scan: Scan): boolean {
  return !scan.undone && scan.state !== 'refused';
}

/** Whether a list that came later than the scan was received speaks for it. */
function contained(scan: Scan, kept: KeptList): boolean {
  return scan.epoch !== undefined && scan.epoch < kept.epoch;
}

/** The later event wins, whatever order scans come in; of two at once the greater id. */
export function byEvent(a: Scan, b: Scan): number {
  return Date.parse(a.at) - Date.parse(b.at) || (a.id < b.id ? -1 : Number(a.id > b.id));
}

/** Where everybody stands, by ref: as the list says, and by the last scan it does not contain. */
export function standings(index: Index, scans: readonly Scan[]): Map<string, Stand> {
  const found = new Map<string, Stand>();
  for (const one of index.kept.list.people) found.set(one.ref, listed(one, index));
  const own = scans.filter((scan) => counts(scan) && !contained(scan, index.kept));
  for (const scan of own.sort(byEvent)) if (scan.ref) found.set(scan.ref, standOf(scan, index));
  return found;
}

function listed(one: Listed, index: Index): Stand {
  const vehicle = one.vehicle_no === null ? null : (index.numbers.get(one.vehicle_no) ?? null);
  return { stage: one.stage, vehicle, point: one.point };
}

/** Where a report leaves her: off a vehicle she is at the end of its leg. */
export function standOf(task: Task, index: Index): Stand {
  if (task.stage === 'boarded') return { stage: 'boarded', vehicle: task.vehicle, point: null };
  const point = task.point ?? endsOf(task.vehicle, index)?.to ?? null;
  const haven = index.kept.list.points.some(
    ({ id, kind }) => id === point && kind === 'safe_haven',
  );
  return { stage: haven ? 'arrived' : 'at_point', vehicle: null, point };
}

/** The points a vehicle's leg leads from and to. */
export function endsOf(vehicle: string | null, index: Index): { from: string; to: string } | null {
  const { vehicles, legs } = index.kept.list;
  const own = vehicles.find(({ id }) => id === vehicle);
  return legs.find(({ id }) => id === own?.leg) ?? null;
}

/** Whether she already stands where the task would put her; who has a bed there is there. */
export function isThere(stand: Stand | undefined, task: Task, index: Index): boolean {
  if (!stand) return false;
  const wanted = standOf(task, index);
  const stage = stand.stage === 'accommodated' ? 'arrived' : stand.stage;
  const same = stage === wanted.stage && stand.vehicle === wanted.vehicle;
  return same && stand.point === wanted.point;
}

export function sameTask(a: Task, b: Task): boolean {
  return (
    a.movement === b.movement &&
    a.stage === b.stage &&
    a.vehicle === b.vehicle &&
    a.point === b.point
  );
}

/** A scan of which only its report is left. */
export function scanOf({ author, body }: StageEntry): Scan {
  const { id, movement, stage, at, vehicle, point, code } = body;
  return {
    ...{ id, author, movement, at, state: 'saved', before: null },
    stage: stage as Task['stage'],
    vehicle: typeof vehicle === 'string' ? vehicle : null,
    point: point ?? null,
    ref: body.for ?? null,
    code: code ?? null,
    verdict: body.for ? 'good' : 'unknown',
  };
}

/** The report a scan makes, as the server takes it. */
export function reportOf(scan: Scan): Omit<StageReport, 'sent_at'> {
  const { id, movement, stage, at, vehicle, point, ref, code } = scan;
  return {
    id,
    movement,
    stage,
    at,
    ...(ref && { for: ref }),
    ...(vehicle && { vehicle }),
    ...(point && { point }),
    ...(code && { code }),
  };
}
