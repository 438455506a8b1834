/** Pages that are fetched apart. The board, panics, watches, calls for help and the composer are not. */
import { Later } from '../state/later.svelte.ts';

/** Once for the page: what was fetched stays, whoever signs in. */
export const PARTS = {
  movements: new Later(() => import('./movements/part.ts')),
  tree: new Later(() => import('./health/HealthPage.svelte')),
  channels: new Later(() => import('./channels/ChannelsPage.svelte')),
};
