import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem, type Failure } from '@muster/shared/api/problem.ts';
import type {
  PanicReason,
  PersonWatch,
  WatchDetail,
  WatchPosition,
} from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import {
  cancelWatch,
  extendWatch,
  heardConvoy,
  offerConvoy,
  readPosition,
  readWatch,
  settleOffer,
  watchDone,
} from '../transport/watches.ts';
import type { ServerTime } from './servertime.svelte.ts';

/** One watch on screen, with its timeline. */
export class OneWatch {
  detail = $state.raw<WatchDetail | null>(null);
  /** the server's clock when it was read: its ages are as of then */
  at = $state(0);
  /** where she was, once it was asked for */
  place = $state.raw<WatchPosition | null>(null);
  gone = $state(false);
  working = $state(false);
  trouble = $state.raw<Failure | null>(null);

  private turn = 0;
  /** the id of the word being said: said again after no answer, it is one word */
  private word = uuid();

  constructor(
    private readonly api: Api,
    readonly id: string,
    private readonly time: ServerTime,
    private readonly onChanged: (watch: PersonWatch) => void,
  ) {}

  async load(): Promise<void> {
    const turn = ++this.turn;
    const asked = this.time.exact;
    try {
      const detail = await readWatch(this.api, this.id);
      if (turn === this.turn) [this.detail, this.at] = [detail, asked];
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (turn === this.turn) this.gone = failure instanceof Problem && failure.status === 404;
    }
  }

  stop(): void {
    this.turn += 1;
  }

  done(): Promise<boolean> {
    return this.act(() => watchDone(this.api, this.id, this.word));
  }

  extend(minutes: number): Promise<boolean> {
    const due = new Date(this.time.exact + minutes * 60_000).toISOString();
    return this.act(() => extendWatch(this.api, this.id, uuid(), due));
  }

  cancel(): Promise<boolean> {
    return this.act(() => cancelWatch(this.api, this.id));
  }

  offer(to_area: string | null, minutes: number): Promise<boolean> {
    const expect_by = new Date(this.time.exact + minutes * 60_000).toISOString();
    const wish = { id: uuid(), to_area, expect_by, note: null };
    return this.act(() => offerConvoy(this.api, this.id, wish));
  }

  heard(offer: string, contact: 'radio' | 'phone' | 'text' | 'satellite' | 'sight') {
    return this.act(() => heardConvoy(this.api, this.id, offer, contact));
  }

  settle(offer: string, verb: 'refuse' | 'withdraw'): Promise<boolean> {
    return this.act(() => settleOffer(this.api, this.id, offer, verb));
  }

  /** Reads where she was, which the server writes down with the reason. */
  async look(reason: PanicReason): Promise<void> {
    this.trouble = null;
    try {
      this.place = await readPosition(this.api, this.id, reason);
    } catch (thrown) {
      this.trouble = asFailure(thrown);
    }
    await this.load();
  }

  private async act(work: () => Promise<PersonWatch>): Promise<boolean> {
    this.working = true;
    this.trouble = null;
    try {
      this.onChanged(await work());
      this.word = uuid();
      await this.load();
      return true;
    } catch (thrown) {
      this.trouble = asFailure(thrown);
      return false;
    } finally {
      this.working = false;
    }
  }
}
