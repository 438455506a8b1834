import type { Api } from '@muster/shared/api/client.ts';
import type { Self, StageReport, StageResult } from '@muster/shared/api/types.ts';
import { tidy } from '../../transport/checklist.ts';
import type { Outbox } from '../../transport/outbox.ts';
import { repeater } from '../../transport/repeat.ts';
import { openScans, scanOutbox, SCANS_LOCK, type ScanStore } from '../../transport/scans.ts';
import { SealedStore } from '../../transport/sealed.ts';
import type { StageEntry } from '../../transport/stages.ts';
import type { TakenBack } from '../../transport/store.ts';

/** Brings scans to the server, whether or not the checker's page is open, and puts lists away. */
export class Post {
  entries = $state.raw<StageEntry[]>([]);
  durable = $state(true);
  readonly sealed = new SealedStore();

  private author = '';
  private readonly outbox: Outbox<StageReport, StageResult>;
  private readonly again = repeater(() => this.flush());

  private constructor(
    private readonly store: ScanStore,
    api: Api,
    told: () => void,
  ) {
    this.outbox = scanOutbox(store, api, () => {
      told();
      void this.reload();
    });
  }

  static async open(api: Api, told: () => void): Promise<Post> {
    const post = new Post(await openScans(), api, told);
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

  /** Saves a report under its own id and time, and sends nothing yet. */
  async write(author: string, report: Omit<StageReport, 'sent_at'>): Promise<void> {
    await this.outbox.write(author, report);
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

  async discard(entry: StageEntry): Promise<void> {
    await this.outbox.discard(entry);
  }

  /** What the server said last decides what may stay here; null: it knows this phone no more. */
  async heard(author: string, self: Self | null): Promise<void> {
    const now = self ? Date.parse(self.server_time) : Date.now();
    await tidy(this.sealed, author, self && (self.checks ?? []), now);
  }

  /** This phone is nobody's any more. */
  async forget(): Promise<void> {
    await this.sealed.wipe();
  }

  /** Whether there is more to send. */
  private async flush(): Promise<boolean> {
    const outcome = await this.outbox.flush(this.author);
    await this.reload();
    return outcome === 'later';
  }
}
