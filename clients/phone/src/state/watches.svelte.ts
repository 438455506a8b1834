import type { Api } from '@muster/shared/api/client.ts';
import type { NewWatch } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import type { Lanes, Said, Word } from '../transport/lanes.ts';
import { repeater } from '../transport/repeat.ts';
import { speaker, Words } from '../transport/words.ts';

/** What this phone has said about watches and the server does not have yet. */
export class Watches {
  words = $state.raw<Word[]>([]);

  private author = '';
  private readonly outbox: Words;
  private readonly again = repeater(() => this.flush());

  constructor(
    private readonly lanes: Lanes,
    api: Api,
    told: () => void,
    private readonly received: () => void,
  ) {
    this.outbox = new Words(lanes, speaker(api), () => {
      told();
      void this.reload();
    });
  }

  async reload(): Promise<void> {
    this.words = (await this.lanes.all('words')).sort((a, b) => a.seq - b.seq);
  }

  sendSoon(author: string): void {
    this.author = author;
    this.again();
  }

  async begin(author: string, watch: Omit<NewWatch, 'id'>): Promise<void> {
    await this.say(author, { verb: 'begin', body: { id: uuid(), ...watch } });
  }

  async extend(author: string, watch_id: string, due_at: string): Promise<void> {
    await this.say(author, { verb: 'extend', watch_id, body: { id: uuid(), due_at } });
  }

  async done(author: string, watch_id: string): Promise<void> {
    await this.say(author, { verb: 'done', watch_id, body: { id: uuid() } });
  }

  async retry(author: string, word: Word): Promise<void> {
    await this.outbox.again(word);
    this.sendSoon(author);
  }

  async discard(word: Word): Promise<void> {
    await this.outbox.discard(word);
  }

  /** Whether there is more to send. */
  private async flush(): Promise<boolean> {
    await this.reload();
    const before = this.words.length;
    const outcome = await this.outbox.flush(this.author);
    await this.reload();
    if (this.words.length < before) this.received();
    return outcome === 'later';
  }

  private async say(author: string, said: Said): Promise<void> {
    await this.outbox.say(author, said);
    this.sendSoon(author);
  }
}
