import { read, type Api } from '@muster/shared/api/client.ts';
import type { PersonCode, StageReport, StageResult } from '@muster/shared/api/types.ts';
import { Outbox } from '../transport/outbox.ts';
import { repeater } from '../transport/repeat.ts';
import { SealedStore } from '../transport/sealed.ts';
import {
  openStages,
  stageReports,
  type StageDraft,
  type StageEntry,
  type StageStore,
} from '../transport/stages.ts';
import { leaveToWorker } from './help.svelte.ts';

/** A code that this phone shows without a network. */
export type OwnCode = Pick<PersonCode, 'person' | 'counter' | 'code' | 'revoked_at'>;

export interface OwnCodes {
  /** whose phone it was then */
  author: string;
  items: OwnCode[];
  /** by this phone's clock */
  heardAt: number;
}

const ROW = 'own-codes';
/** A code may be revoked meanwhile. */
const FRESH_MS = 10 * 60_000;

/** What this phone has said of who stands where in a movement, and the codes of its people. */
export class Moves {
  entries = $state.raw<StageEntry[]>([]);
  codes = $state.raw<OwnCodes | null>(null);
  durable = $state(true);
  /** ids of reports that are on their way to the server */
  underWay = $state.raw<ReadonlySet<string>>(new Set());

  private author = '';
  private fetching = false;
  private readonly outbox: Outbox<StageReport, StageResult>;
  private readonly again = repeater(() => this.flush());
  private readonly sealed = new SealedStore();

  private constructor(
    private readonly store: StageStore,
    private readonly api: Api,
    told: () => void,
    private readonly received: () => void,
  ) {
    const line = stageReports(api);
    const send = (items: StageReport[]) => {
      this.underWay = new Set(items.map(({ id }) => id));
      return line.send(items).finally(() => (this.underWay = new Set()));
    };
    this.outbox = new Outbox(store, { ...line, send }, () => {
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
    if (this.author !== author) void this.openCodes(author);
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

  /** What the server has of movements that are over goes, but for what came late: that is told. */
  async tidy(movements: ReadonlySet<string>): Promise<void> {
    const done = this.entries.filter(
      ({ state, late, body }) => state === 'received' && !late && !movements.has(body.movement),
    );
    for (const { seq } of done) await this.store.remove(seq);
    if (done.length) await this.reload();
  }

  /** What this phone remembers of its owner's codes; another's are forgotten. */
  private async openCodes(author: string): Promise<void> {
    this.codes = null;
    const kept = await this.sealed.get<OwnCodes>(ROW);
    if (kept && kept.author !== author) await this.sealed.remove(ROW);
    else this.codes ??= kept;
  }

  /** Asks for the codes of a household, at hand before the network goes; what is there stays. */
  async fetchCodes(author: string, household: string[], now = false): Promise<void> {
    const kept = this.codes?.author === author ? this.codes : null;
    const whole = household.every((ref) => kept?.items.some(({ person }) => person.ref === ref));
    const fresh = kept && Date.now() - kept.heardAt < FRESH_MS;
    if (this.fetching || (fresh && whole && !now)) return;
    this.fetching = true;
    try {
      const answer = await read<{ items: PersonCode[] }>(this.api.POST('/v1/self/codes'));
      const items = answer.items.map(({ person, counter, code, revoked_at }) => ({
        person,
        counter,
        code,
        revoked_at,
      }));
      if (author !== this.author) return;
      this.codes = { author, items, heardAt: Date.now() };
      await this.sealed.put(ROW, this.codes);
    } catch {
      // what was fetched before stays good to show
    } finally {
      this.fetching = false;
    }
  }

  /** The phone is nobody's any more. */
  async forget(): Promise<void> {
    [this.author, this.codes] = ['', null];
    await this.sealed.remove(ROW);
    const done = this.entries.filter(({ state }) => state === 'received');
    if (done.length) await this.outbox.discard(...done);
  }

  /** Whether there is more to send. */
  private async flush(): Promise<boolean> {
    await this.reload();
    const before = this.saved();
    const outcome = await this.outbox.flush(this.author);
    await this.reload();
    if (this.saved() < before) this.received();
    if (outcome === 'later') leaveToWorker();
    return outcome === 'later';
  }

  private saved(): number {
    return this.entries.filter(({ state }) => state === 'saved').length;
  }
}
