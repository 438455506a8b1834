import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type { Lanes, Said, Word } from './lanes.ts';
import { mayRetryLater } from './sending.ts';
import type { Flushed } from './outbox.ts';

/** Sends one word about a watch; throws Problem or Unreachable. */
export type Speak = (word: Word, sentAt: string) => Promise<void>;

/**
 * What is said about watches: saved first, with an id and the time it was said, then sent in the
 * order of saying, for a watch must have begun before it can end.
 */
export class Words {
  constructor(
    private readonly lanes: Lanes,
    private readonly speak: Speak,
    private readonly onChange: () => void = () => undefined,
    private readonly now: () => Date = () => new Date(),
  ) {}

  async say(author: string, said: Said): Promise<void> {
    const seq = await this.lanes.next('seq');
    const word = { ...said, seq, author, at: this.now().toISOString(), state: 'saved' } as Word;
    await this.lanes.change('words', seq, () => word);
    if (word.verb === 'extend') await this.forgetOlder(word);
    this.onChange();
  }

  async again(word: Word): Promise<void> {
    await this.lanes.change(
      'words',
      word.seq,
      (old) => old && { ...old, state: 'saved', problem: undefined },
    );
    this.onChange();
  }

  async discard(word: Word): Promise<void> {
    await this.lanes.change('words', word.seq, () => null);
    this.onChange();
  }

  /**
   * Of two deadlines only the later word counts; sent within the same moment, the delays of the
   * network could turn their order round.
   */
  private async forgetOlder(newer: Word & { verb: 'extend' }): Promise<void> {
    for (const word of await this.lanes.all('words'))
      if (word.verb === 'extend' && word.watch_id === newer.watch_id && word.seq < newer.seq)
        await this.discard(word);
  }

  /** Sends what is saved. One tab or worker at a time where the browser can arrange that. */
  async flush(author: string): Promise<Flushed> {
    const work = () => this.drain(author);
    if (typeof navigator === 'undefined' || !navigator.locks) return work();
    return navigator.locks.request('muster-words', work);
  }

  private async drain(author: string): Promise<Flushed> {
    const words = (await this.lanes.all('words')).sort((a, b) => a.seq - b.seq);
    for (const word of words.filter(({ state }) => state === 'saved')) {
      const outcome = await this.deliver(author, word);
      this.onChange();
      if (outcome !== 'empty') return outcome;
    }
    return 'empty';
  }

  private async deliver(author: string, word: Word): Promise<Flushed> {
    // under another person's token it would be said in her name
    if (word.author !== author) return this.setAside(word, { code: 'other_person', detail: '' });
    try {
      await this.speak(word, this.now().toISOString());
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (!(failure instanceof Problem) || mayRetryLater(failure)) return 'later';
      if (failure.status === 401) return 'unlinked';
      return this.setAside(word, { code: failure.code, detail: failure.message });
    }
    await this.lanes.change('words', word.seq, () => null);
    return 'empty';
  }

  private async setAside(word: Word, problem: Word['problem']): Promise<Flushed> {
    await this.lanes.change(
      'words',
      word.seq,
      (old) => old && { ...old, state: 'refused', problem },
    );
    return 'empty';
  }
}

/** A word as the server takes it. */
export function speaker(api: Api): Speak {
  return async (word, sent_at) => {
    if (word.verb === 'begin') {
      await read(api.POST('/v1/watches', { body: word.body }));
      return;
    }
    const params = { path: { watch_id: word.watch_id } };
    const body = { ...word.body, at: word.at, sent_at };
    if (word.verb === 'extend')
      await read(
        api.POST('/v1/watches/{watch_id}/extend', { params, body: { ...word.body, ...body } }),
      );
    else await read(api.POST('/v1/watches/{watch_id}/done', { params, body }));
  };
}
