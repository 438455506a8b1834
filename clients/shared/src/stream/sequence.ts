/** One message of the operation's stream: it stands for the numbers `from` to `id`. */
export interface StreamMessage {
  id: number;
  kind: string;
  data: { from: number } & Record<string, unknown>;
}

export type Step = 'next' | 'known' | 'gap';

/**
 * Where a message stands after `last` (null: nothing was seen yet). Numbers are gapless, so
 * `from == last + 1` proves that nothing is missing. A message may also reach back over numbers
 * already seen (after a reconnect); one that ends in them is known.
 */
export function step(last: number | null, message: StreamMessage): Step {
  if (last === null) return 'next';
  if (message.id <= last) return 'known';
  return message.data.from <= last + 1 ? 'next' : 'gap';
}
