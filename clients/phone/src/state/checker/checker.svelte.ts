import { Problem } from '@muster/shared/api/client.ts';
import { asFailure } from '@muster/shared/api/problem.ts';
import type { CheckList, Listed, SelfCheck } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import { isGone, listRow, type KeptList } from '../../transport/checklist.ts';
import type { SealedStore } from '../../transport/sealed.ts';
import { loadKeys, readCode, type Keys } from './codes.ts';
import { judgeCode, judgePerson, type Judged, type Known } from './judge.ts';
import { Log, type Carrier } from './log.svelte.ts';
import { indexed, standings, type Index, type Scan, type Task } from './scans.ts';

interface Chosen {
  author: string;
  task: Task | null;
  movement: string;
  only: number | null;
  sound: boolean;
}

/** What a code or a tick came to; `scan` null: nothing was counted. */
export interface Outcome {
  judged: Judged;
  code: string | null;
  scan: Scan | null;
}

export type Trouble = 'offline' | 'not_hers' | 'refused' | null;

/** A checker's list, what she checks, and whom she has seen; all of it survives the page. */
export class Checker {
  readonly log: Log;
  kept = $state.raw<KeptList | null>(null);
  movement = $state<string | null>(null);
  only = $state<number | null>(null);
  task = $state.raw<Task | null>(null);
  sound = $state(true);
  loading = $state(false);
  trouble = $state<Trouble>(null);
  /** whether the list outlives the page */
  durable = $state(true);

  /** of the movement that is checked */
  readonly scans = $derived.by(() => this.log.all.filter((one) => one.movement === this.movement));
  readonly index = $derived<Index | null>(this.kept && indexed(this.kept));
  readonly standings = $derived(this.index && standings(this.index, this.scans));
  /** what the server did not take, of whatever movement, each for a human to see to */
  readonly refused = $derived.by(() =>
    this.log.all.filter(({ state, undone }) => state === 'refused' && !undone),
  );
  readonly unsent = $derived.by(() =>
    this.log.all.filter(({ state, undone }) => state === 'saved' && !undone),
  );

  private keys: Keys = new Map();
  private epoch = 0;
  /** the epoch of the list that is on its way */
  private asked = 0;

  constructor(
    readonly author: string,
    private readonly sealed: SealedStore,
    carrier: Carrier,
    /** the list of a movement, or of one vehicle; throws Problem or Unreachable */
    private readonly ask: (movement: string, only: number | null) => Promise<CheckList>,
    /** by how many milliseconds the server's clock is ahead of this phone's */
    private readonly skew: () => number,
  ) {
    this.log = new Log(author, sealed, carrier, () => this.epoch);
  }

  /** Takes up where she was; of movements that are not hers to check (any more) only her scans. */
  async open(checks: readonly SelfCheck[]): Promise<void> {
    await this.log.reload();
    const chosen = await this.sealed.get<Chosen>('chosen');
    const own = chosen?.author === this.author ? chosen : null;
    const at = checks.find(({ id }) => id === own?.movement) ?? checks[0];
    if (own) this.sound = own.sound;
    if (at) await this.choose(at.id);
    if (own && at?.id === own.movement) [this.task, this.only] = [own.task, own.only];
    await this.log.settle();
  }

  async choose(movement: string): Promise<void> {
    [this.movement, this.task, this.only, this.trouble] = [movement, null, null, null];
    this.loading = false;
    const kept = await this.sealed.get<KeptList>(listRow(movement));
    const gone = kept && isGone(kept, this.author, Date.now() + this.skew());
    if (gone) await this.sealed.remove(listRow(movement));
    const epochs = this.log.all.map(({ epoch }) => epoch ?? 0);
    this.epoch = Math.max(this.epoch, kept?.epoch ?? 0, ...epochs);
    await this.take(gone ? null : kept);
  }

  async check(task: Task | null): Promise<void> {
    this.task = task;
    await this.remember();
  }

  async remember(): Promise<void> {
    const { author, task, movement, only, sound } = this;
    if (movement) await this.sealed.put('chosen', { author, task, movement, only, sound });
  }

  /** Asks for the list anew; the one that is there stays until a newer one has come. */
  async refresh(only = this.only): Promise<void> {
    const { movement, author } = this;
    if (!movement || this.loading) return;
    this.loading = true;
    const epoch = (this.asked = this.epoch += 1);
    try {
      const list = await this.ask(movement, only);
      if (movement !== this.movement) return;
      const kept = { author, list, only, heardAt: Date.now(), epoch };
      await this.sealed.put(listRow(movement), kept);
      [this.only, this.trouble] = [only, null];
      await this.take(kept);
    } catch (thrown) {
      if (movement === this.movement) await this.failed(asFailure(thrown));
    } finally {
      if (epoch === this.asked) this.loading = false;
    }
  }

  /** A code that was read. Who is good, without a seat or not known is kept, and sent. */
  async scan(code: string): Promise<Outcome | null> {
    const { task } = this;
    const said = await readCode(code, this.keys);
    return this.judge(task, code, (own, known) => judgeCode(said, code, own, known));
  }

  /** Somebody by name: she has no code, or it is revoked and the checker knows her. */
  tick(person: Listed, code: string | null = null): Promise<Outcome | null> {
    return this.judge(this.task, code, (own, known) => judgePerson(person, own, known));
  }

  /** Says what is true instead of a scan that was sent. */
  correct(wrong: Scan, task: Task): Promise<Scan> {
    return this.log.inTurn(() => {
      const before = (wrong.ref && this.standings?.get(wrong.ref)) || null;
      const judged = {
        verdict: 'good' as const,
        person: null,
        before,
        earlier: null,
        newer: false,
      };
      return this.keep(task, judged, null, { ref: wrong.ref, corrects: wrong.id });
    });
  }

  /** Nothing of other people stays in this page. */
  forget(): void {
    [this.kept, this.keys, this.task] = [null, new Map(), null];
  }

  private async take(kept: KeptList | null): Promise<void> {
    this.keys = await loadKeys(kept?.list.keys ?? []);
    this.kept = kept;
    this.durable = this.sealed.durable;
  }

  private async failed(failure: Error): Promise<void> {
    const gone = failure instanceof Problem && [401, 403, 404].includes(failure.status);
    this.trouble = gone ? 'not_hers' : failure instanceof Problem ? 'refused' : 'offline';
    if (!gone || !this.movement) return;
    await this.sealed.remove(listRow(this.movement));
    this.forget();
  }

  /** In a turn: of two looks at the same person the second knows of the first. */
  private judge(
    task: Task | null,
    code: string | null,
    look: (task: Task, known: Known) => Judged,
  ): Promise<Outcome | null> {
    return this.log.inTurn(async () => {
      const { index, standings, scans } = this;
      if (!index || !standings || task?.movement !== this.movement) return null;
      const judged = look(task, { index, standings, scans });
      const taken = ['good', 'unlisted', 'unknown'].includes(judged.verdict);
      return { judged, code, scan: taken ? await this.keep(task, judged, code) : null };
    });
  }

  private async keep(
    task: Task,
    judged: Judged,
    code: string | null,
    more: Partial<Scan> = {},
  ): Promise<Scan> {
    const scan: Scan = {
      ...task,
      id: uuid(),
      author: this.author,
      at: new Date().toISOString(),
      ref: judged.person?.ref ?? null,
      code,
      verdict: judged.verdict,
      before: judged.before,
      state: 'saved',
      ...more,
    };
    await this.log.keep(scan);
    return scan;
  }
}
