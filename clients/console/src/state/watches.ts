/**
 * Watches that run, out of lists and stream events. Pure.
 *
 * Of two words on one watch that of the later deadline is newer (`round` counts them), of one
 * deadline the one further on; what has ended stays ended.
 */
import type { PersonWatch, WatchKind, WatchState } from '@muster/shared/api/types.ts';

export interface Heard {
  readonly watch: PersonWatch;
  /** the server's clock, in milliseconds, when it stood so: its ages are as of then */
  readonly at: number;
}
export type Watches = ReadonlyMap<string, Heard>;

const STAGE: Record<WatchState, number> = {
  running: 0,
  reminded: 1,
  overdue: 2,
  done: 3,
  cancelled: 3,
};
const ENDED = 3;

export interface Filter {
  kind: WatchKind | null;
  state: WatchState | null;
}

function order({ state, round, step }: PersonWatch): number[] {
  const stage = STAGE[state];
  return [stage === ENDED ? 1 : 0, round, stage, step];
}

function newer(known: Heard | undefined, incoming: Heard): Heard {
  if (!known) return incoming;
  const [was, is] = [order(known.watch), order(incoming.watch)];
  const differs = is.findIndex((part, place) => part !== was[place]);
  if (differs < 0) return incoming.at >= known.at ? incoming : known;
  return is[differs]! > was[differs]! ? incoming : known;
}

export function addWatches(watches: Watches, news: PersonWatch[], at: number): Watches {
  const next = new Map(watches);
  for (const watch of news) next.set(watch.id, newer(next.get(watch.id), { watch, at }));
  return next;
}

/** A list of all that run; what it leaves out has ended, except what was heard of meanwhile. */
export function addWatchList(
  watches: Watches,
  list: PersonWatch[],
  at: number,
  heard: ReadonlySet<string>,
): Watches {
  const kept = new Map([...watches].filter(([id]) => heard.has(id)));
  for (const { id } of list) if (watches.has(id)) kept.set(id, watches.get(id)!);
  return addWatches(kept, list, at);
}

/** Without those that are this desk's to see no more. */
export function withoutGone(watches: Watches, gone: string[]): Watches {
  return new Map([...watches].filter(([id]) => !gone.includes(id)));
}

/** Convoys offered to a room of this desk that nobody there has heard yet: the soonest first. */
export function awaited(watches: Watches, ours: ReadonlySet<string> | null): PersonWatch[] {
  return running(watches)
    .map(({ watch }) => watch)
    .filter(({ hand_over }) => hand_over?.state === 'offered' && speaksFor(ours, hand_over.to_area))
    .sort((a, b) => Date.parse(a.hand_over!.expect_by) - Date.parse(b.hand_over!.expect_by));
}

/** Whether a desk speaks for a room: `ours` null: for every room; a room null: the whole operation's. */
export function speaksFor(ours: ReadonlySet<string> | null, room: string | null): boolean {
  return ours === null || (room !== null && ours.has(room));
}

/** What is not over: overdue first, the longest overdue at the top; then what is due next. */
export function running(watches: Watches, filter?: Filter): Heard[] {
  return [...watches.values()]
    .filter(
      ({ watch }) =>
        STAGE[watch.state] < ENDED &&
        (!filter?.kind || watch.kind === filter.kind) &&
        (!filter?.state || watch.state === filter.state),
    )
    .sort(
      ({ watch: a }, { watch: b }) =>
        Number(b.state === 'overdue') - Number(a.state === 'overdue') ||
        Date.parse(a.due_at) - Date.parse(b.due_at) ||
        a.id.localeCompare(b.id),
    );
}

export const overdue = (watches: Watches): PersonWatch[] =>
  running(watches, { kind: null, state: 'overdue' }).map(({ watch }) => watch);

/** The rolls that somebody on them has not answered yet: their ids, when due, how many are left. */
export function openRolls(watches: Watches): { id: string; due_at: string; left: number }[] {
  const rolls = new Map<string, { id: string; due_at: string; left: number }>();
  for (const { watch } of running(watches)) {
    if (!watch.roll_id) continue;
    const roll = rolls.get(watch.roll_id) ?? { id: watch.roll_id, due_at: watch.due_at, left: 0 };
    rolls.set(watch.roll_id, { ...roll, left: roll.left + 1 });
  }
  return [...rolls.values()];
}

/** How old something is now that was `seconds` old when it was heard; null stays not known. */
export function ageNow(seconds: number | null | undefined, at: number, now: number): number | null {
  return seconds === null || seconds === undefined ? null : seconds + Math.max(0, now - at) / 1_000;
}
