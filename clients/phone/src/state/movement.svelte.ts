import type { Api } from '@muster/shared/api/client.ts';
import type { StageReport, StageResult } from '@muster/shared/api/types.ts';
import type { Outbox } from '../transport/outbox.ts';
import { repeater } from '../transport/repeat.ts';
import {
  openStages,
  stageOutbox,
  type StageDraft,
  type StageEntry,
  type StageStore,
} from '../transport/stages.ts';

/** What this phone has said of who stands where in a movement, and what became of it. */
export class Moves {
  entries = $state.raw<StageEntry[]>([]);
  durable = $state(true);

  private author = '';
  private readonly outbox: Outbox<StageReport, StageResult>;
  private readonly again = repeater(() => this.flush());

  private constructor(
    private readonly store: StageStore,
    api: Api,
    told: () => void,
    private readonly received: () => void,
  ) {
    this.outbox = stageOutbox(store, api, () => {
      told();
      void this.reload();
    });
  }

  static async open(api: Api, told: () => void, received: () => void): Promise<Moves> {
    const moves = new Moves(await openStages(), api, told, received);
    await moves.reload();
    return moves;
  }

  async reload(): Promise<void> {
    this.entries = await this.store.entries();
    this.durable = this.store.durable;
  }

  sendSoon(author: string): void {
    this.author = author;
    this.again();
  }

  /** Saved first, all of it or nothing; then sent until the server has it. */
  async report(author: string, ...drafts: StageDraft[]): Promise<void> {
    await this.outbox.write(author, ...drafts);
    this.sendSoon(author);
  }

  async retry(author: string, entry: StageEntry): Promise<void> {
    await this.outbox.again(entry);
    this.sendSoon(author);
  }

  async discard(entry: StageEntry): Promise<void> {
    await this.outbox.discard(entry);
  }

  /** Whether there is more to send. */
  private async flush(): Promise<boolean> {
    const before = this.saved();
    const outcome = await this.outbox.flush(this.author);
    await this.reload();
    if (this.saved() < before) this.received();
    return outcome === 'later';
  }

  private saved(): number {
    return this.entries.filter(({ state }) => state === 'saved').length;
  }
}
