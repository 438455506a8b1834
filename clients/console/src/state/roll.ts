/** A roll that is called by radio: names, ticks, and where the caller is. Pure. */
import type { RadioCheck, RollName } from '@muster/shared/api/types.ts';

/** `sending`: ticked here, not yet on record; `failed`: it could not be put on record. */
export type Tick = 'sending' | 'failed';

export interface Roll {
  readonly check: RadioCheck;
  readonly ticks: ReadonlyMap<string, Tick>;
  /** the watch id of the name being called; null: all were heard */
  readonly current: string | null;
}

/** What the roll knows a name by: a callsign, or a person's ref. */
export const signOf = (name: RollName): string => name.callsign ?? name.person?.ref ?? '';

/** What stands in large letters: a callsign, else a name. */
export const titleOf = (name: RollName): string => name.callsign ?? name.person?.name ?? '';

/** Whoever was heard stays heard: an answer that overtook another takes no tick back. */
export function merged(known: RadioCheck | null, incoming: RadioCheck): RadioCheck {
  if (known?.id !== incoming.id) return incoming;
  const before = new Map(known.names.map((name) => [name.watch_id, name]));
  const names = incoming.names.map((name) => {
    const old = before.get(name.watch_id);
    return old?.heard_at && !name.heard_at ? old : name;
  });
  return { ...incoming, names, heard: names.filter(({ heard_at }) => heard_at).length };
}

export function begun(check: RadioCheck): Roll {
  const ticks = new Map<string, Tick>();
  return { check, ticks, current: unheard({ check, ticks })[0]?.watch_id ?? null };
}

/** Those who are still to be called; a tick on its way is not called again, a failed one is. */
export function unheard({ check, ticks }: Pick<Roll, 'check' | 'ticks'>): RollName[] {
  return check.names.filter(
    ({ heard_at, watch_id }) => !heard_at && ticks.get(watch_id) !== 'sending',
  );
}

/** In the order of the screen: who was heard, as they answered; the unheard last. */
export function arranged({ check }: Pick<Roll, 'check'>): RollName[] {
  const heard = check.names.filter(({ heard_at }) => heard_at);
  heard.sort((a, b) => a.heard_at!.localeCompare(b.heard_at!));
  return [...heard, ...check.names.filter(({ heard_at }) => !heard_at)];
}

/** One name on, or back, among those still to be called; round and round. */
export function moved(roll: Roll, by: 1 | -1): Roll {
  const left = unheard(roll);
  if (!left.length) return { ...roll, current: null };
  const here = left.findIndex(({ watch_id }) => watch_id === roll.current);
  const next = here < 0 ? 0 : (here + by + left.length) % left.length;
  return { ...roll, current: left[next]!.watch_id };
}

/** Ticks a name: it is on its way to the record, and the next one is called. */
export function ticked(roll: Roll, watchId: string): Roll {
  const after = roll.current === watchId ? moved(roll, 1) : roll;
  const next = { ...after, ticks: new Map(roll.ticks).set(watchId, 'sending' as const) };
  const left = unheard(next);
  const stays = left.some(({ watch_id }) => watch_id === next.current);
  return stays ? next : { ...next, current: left[0]?.watch_id ?? null };
}

/** The server's word on the roll. */
export function answered(roll: Roll, check: RadioCheck): Roll {
  const now = merged(roll.check, check);
  const heard = new Set(now.names.filter((n) => n.heard_at).map((n) => n.watch_id));
  const ticks = new Map([...roll.ticks].filter(([id]) => !heard.has(id)));
  const next = { ...roll, check: now, ticks };
  const left = unheard(next);
  const stays = left.some(({ watch_id }) => watch_id === roll.current);
  return stays ? next : { ...next, current: left[0]?.watch_id ?? null };
}

/** A tick that could not be put on record: that name is not heard. */
export function failed(roll: Roll, watchId: string): Roll {
  const ticks = new Map(roll.ticks).set(watchId, 'failed' as const);
  return { ...roll, ticks, current: roll.current ?? watchId };
}
