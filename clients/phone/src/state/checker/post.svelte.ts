import type { Api } from '@muster/shared/api/client.ts';
import type { Self, StageReport, StageResult } from '@muster/shared/api/types.ts';
import { Tidy } from '../../transport/checklist.ts';
import type { Outbox } from '../../transport/outbox.ts';
import { repeater } from '../../transport/repeat.ts';
import {
  HOLD_MS,
  isHeld,
  openScans,
  scanOutbox,
  SCANS_LOCK,
  type ScanStore,
} from '../../transport/scans.ts';
import { SealedStore } from '../../transport/sealed.ts';
import type { StageEntry } from '../../transport/stages.ts';
import type { TakenBack } from '../../transport/store.ts';
import { leaveToWorker } from '../help.svelte.ts';

/** Brings scans to the server, whether or not the checker's page is open, and puts lists away. */
export class Post {
  entries = $state.raw<StageEntry[]>([]);
  durable = $state(true);
  readonly sealed = new SealedStore();

  private author = '';
  private readonly outbox: Outbox<StageReport, StageResult>;
  private readonly again = repeater(() => this.flush());
  private readonly lists = new Tidy(this.sealed);

  private constructor(
    private readonly store: ScanStore,
    api: Api,
    told: () => void,
    private readonly hold: number,
  ) {
    const changed = () => {
      told();
      void this.reload();
    };
    this.outbox = scanOutbox(store, api, changed, ({ at }) => !this.waits(at));
  }

  /** @param hold so many milliseconds a scan may be taken out before it is sent */
  static async open(api: Api, told: () => void, hold = HOLD_MS): Promise<Post> {
    const post = new Post(await openScans(), api, told, hold);
    await post.reload();
    return post;
  }

  read(): Promise<StageEntry[]> {
    return this.store.entries();
  }

  async reload(): Promise<void> {
    this.entries = await this.read();
    this.durable = this.store.durable;
  }

  sendSoon(author: string): void {
    this.author = author;
    this.again();
  }

  /** Saves a report under its own id and time, and sends nothing yet; the worker has it, too. */
  async write(author: string, report: Omit<StageReport, 'sent_at'>): Promise<void> {
    await this.outbox.write(author, report);
    leaveToWorker();
    await this.reload();
  }

  async takeBack(id: string): Promise<TakenBack> {
    // without a network a try that is under way fails at once, and then is none
    if (navigator.onLine === false && navigator.locks)
      await navigator.locks.request(SCANS_LOCK, () => undefined);
    const done = await this.store.takeBack((body) => body.id === id);
    await this.reload();
    return done;
  }

  async retry(author: string, entry: StageEntry): Promise<void> {
    await this.outbox.again(entry);
    this.sendSoon(author);
  }

  async discard(...entries: StageEntry[]): Promise<void> {
    await this.outbox.discard(...entries);
  }

  /** The app is left, perhaps for good: nothing waits any more, and the worker goes on with it. */
  leave(): void {
    if (!this.hasUnsent()) return;
    this.again();
    leaveToWorker();
  }

  /** What the server said last decides what may stay here; null: it knows this phone no more. */
  async heard(author: string, self: Self | null): Promise<void> {
    const now = self ? Date.parse(self.server_time) : Date.now();
    await this.lists.heard(author, self && (self.checks ?? []), now);
    const done = this.entries.filter((one) => one.state === 'received' && one.author !== author);
    if (done.length) await this.discard(...done);
  }

  /** This phone is nobody's any more: of what was settled nothing stays. */
  async forget(): Promise<void> {
    await this.sealed.wipe();
    await this.discard(...(await this.read()).filter(({ state }) => state !== 'saved'));
  }

  /** Whether there is more to send. */
  private async flush(): Promise<boolean> {
    const outcome = await this.outbox.flush(this.author);
    await this.reload();
    if (outcome === 'later') leaveToWorker();
    return outcome === 'later' || (outcome === 'empty' && this.hasUnsent());
  }

  private hasUnsent(): boolean {
    return this.entries.some(({ state, author }) => state === 'saved' && author === this.author);
  }

  private waits(at: string): boolean {
    return globalThis.document?.visibilityState !== 'hidden' && isHeld(at, this.hold);
  }
}
