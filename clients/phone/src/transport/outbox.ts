import { mayRetryLater, splitFailure, type Sent } from './sending.ts';
import type { Entry, Store } from './store.ts';
import type { Checkin } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';

/** empty: nothing is left; later: try again; unlinked: the server does not know this phone */
export type Flushed = 'empty' | 'later' | 'unlinked';

const BATCH = 50;

export type Draft = Omit<Checkin, 'id' | 'at' | 'sent_at'>;

/**
 * Everything written goes through here: saved first under an id made on this phone, then sent in
 * the order of writing until the server has it. Sending twice is harmless (same id), losing is not.
 */
export class Outbox {
  constructor(
    private readonly store: Store,
    private readonly send: (items: Checkin[]) => Promise<Sent>,
    private readonly onChange: () => void = () => undefined,
    private readonly now: () => Date = () => new Date(),
  ) {}

  async write(author: string, draft: Draft): Promise<Entry> {
    const body: Checkin = { id: uuid(), at: this.now().toISOString(), ...draft };
    const entry = await this.store.add({ author, body, state: 'saved' });
    this.onChange();
    return entry;
  }

  /** Sends what is saved. One tab or worker at a time where the browser can arrange that. */
  async flush(author: string): Promise<Flushed> {
    const work = () => this.drain(author);
    if (typeof navigator === 'undefined' || !navigator.locks) return work();
    return navigator.locks.request('muster-outbox', work);
  }

  /** Puts a refused entry back in the queue, at the user's wish. */
  async again(entry: Entry): Promise<void> {
    await this.store.put({ ...entry, state: 'saved', problem: undefined });
    this.onChange();
  }

  async discard(entry: Entry): Promise<void> {
    await this.store.remove(entry.seq);
    this.onChange();
  }

  private async drain(author: string): Promise<Flushed> {
    for (;;) {
      const saved = (await this.store.entries()).filter((entry) => entry.state === 'saved');
      await this.setAside(saved.filter((entry) => entry.author !== author));
      const batch = saved.filter((entry) => entry.author === author).slice(0, BATCH);
      if (!batch.length) return 'empty';
      const outcome = await this.deliver(batch);
      this.onChange();
      if (outcome !== 'empty') return outcome;
    }
  }

  /** Under another person's token these would be counted as hers. */
  private async setAside(foreign: Entry[]): Promise<void> {
    const problem = { code: 'other_person', detail: '' };
    for (const entry of foreign) await this.store.put({ ...entry, state: 'refused', problem });
  }

  private async deliver(batch: Entry[]): Promise<Flushed> {
    const sent_at = this.now().toISOString();
    const sent = await this.send(batch.map((entry) => ({ ...entry.body, sent_at })));
    if (sent.kind === 'failed') {
      const [verdict, detail] = splitFailure(sent.failure, batch.length);
      if (verdict === 'unlinked' || verdict === 'later') return verdict;
      if (verdict === 'refused') {
        await this.store.put({ ...batch[0]!, state: 'refused', problem: detail });
        return 'empty';
      }
      return this.halves(batch);
    }
    let outcome: Flushed = 'empty';
    for (const entry of batch) {
      if (!(await this.settle(entry, sent))) outcome = 'later';
    }
    return outcome;
  }

  /** One bad entry must not hold up the others: find it by halving. */
  private async halves(batch: Entry[]): Promise<Flushed> {
    const middle = Math.ceil(batch.length / 2);
    const first = await this.deliver(batch.slice(0, middle));
    return first === 'empty' ? this.deliver(batch.slice(middle)) : first;
  }

  /** Whether the server has decided about this entry. */
  private async settle(entry: Entry, sent: Sent & { kind: 'answered' }): Promise<boolean> {
    const result = sent.results.find((item) => item.id === entry.body.id);
    if (!result) return false;
    if (result.error) {
      if (mayRetryLater(result.error)) return false;
      const { code, detail } = result.error;
      await this.store.put({ ...entry, state: 'refused', problem: { code, detail } });
      return true;
    }
    const { event_at, received_at } = result;
    // once the server has them, place and note need not stay on a phone that may be taken
    const { location: _place, note: _note, ...body } = entry.body;
    await this.store.put({ ...entry, body, state: 'received', event_at, received_at });
    await this.forgetOlder(entry);
    return true;
  }

  /** Of what was received, only the newest a person and alert is kept. */
  private async forgetOlder({ seq, body }: Entry): Promise<void> {
    for (const other of await this.store.entries()) {
      const same = other.body.alert_id === body.alert_id && other.body.for === body.for;
      if (same && other.state === 'received' && other.seq < seq) await this.store.remove(other.seq);
    }
  }
}
