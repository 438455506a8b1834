import type { Api } from '@muster/shared/api/client.ts';
import type { Movement, MovementEvent } from '@muster/shared/api/types.ts';
import { listMovements } from '../transport/movements.ts';
import { unsettled } from './movement.ts';
import { Listening } from './listening.svelte.ts';
import { MovementDrafts } from './movementdrafts.svelte.ts';
import { OneMovement } from './movementone.svelte.ts';
import type { ServerTime } from './servertime.svelte.ts';

const EVERY_MS = 60_000;
/** a movement under way is heard of during nearly every fetch: that alone never makes a storm */
const AGAIN_MS = 10_000;

/** The movements in sight, on every page; and those that are open on screen. */
export class MovementDesk {
  movements = $state.raw<Movement[]>([]);
  readonly list: Listening<Movement>;

  private readonly opened = new Set<OneMovement>();
  private readonly drafts = new Map<string, MovementDrafts>();

  constructor(
    private readonly api: Api,
    private readonly time: ServerTime,
  ) {
    this.list = new Listening(
      () => listMovements(api),
      (list, heard) => (this.movements = list.map((one) => this.asHeard(one, heard))),
      EVERY_MS,
      AGAIN_MS,
    );
  }

  /** Contradictions that wait for a human, in all that have not ended. */
  get conflicts(): number {
    return this.going.reduce((sum, { conflicts }) => sum + conflicts, 0);
  }

  /** Vehicles that should have come, in all of them. */
  get overdue(): number {
    return this.going.reduce((sum, { overdue }) => sum + overdue, 0);
  }

  /** One name for each conflict that waits, and for each vehicle that is overdue: one more is new. */
  get waiting(): Record<'conflicts' | 'overdue', string[]> {
    const named = (of: 'conflicts' | 'overdue') =>
      this.going.flatMap((one) => Array.from({ length: one[of] }, (_, n) => `${one.id} ${n}`));
    return { conflicts: named('conflicts'), overdue: named('overdue') };
  }

  /** Those that have not ended. */
  get going(): Movement[] {
    return this.movements.filter(isGoing);
  }

  /** What is being written about one. */
  draftsOf(id: string): MovementDrafts {
    const known = this.drafts.get(id) ?? new MovementDrafts();
    this.drafts.set(id, known);
    return known;
  }

  /** Follows one on screen; give it back with `leave`. */
  open(id: string): OneMovement {
    const one = new OneMovement(this.api, id, this.time);
    this.opened.add(one);
    one.start();
    return one;
  }

  leave(one: OneMovement): void {
    one.stop();
    this.opened.delete(one);
  }

  /** @param id the last stream number the event stands for */
  take(event: MovementEvent, id: number): void {
    const known = this.movements.some((one) => one.id === event.movement_id);
    this.list.hear(event.movement_id);
    if (event.plan || !known) this.list.loadSoon();
    const { conflicts } = event;
    const counts = { conflicts, unsettled: unsettled(event.counts) };
    this.movements = this.movements.map((one) =>
      one.id === event.movement_id ? { ...one, ...counts } : one,
    );
    for (const one of this.opened) if (one.id === event.movement_id) one.take(event, id);
  }

  /** With the counts that were heard while the list was fetched: they may be newer. */
  private asHeard(listed: Movement, heard: ReadonlySet<string>): Movement {
    const known = heard.has(listed.id) && this.movements.find(({ id }) => id === listed.id);
    if (!known) return listed;
    return { ...listed, conflicts: known.conflicts, unsettled: known.unsettled };
  }

  /** Something of the stream was missed. */
  missed(): void {
    this.list.loadSoon();
    for (const one of this.opened) one.loadSoon();
  }

  /** One that was made or changed here. */
  put(movement: Movement): void {
    const others = this.movements.filter(({ id }) => id !== movement.id);
    this.movements = [movement, ...others].sort((a, b) => b.created_at.localeCompare(a.created_at));
    this.list.hear(movement.id);
    this.list.loadSoon();
    this.changed(movement.id);
  }

  /** Something of it was put on record here. */
  changed(id: string): void {
    for (const one of this.opened) if (one.id === id) one.loadSoon();
  }
}

export function isGoing({ state }: Movement): boolean {
  return state !== 'closed' && state !== 'cancelled';
}
