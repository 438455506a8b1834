import type { Api } from '@muster/shared/api/client.ts';
import type { MovementEvent, PanicEvent, WatchEvent } from '@muster/shared/api/types.ts';
import { MovementDesk } from './movementdesk.svelte.ts';
import { PanicDesk } from './panicdesk.svelte.ts';
import { ServerTime } from './servertime.svelte.ts';
import { Signals } from './signals.svelte.ts';
import { Siren } from './siren.svelte.ts';
import { Watch } from './watch.svelte.ts';
import { WatchDesk } from './watchdesk.svelte.ts';

/** All that one console follows, over one line. */
export class Desks {
  readonly watch: Watch;
  readonly signals: Signals;
  readonly panics: PanicDesk;
  readonly watches: WatchDesk;
  readonly movements: MovementDesk;
  readonly time: ServerTime;
  readonly siren = new Siren();

  constructor(
    api: Api,
    /** sees the whole operation or whole areas, not only a branch */
    private readonly whole: boolean,
    onEnded: () => void,
  ) {
    this.time = new ServerTime(api);
    this.watch = new Watch(api, onEnded);
    this.signals = new Signals(api);
    this.panics = new PanicDesk(api);
    this.watches = new WatchDesk(api, this.time);
    this.movements = new MovementDesk(api, this.time);
    this.watch.onNews = (kind, data, id) => this.take(kind, data, id);
  }

  /** Whether nothing is heard from the server. */
  get cut(): boolean {
    return this.watch.line === 'stale';
  }

  start(): void {
    this.time.start();
    this.panics.list.start();
    this.watches.list.start();
    this.movements.list.start();
    this.siren.start();
    if (this.whole) this.signals.start();
    void this.watch.start();
  }

  stop(): void {
    this.watch.stop();
    this.signals.stop();
    this.panics.list.stop();
    this.watches.list.stop();
    this.movements.list.stop();
    this.siren.stop();
    this.time.stop();
  }

  /** Sounds what is there now; called again whenever it changes. */
  sound(): void {
    this.siren.setPanics(this.panics.untaken.length);
    const { conflicts, overdue } = this.movements.waiting;
    this.siren.setNews('watch', [...this.watches.overdue.map(({ id }) => id), ...overdue]);
    this.siren.setNews('conflict', conflicts);
    this.siren.setNews(
      'alarm',
      (this.signals.alarms.data ?? []).map(({ id }) => id),
    );
  }

  private take(kind: string, data?: unknown, id = 0): void {
    if (kind === 'panic') this.panics.take(data as PanicEvent);
    else if (kind === 'watch') this.watches.take(data as WatchEvent);
    else if (kind === 'movement') this.movements.take(data as MovementEvent, id);
    else if (kind === 'any') {
      this.panics.list.loadSoon();
      this.watches.list.loadSoon();
      this.movements.missed();
    }
    if (this.whole) this.signals.take(kind);
  }
}
