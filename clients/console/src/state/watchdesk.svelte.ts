import type { Api } from '@muster/shared/api/client.ts';
import type { PersonWatch, WatchEvent } from '@muster/shared/api/types.ts';
import { listOpenWatches } from '../transport/watches.ts';
import { Listening } from './listening.svelte.ts';
import type { ServerTime } from './servertime.svelte.ts';
import { addWatches, addWatchList, overdue, withoutGone, type Watches } from './watches.ts';

const EVERY_MS = 60_000;

/** Every watch in sight that runs, on every page: an overdue one must be noticed. */
export class WatchDesk {
  watches = $state.raw<Watches>(new Map());
  readonly list: Listening<PersonWatch>;
  /** these have changed */
  onNews: (watches: PersonWatch[]) => void = () => undefined;

  constructor(
    api: Api,
    private readonly time: ServerTime,
  ) {
    let asked = 0;
    this.list = new Listening(
      () => {
        asked = time.exact;
        return listOpenWatches(api);
      },
      (list, heard) => (this.watches = addWatchList(this.watches, list, asked, heard)),
      EVERY_MS,
    );
  }

  get overdue(): PersonWatch[] {
    return overdue(this.watches);
  }

  take({ watches, gone = [] }: WatchEvent): void {
    this.put(watches);
    if (gone.length) this.watches = withoutGone(this.watches, gone);
    this.onNews(watches);
  }

  put(watches: PersonWatch[]): void {
    for (const { id } of watches) this.list.hear(id);
    this.watches = addWatches(this.watches, watches, this.time.exact);
  }
}
