/**
 * The board of one movement out of snapshots and stream events. Every figure remembers the stream
 * number it is known from, and the newer knowledge wins: what arrives twice, late, merged or in
 * another order changes nothing. Pure.
 */
import type {
  MovementBoard,
  MovementEvent,
  MovementPoint,
  MovementVehicle,
  Stage,
  StageCell,
  StageCounts,
  StageGroup,
} from '@muster/shared/api/types.ts';

interface Known<T> {
  value: T;
  seq: number;
  /** the server's clock when it was true, in milliseconds: ages in it are as of then */
  at: number;
}

export interface LiveMovement {
  readonly cells: ReadonlyMap<string, Known<StageCell>>;
  readonly vehicles: ReadonlyMap<string, Known<MovementVehicle>>;
  readonly points: ReadonlyMap<string, Known<MovementPoint>>;
  readonly conflicts: Known<number>;
  /** the newest snapshot: labels, parity, legs and the rest that events do not carry */
  readonly snapshot: MovementBoard;
}

export type Grouping = 'area' | 'agency' | 'category';

/** In the order in which a duty officer must see them. */
export const STAGES: readonly Stage[] = [
  'in_question',
  'listed',
  'notified',
  'ready',
  'at_point',
  'boarded',
  'arrived',
  'accommodated',
  'staying',
  'hibernating',
];
const SETTLED: readonly Stage[] = ['arrived', 'accommodated', 'staying', 'hibernating'];

export function fromBoard(snapshot: MovementBoard): LiveMovement {
  const start: LiveMovement = {
    cells: new Map(),
    vehicles: new Map(),
    points: new Map(),
    conflicts: { value: 0, seq: -1, at: 0 },
    snapshot,
  };
  return addBoard(start, snapshot);
}

/** A snapshot is complete as of its number: what it does not list is nobody, and nothing. */
export function addBoard(live: LiveMovement, snapshot: MovementBoard): LiveMovement {
  const { seq } = snapshot;
  if (seq < live.snapshot.seq) return live;
  const at = Date.parse(snapshot.as_of);
  const anew = <T>(items: readonly T[], known: ReadonlyMap<string, Known<T>>, key: KeyOf<T>) => {
    const found = new Map(items.map((value) => [key(value), { value, seq, at }]));
    for (const [name, item] of known) if (item.seq > seq) found.set(name, item);
    return found;
  };
  return {
    cells: anew(snapshot.cells, live.cells, cellKey),
    vehicles: anew(snapshot.vehicles, live.vehicles, idOf),
    points: anew(snapshot.points, live.points, idOf),
    conflicts: live.conflicts.seq > seq ? live.conflicts : { value: snapshot.conflicts, seq, at },
    snapshot,
  };
}

/** @param id the last stream number the event stands for; at: the server's clock now */
export function addChange(
  live: LiveMovement,
  id: number,
  event: MovementEvent,
  at: number,
): LiveMovement {
  if (id <= live.snapshot.seq) return live;
  const over = <T>(items: readonly T[], known: ReadonlyMap<string, Known<T>>, key: KeyOf<T>) => {
    const found = new Map(known);
    for (const value of items)
      if ((found.get(key(value))?.seq ?? -1) < id) found.set(key(value), { value, seq: id, at });
    return found;
  };
  return {
    cells: over(event.cells, live.cells, cellKey),
    vehicles: over(event.vehicles, live.vehicles, idOf),
    points: over(event.points, live.points, idOf),
    conflicts: live.conflicts.seq > id ? live.conflicts : { value: event.conflicts, seq: id, at },
    snapshot: live.snapshot,
  };
}

/** Whether the event's own totals are what the cells add up to; if not, something was missed. */
export function tallies(live: LiveMovement, event: MovementEvent): boolean {
  const sum = stageTotals(live);
  return STAGES.every((stage) => sum[stage] === event.counts[stage]);
}

export function stageTotals(live: LiveMovement): StageCounts {
  const counts = nobody();
  for (const { value } of live.cells.values()) counts[value.stage] += value.count;
  return counts;
}

export function people(counts: StageCounts): number {
  return STAGES.reduce((sum, stage) => sum + counts[stage], 0);
}

/** Who has neither arrived nor stays: the close-out needs a reason for each. */
export function unsettled(counts: StageCounts): number {
  return STAGES.reduce((sum, s) => (SETTLED.includes(s) ? sum : sum + counts[s]), 0);
}

/** Who has boarded or is further: what the sides of parity are compared by. */
export function moved(counts: StageCounts): number {
  return counts.boarded + counts.arrived + counts.accommodated;
}

/** The counts by one of the three groupings, in the snapshot's order, newcomers last. */
export function stageGroups(live: LiveMovement, by: Grouping): StageGroup[] {
  const sums = new Map<string, StageCounts>();
  for (const { key } of live.snapshot.by[by]) sums.set(key, nobody());
  for (const { value } of live.cells.values()) {
    const counts = sums.get(value[by]) ?? nobody();
    counts[value.stage] += value.count;
    sums.set(value[by], counts);
  }
  const labels = new Map(live.snapshot.by[by].map(({ key, label }) => [key, label]));
  return [...sums]
    .map(([key, counts]) => ({
      key,
      label: labels.get(key) ?? key,
      population: people(counts),
      counts,
    }))
    .filter(({ population }) => population > 0);
}

/** The vehicles by number, with the seconds since the last report of each as of `now`. */
export function vehiclesNow(live: LiveMovement, now: number): MovementVehicle[] {
  return [...live.vehicles.values()]
    .map(({ value, at }) => ({ ...value, last_report_s: grown(value.last_report_s, at, now) }))
    .sort((a, b) => a.number - b.number);
}

/** An age in seconds that was true at `at`, as of `now`; unknown stays unknown. */
export function grown(age: number | null, at: number, now: number): number | null {
  return age === null ? null : age + Math.max(0, now - at) / 1_000;
}

export function nobody(): StageCounts {
  return {
    listed: 0,
    notified: 0,
    ready: 0,
    at_point: 0,
    boarded: 0,
    arrived: 0,
    accommodated: 0,
    staying: 0,
    hibernating: 0,
    in_question: 0,
  };
}

type KeyOf<T> = (item: T) => string;

function cellKey(cell: StageCell): string {
  return JSON.stringify([cell.area, cell.agency, cell.category, cell.stage]);
}

function idOf({ id }: { id: string }): string {
  return id;
}
