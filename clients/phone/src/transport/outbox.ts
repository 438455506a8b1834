import { mayRetryLater, splitFailure, type Sent } from './sending.ts';
import type { Entry } from './store.ts';
import type { Checkin, CheckinResult } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';

/** empty: nothing is left; later: try again; unlinked: the server does not know this phone */
export type Flushed = 'empty' | 'later' | 'unlinked';

/** A batch that a thin network could not carry in time is made smaller, but not than this. */
const LEAST = 50;

export interface Body {
  id: string;
  at: string;
  sent_at?: string | null;
}

/** What the server says of one item. */
export interface Result {
  id: string | null;
  event_at?: string;
  received_at?: string;
  late?: boolean;
  error?: { code: string; detail: string; status: number; retryable: boolean };
}

/** One kind of thing that is written to the server, in an order of its own. */
export interface Line<B extends Body, R extends Result> {
  /** held by the one tab or worker that sends */
  lock: string;
  /** so many at once at most */
  batch: number;
  send: (items: B[]) => Promise<Sent<R>>;
  /** what need stay on this phone once the server has it */
  kept: (body: B, result: R) => B;
  /** of what was received about the same, only the newest is kept */
  about: (body: B) => string;
  /** what was never tried to be sent can be taken back, so each try is marked before it is made */
  marks?: true;
  /** what is not ripe waits, and holds up nothing */
  ripe?: (body: B) => boolean;
}

/** Where entries are kept. */
interface Shelf<B> {
  add(...entries: Omit<Entry<B>, 'seq'>[]): Promise<Entry<B>[]>;
  put(entry: Entry<B>): Promise<void>;
  remove(seq: number): Promise<void>;
  entries(): Promise<Entry<B>[]>;
  mark(entries: Entry<B>[], tried: true | undefined): Promise<Entry<B>[]>;
}

export type Written<B> = Omit<B, keyof Body>;
export type Draft = Written<Checkin>;

/**
 * Everything written goes through here: saved first under an id made on this phone, then sent in
 * the order of writing until the server has it. Sending twice is harmless (same id), losing is not.
 */
export class Outbox<B extends Body = Checkin, R extends Result = CheckinResult> {
  private size: number;

  constructor(
    private readonly store: Shelf<B>,
    private readonly line: Line<B, R>,
    private readonly onChange: () => void = () => undefined,
    private readonly now: () => Date = () => new Date(),
  ) {
    this.size = line.batch;
  }

  /** Writes down what was said at one moment: all of it, or none where the disk refuses. */
  async write(author: string, ...drafts: Written<B>[]): Promise<Entry<B>[]> {
    const at = this.now().toISOString();
    const entries = drafts.map((draft) => {
      const body = { id: uuid(), at, ...draft } as unknown as B;
      return { author, body, state: 'saved' as const };
    });
    const written = await this.store.add(...entries);
    this.onChange();
    return written;
  }

  /** Sends what is saved. One tab or worker at a time where the browser can arrange that. */
  async flush(author: string): Promise<Flushed> {
    const work = () => this.drain(author);
    if (typeof navigator === 'undefined' || !navigator.locks) return work();
    return navigator.locks.request(this.line.lock, work);
  }

  /** Puts a refused entry back in the queue, at the user's wish. */
  async again(entry: Entry<B>): Promise<void> {
    await this.store.put({ ...entry, state: 'saved', problem: undefined });
    this.onChange();
  }

  async discard(...entries: Entry<B>[]): Promise<void> {
    for (const { seq } of entries) await this.store.remove(seq);
    this.onChange();
  }

  private async drain(author: string): Promise<Flushed> {
    for (;;) {
      const saved = (await this.store.entries()).filter((entry) => entry.state === 'saved');
      await this.setAside(saved.filter((entry) => entry.author !== author));
      const own = saved.filter(({ author: by, body }) => by === author && this.isRipe(body));
      const batch = own.slice(0, this.size);
      if (!batch.length) return 'empty';
      const outcome = await this.deliver(batch);
      await this.forgetOlder();
      this.onChange();
      if (outcome !== 'empty') return outcome;
    }
  }

  private isRipe(body: B): boolean {
    return this.line.ripe?.(body) ?? true;
  }

  /** Under another person's token these would be counted as hers. */
  private async setAside(foreign: Entry<B>[]): Promise<void> {
    const problem = { code: 'other_person', detail: '' };
    for (const entry of foreign) await this.store.put({ ...entry, state: 'refused', problem });
  }

  private async deliver(written: Entry<B>[]): Promise<Flushed> {
    const batch = this.line.marks ? await this.store.mark(written, true) : written;
    if (!batch.length) return 'empty';
    const sent_at = this.now().toISOString();
    const sent = await this.line.send(batch.map((entry) => ({ ...entry.body, sent_at })));
    if (sent.kind === 'failed') {
      const [verdict, detail] = splitFailure(sent.failure, batch.length);
      if (verdict === 'later') this.size = Math.max(LEAST, Math.floor(this.size / 2));
      // a browser that knows it is cut off has sent nothing
      if (verdict === 'later' && this.line.marks && navigator.onLine === false)
        await this.store.mark(batch, undefined);
      if (verdict === 'unlinked' || verdict === 'later') return verdict;
      if (verdict === 'refused') {
        await this.store.put({ ...batch[0]!, state: 'refused', problem: detail });
        return 'empty';
      }
      return this.halves(batch);
    }
    this.size = Math.min(this.line.batch, this.size * 2);
    let outcome: Flushed = 'empty';
    for (const entry of batch) {
      const result = sent.results.find((item) => item.id === entry.body.id);
      if (!(await this.settle(entry, result))) outcome = 'later';
    }
    return outcome;
  }

  /** One bad entry must not hold up the others: find it by halving. */
  private async halves(batch: Entry<B>[]): Promise<Flushed> {
    const middle = Math.ceil(batch.length / 2);
    const first = await this.deliver(batch.slice(0, middle));
    return first === 'empty' ? this.deliver(batch.slice(middle)) : first;
  }

  /** Whether the server has decided about this entry. */
  private async settle(entry: Entry<B>, result: R | undefined): Promise<boolean> {
    if (!result) return false;
    if (result.error) {
      if (mayRetryLater(result.error)) return false;
      const { code, detail } = result.error;
      await this.store.put({ ...entry, state: 'refused', problem: { code, detail } });
      return true;
    }
    const { event_at, received_at, late } = result;
    const body = this.line.kept(entry.body, result);
    await this.store.put({ ...entry, body, state: 'received', event_at, received_at, late });
    return true;
  }

  private async forgetOlder(): Promise<void> {
    const newest = new Map<string, number>();
    const received = (await this.store.entries()).filter(({ state }) => state === 'received');
    for (const { seq, body } of received.reverse()) {
      const about = this.line.about(body);
      if (newest.has(about)) await this.store.remove(seq);
      else newest.set(about, seq);
    }
  }
}
