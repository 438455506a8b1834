/** How a call for help stands, in the few states the screen has words for. Pure. */
import type { SelfPanic } from '@muster/shared/api/types.ts';
import type { Press } from '../transport/lanes.ts';
import type { Tries, Trouble } from '../transport/press.ts';

export type Standing =
  /** on this phone only; `trouble`: why the last try failed */
  | { kind: 'saved'; trouble: Trouble }
  /** the first try is under way */
  | { kind: 'sent' }
  /** written while the phone was another's: not sent under the new name */
  | { kind: 'foreign' }
  /**
   * On record. `owner`: who is on it; null: nobody yet; undefined: not known. `pending`: the server
   * has a call of hers, and the last press is not with it yet.
   */
  | { kind: 'received'; at: string; owner: string | null | undefined; pending: boolean }
  | { kind: 'over'; over: NonNullable<Press['over']> };

export interface Heard {
  /** the caller's own panic, as the server told of it last */
  panic: SelfPanic | null;
  /** when that was asked for, by this phone's clock */
  at: number | null;
}

export function standing(
  press: Press | null,
  heard: Heard,
  tries: Tries,
  me: string,
): Standing | null {
  const own = heard.panic && !heard.panic.covert ? heard.panic : null;
  if (!press) return own && { ...received(own), at: own.event_at, pending: false };
  if (press.over) return { kind: 'over', over: press.over };
  if (press.answer) {
    const told = own?.id === press.answer.panic_id ? own : null;
    return { ...received(told), at: press.answer.at, pending: false };
  }
  if (press.author && me && press.author !== me) return { kind: 'foreign' };
  // what was heard before the press says nothing of it
  if (own && heard.at !== null && heard.at > Date.parse(press.at))
    return { ...received(own), at: own.event_at, pending: true };
  const trouble = tries.get(press.id);
  if (trouble === null) return { kind: 'sent' };
  return { kind: 'saved', trouble: trouble ?? 'unreachable' };
}

function received(own: SelfPanic | null): { kind: 'received'; owner: string | null | undefined } {
  if (!own) return { kind: 'received', owner: undefined };
  return { kind: 'received', owner: own.state === 'acknowledged' ? own.owner : null };
}

/** The press the screen tells of: the newest open one. Covert ones are shown nowhere. */
export function currentPress(presses: Press[], me: string): Press | null {
  const mine = presses.filter(
    ({ covert, author, answer }) => !covert && (author === me || !author || !answer),
  );
  mine.sort((a, b) => a.at.localeCompare(b.at));
  return mine.filter(({ over }) => !over).at(-1) ?? mine.at(-1) ?? null;
}

/**
 * What the server's word means for a press that was on record before it was asked: undefined where
 * it still lasts.
 */
export function endOf(
  press: Press,
  heard: {
    panic?: SelfPanic | null;
    last_panic?: { id: string; state: string; outcome: string | null; ended_at: string } | null;
  },
): Press['over'] {
  const { answer } = press;
  if (!answer || heard.panic?.id === answer.panic_id) return undefined;
  const last = heard.last_panic;
  if (last?.id !== answer.panic_id) return press.over ?? { state: 'unknown', at: answer.at };
  return {
    state: last.state as 'cancelled' | 'resolved' | 'closed',
    outcome: last.outcome ?? undefined,
    at: last.ended_at,
  };
}
