/** A movement and its plan as a desk writes them down, and as the server takes them. Pure. */
import type {
  MovementKind,
  MovementReach,
  Need,
  NewMovement,
  VehicleWish,
} from '@muster/shared/api/moveplan.ts';
import { Problem, type Failure } from '@muster/shared/api/problem.ts';
import type {
  MovementLeg,
  MovementPoint,
  MovementVehicle,
  Person,
} from '@muster/shared/api/types.ts';
import { topmost, type AreaLine } from './areas.ts';
import type { LiveMovement } from './movement.ts';

export interface MovementDraft {
  kind: MovementKind | null;
  reach: MovementReach | null;
  title: string;
  authority: string;
  reference: string;
  areas: ReadonlySet<string>;
  people: Person[];
}

export const draftMovement = (): MovementDraft => ({
  kind: null,
  reach: null,
  title: '',
  authority: '',
  reference: '',
  areas: new Set(),
  people: [],
});

/** As the server takes it; null while something is not said that must be. */
export function newMovement(
  id: string,
  exercise: boolean | null,
  draft: MovementDraft,
  lines: AreaLine[],
): NewMovement | null {
  const { kind, reach } = draft;
  const [title, authority] = [draft.title.trim(), draft.authority.trim()];
  const origins = topmost(lines, draft.areas);
  const people = draft.people.map(({ ref }) => ref);
  if (exercise === null || !kind || !reach || !title || !authority) return null;
  if (!origins.length && !people.length) return null;
  const reference = draft.reference.trim() || null;
  return { id, kind, reach, title, authority, reference, exercise, origins, people };
}

/** What the server said against single fields, by their path. */
export function faultsOf(failure: Failure | null): Record<string, string> {
  if (!(failure instanceof Problem)) return {};
  return Object.fromEntries(failure.errors.map(({ path, message }) => [path, message]));
}

/** The fault of a field, or of the first of its parts: `deputies` has that of `deputies[1]`. */
export function faultAt(failure: Failure | null, path: string): string | null {
  const found = Object.entries(faultsOf(failure)).filter(([at]) => covers(path, at));
  return found.length ? found.map(([, message]) => message).join(' ') : null;
}

/** The failure without what is shown at these fields; null where nothing is left to say. */
export function leftOver(failure: Failure | null, shown: readonly string[]): Failure | null {
  if (!(failure instanceof Problem) || !failure.errors.length) return failure;
  const errors = failure.errors.filter(({ path }) => !shown.some((own) => covers(own, path)));
  if (!errors.length) return null;
  const { status, code, retryable, message: detail } = failure;
  return new Problem({ type: '', title: detail, status, code, retryable, detail, errors });
}

const covers = (field: string, path: string): boolean =>
  path === field || path.startsWith(`${field}[`) || path.startsWith(`${field}.`);

/** A moment as a clock on the wall of a zone shows it, as `datetime-local` takes it. */
export function wallOf(at: string | number | null, zone: string): string {
  if (at === null) return '';
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(new Date(at));
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}T${part('hour')}:${part('minute')}`;
}

/**
 * The moment a wall clock shows this; null for none. An hour that comes twice in the year is taken
 * the first time, one that a clock leaps over as the clock before the leap would have told it.
 */
export function momentOf(wall: string, zone: string): string | null {
  const asUtc = Date.parse(`${wall}:00Z`);
  if (!wall || Number.isNaN(asUtc)) return null;
  const shift = (at: number) => Date.parse(`${wallOf(at, zone)}:00Z`) - at;
  // no two changes of a clock are within a day of each other
  const sides = [shift(asUtc - 86_400_000), shift(asUtc + 86_400_000)].map((by) => asUtc - by);
  const exact = sides.sort((a, b) => a - b).find((at) => wallOf(at, zone) === wall);
  return new Date(exact ?? asUtc - shift(asUtc - 86_400_000)).toISOString();
}

/** The same where the wall was not touched: it may hide seconds, or an hour that comes twice. */
export const momentAgain = (was: string | null, wall: string, zone: string): string | null =>
  wall === wallOf(was, zone) ? was : momentOf(wall, zone);

/** A draft over what is on record now: what was not touched here stays as another desk made it. */
export function keeping<T extends object>(now: T, opened: T, draft: T): T {
  const touched = Object.entries(draft).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(opened[name as keyof T]),
  );
  return { ...now, ...Object.fromEntries(touched) };
}

/** One of the rules goes a place earlier. */
export function sooner(order: readonly Need[], need: Need): Need[] {
  const at = order.indexOf(need);
  if (at < 1) return [...order];
  const next = [...order];
  [next[at - 1], next[at]] = [next[at]!, next[at - 1]!];
  return next;
}

export interface TickedNumbers {
  numbers: number[];
  /** parts that are no number and no range */
  wrong: string[];
}

/** "1-4, 7 9" as the numbers that are ticked, each once and in order. */
export function tickedNumbers(text: string): TickedNumbers {
  const numbers = new Set<number>();
  const wrong: string[] = [];
  const parts = text.replace(/\s*[-–]\s*/g, '-').split(/[\s,;،、，]+/);
  for (const part of parts.filter(Boolean)) {
    const [from, to] = (/^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? []).slice(1).map(Number);
    const last = to || from;
    if (!from || !last || last < from || last > 10_000) wrong.push(part);
    else for (let n = from; n <= last; n += 1) numbers.add(n);
  }
  return { numbers: [...numbers].sort((a, b) => a - b), wrong };
}

/** A vehicle as it is, to be written anew with changes, unless another desk wrote it meanwhile. */
export function wishOf(vehicle: MovementVehicle, change: Partial<VehicleWish> = {}): VehicleWish {
  const { leg, number, label, seats, callsign, state, watch_id } = vehicle;
  return { leg, number, label, seats, callsign, state, watch_id, was: state, ...change };
}

/** The lowest number that is free. */
export function nextNumber(taken: Iterable<number>): number {
  const known = new Set(taken);
  let number = 1;
  while (known.has(number)) number += 1;
  return number;
}

/** Items by what they have in common, the first of each first, in their order. */
export function grouped<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

export interface Plan {
  points: MovementPoint[];
  /** in the order they are travelled */
  legs: MovementLeg[];
  /** by number */
  vehicles: MovementVehicle[];
}

/** The plan of a movement as it is now known. */
export function planOf(live: LiveMovement): Plan {
  const points = [...live.points.values()].map(({ value }) => value);
  const vehicles = [...live.vehicles.values()].map(({ value }) => value);
  return {
    points: points.sort((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name)),
    legs: live.snapshot.legs,
    vehicles: vehicles.sort((a, b) => a.number - b.number),
  };
}

export const pointName = (plan: Plan, id: string): string =>
  plan.points.find((point) => point.id === id)?.name ?? '';
