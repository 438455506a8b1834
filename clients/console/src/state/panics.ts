/**
 * The panics a human must see to, out of lists and stream events. Pure.
 *
 * Neither carries a number, but a panic only ever goes forward: what is further on is newer. So
 * what arrives twice, late or in another order changes nothing, and what is over stays over.
 */
import type { Operator, Panic } from '@muster/shared/api/types.ts';
import { covered, type AreaLine } from './areas.ts';

export type Panics = ReadonlyMap<string, Panic>;

const STAGE: Record<Panic['state'], number> = {
  open: 0,
  acknowledged: 1,
  cancelled: 2,
  resolved: 3,
  closed: 3,
};
const OVER = 3;
/** the order of the queue: nobody has it; nobody has looked why it was taken back; in hands */
const TURN: Partial<Record<Panic['state'], number>> = { open: 0, cancelled: 1, acknowledged: 2 };

/** Which of two words on one panic is further on; the incoming one where nothing tells. */
export function further(known: Panic | undefined, incoming: Panic): Panic {
  if (!known) return incoming;
  const stage = STAGE[incoming.state] - STAGE[known.state];
  if (stage) return stage > 0 ? incoming : known;
  const later = incoming.presses + incoming.round >= known.presses + known.round;
  return later ? incoming : known;
}

/** One word on one panic. One that is over is kept: an older list must not raise it again. */
export function addPanic(panics: Panics, panic: Panic): Panics {
  return new Map(panics).set(panic.id, further(panics.get(panic.id), panic));
}

/**
 * A list of all that are not over. What it leaves out is over or out of sight, except what was
 * heard of while it was fetched.
 */
export function addList(panics: Panics, list: Panic[], heard: ReadonlySet<string>): Panics {
  const next = new Map<string, Panic>();
  for (const [id, panic] of panics) if (heard.has(id)) next.set(id, panic);
  for (const panic of list) next.set(panic.id, further(panics.get(panic.id), panic));
  return next;
}

/** Those a human must see to: first what nobody has, the oldest first. */
export function queue(panics: Panics): Panic[] {
  return [...panics.values()]
    .filter((panic) => STAGE[panic.state] < OVER)
    .sort(
      (a, b) =>
        TURN[a.state]! - TURN[b.state]! ||
        Date.parse(a.event_at) - Date.parse(b.event_at) ||
        a.id.localeCompare(b.id),
    );
}

export const untaken = (panics: Panics): Panic[] =>
  queue(panics).filter(({ state }) => state === 'open');

/** Nothing may sound or light up near her: no call, no text. */
export const isSilent = (panic: Panic): boolean => panic.covert || panic.duress;

/** People of whom some panic that is not over is silent: none of their telephones may ring. */
export function silentPeople(panics: Panics): ReadonlySet<string> {
  return new Set(queue(panics).flatMap((panic) => (isSilent(panic) ? [panic.person.ref] : [])));
}

/** Those who may have this panic, as the server decides it; not who has it already. */
export function heirs(panic: Panic, operators: Operator[], areas: AreaLine[]): Operator[] {
  return operators.filter(({ id, role, area }) => {
    if (id === panic.owner?.id || (role !== 'admin' && role !== 'operator')) return false;
    if (area === null) return true;
    return !isSilent(panic) && covered(areas, new Set([area])).has(panic.area);
  });
}
