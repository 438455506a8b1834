/** Deadlines of watches: by the server's clock, and what only this phone has said about them. Pure. */
import type { SelfWatch } from '@muster/shared/api/types.ts';
import type { Word } from '../transport/lanes.ts';

export interface ShownWatch {
  watch: SelfWatch;
  /** seconds until it is due, by the server's clock; negative: it is over */
  left_s: number;
  /** its deadline has passed, whether or not the server has told so already */
  late: boolean;
  /** it counts as missed: the server said so, or deadline and grace have passed */
  overdue: boolean;
  /** said on this phone and not yet received, newest last */
  unsent: Word[];
}

export function shownWatch(watch: SelfWatch, words: Word[], serverNow: number): ShownWatch {
  const left_s = (Date.parse(watch.due_at) - serverNow) / 1_000;
  return {
    watch,
    left_s,
    late: left_s < 0,
    overdue: watch.state === 'overdue' || left_s < -watch.grace_s,
    unsent: words.filter(
      (word) => word.state === 'saved' && word.verb !== 'begin' && word.watch_id === watch.id,
    ),
  };
}

/** A watch that was begun on this phone and is not with the server yet. */
export function begun(words: Word[], watches: SelfWatch[]): (Word & { verb: 'begin' })[] {
  return words.filter(
    (word): word is Word & { verb: 'begin' } =>
      word.verb === 'begin' && !watches.some(({ id }) => id === word.body.id),
  );
}

/**
 * Another deadline: so many minutes after the last one that was said, or from now where that has
 * passed. RFC 3339 by the server's clock.
 */
export function extended(shown: ShownWatch, minutes: number, serverNow: number): string {
  const said = shown.unsent.flatMap((word) => (word.verb === 'extend' ? [word.body.due_at] : []));
  const due = said.at(-1) ?? shown.watch.due_at;
  const from = Math.max(Date.parse(due), serverNow);
  return new Date(from + minutes * 60_000).toISOString();
}

/** In so many seconds from now, by the server's clock. */
export function dueIn(seconds: number, serverNow: number): string {
  return new Date(serverNow + seconds * 1_000).toISOString();
}
