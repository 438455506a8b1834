/** What the phone loads after its first screen. */
import type { Api } from '@muster/shared/api/client.ts';
import { Post } from './checker/post.svelte.ts';
import * as following from './following.ts';
import type { Help } from './help.svelte.ts';
import { Moves } from './movement.svelte.ts';

export { Watches } from './watches.svelte.ts';

/** Whether positions are left to send. */
export async function followOn(help: Help, api: Api, again: () => void): Promise<boolean> {
  await following.followOn(help.lanes, api, help.presses, again);
  const left = await help.lanes.all('fixes');
  return left.some(({ press_id }) => help.live.some(({ id }) => id === press_id));
}

/** What is on its way to the server about movements: her own reports, and what she scans. */
export function openLines(
  api: Api,
  told: () => void,
  received: () => void,
): Promise<[Moves, Post]> {
  return Promise.all([Moves.open(api, told, received), Post.open(api, told)]);
}
