import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type { BranchList } from '@muster/shared/api/types.ts';
import { repeater } from '../transport/repeat.ts';
import { mayRetryLater } from '../transport/sending.ts';
import type { SealedStore } from '../transport/sealed.ts';
import type { Ask, Branch, Store } from '../transport/store.ts';
import { acknowledge, readAsks, readBranch } from '../transport/ward.ts';

const ROW = 'branch';

/** A warden's branch: the last list that came, and the word that she takes it up. */
export class Ward {
  list = $state.raw<BranchList | null>(null);
  asks = $state.raw<Ask[]>([]);
  /** when the list came (this phone's clock) */
  heardAt = $state<number | null>(null);
  /** alerts she takes up: saved here, not yet received */
  takes = $state.raw<string[]>([]);

  private author: string | null = null;
  private reading = false;
  /** goes up whenever all is forgotten: what was asked for before is not kept */
  private turn = 0;
  private sealed: Promise<SealedStore | null> | null = null;
  private readonly settled = new Set<string>();
  private readonly takeSoon = repeater(() => this.sendTakes());

  constructor(
    private readonly store: Store,
    private readonly api: Api,
  ) {}

  /** Takes up what this phone remembers of this person's branch; another's is forgotten. */
  async open(author: string): Promise<void> {
    if (this.author === author) return;
    this.author = author;
    [this.list, this.asks, this.heardAt, this.takes] = [null, [], null, []];
    const turn = this.turn;
    const kept = await this.recall();
    if (turn !== this.turn) return;
    if (kept && kept.author !== author) return this.forget();
    if (kept && !this.list)
      [this.list, this.asks, this.heardAt] = [kept.list, kept.asks, kept.heardAt];
    this.takes = (await this.store.get('takes')) ?? [];
    if (this.takes.length) this.takeSoon();
  }

  /** Asks for the list anew; what was there stays until a newer one comes. */
  async refresh(): Promise<void> {
    if (this.reading || !this.author) return;
    this.reading = true;
    const [author, turn] = [this.author, this.turn];
    try {
      const list = await readBranch(this.api);
      const asks = await readAsks(this.api, list.alerts, author, this.settled);
      if (author === this.author && turn === this.turn) await this.keep(author, list, asks);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure instanceof Problem && failure.status === 403) await this.forget();
    } finally {
      this.reading = false;
    }
  }

  /** "I take it": saved first, then sent until the server has it. */
  async take(alertId: string): Promise<void> {
    this.takes = [...new Set([...this.takes, alertId])];
    await this.store.set('takes', this.takes);
    this.takeSoon();
  }

  /** Not a warden (any more): nothing about other people stays on this phone. */
  async forget(): Promise<void> {
    this.turn += 1;
    [this.list, this.asks, this.heardAt, this.takes] = [null, [], null, []];
    await this.store.forget('branch', 'takes');
    await (await this.shelf())?.remove(ROW);
  }

  private async keep(author: string, list: BranchList, asks: Ask[]): Promise<void> {
    const heardAt = Date.now();
    [this.list, this.asks, this.heardAt] = [list, asks, heardAt];
    await (await this.shelf())?.put(ROW, { author, list, asks, heardAt });
  }

  /** What is kept. A build of before kept it in the clear: it is sealed, and goes from there. */
  private async recall(): Promise<Branch | null> {
    const shelf = await this.shelf();
    const plain = await this.store.get('branch');
    if (plain) await shelf?.put(ROW, plain);
    if (plain && shelf) await this.store.forget('branch');
    return plain ?? (await shelf?.get<Branch>(ROW)) ?? null;
  }

  /** Null where that part of the page could not be loaded: then nothing is kept. */
  private shelf(): Promise<SealedStore | null> {
    return (this.sealed ??= import('../transport/sealed.ts').then(
      ({ SealedStore }) => new SealedStore(),
      () => (this.sealed = null),
    ));
  }

  /** Whether there is more to send. */
  private async sendTakes(): Promise<boolean> {
    for (const alertId of this.takes) {
      try {
        await acknowledge(this.api, alertId);
      } catch (thrown) {
        const failure = asFailure(thrown);
        if (!(failure instanceof Problem) || mayRetryLater(failure)) return true;
        // ended meanwhile, or not hers any more: the refresh below says how it stands
      }
      this.takes = this.takes.filter((id) => id !== alertId);
      await this.store.set('takes', this.takes);
      await this.refresh();
    }
    return false;
  }
}
