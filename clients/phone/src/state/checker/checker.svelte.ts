import { Problem } from '@muster/shared/api/client.ts';
import { asFailure } from '@muster/shared/api/problem.ts';
import type { CheckList, Listed, SelfCheck, StageReport } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import { isGone, listRow, scanRow, type KeptList } from '../../transport/checklist.ts';
import type { SealedStore } from '../../transport/sealed.ts';
import type { StageEntry } from '../../transport/stages.ts';
import type { TakenBack } from '../../transport/store.ts';
import { loadKeys, readCode, type Keys } from './codes.ts';
import { judgeCode, judgePerson, type Judged } from './judge.ts';
import { indexed, reportOf, standings, type Index, type Scan, type Task } from './scans.ts';

/** So long a scan may be taken out before it is sent; meanwhile it lies saved. */
const HOLD_MS = 4_000;

/** What carries scans to the server: the phone's outbox of stage reports. */
export interface Carrier {
  read(): Promise<StageEntry[]>;
  /** saves it, and sends nothing yet */
  write(author: string, report: Omit<StageReport, 'sent_at'>): Promise<void>;
  sendSoon(author: string): void;
  takeBack(id: string): Promise<TakenBack>;
  retry(author: string, entry: StageEntry): Promise<void>;
  discard(entry: StageEntry): Promise<void>;
}

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
  kept = $state.raw<KeptList | null>(null);
  scans = $state.raw<Scan[]>([]);
  movement = $state<string | null>(null);
  only = $state<number | null>(null);
  task = $state.raw<Task | null>(null);
  sound = $state(true);
  loading = $state(false);
  trouble = $state<Trouble>(null);
  durable = $state(true);

  readonly index = $derived<Index | null>(this.kept && indexed(this.kept));
  readonly standings = $derived(this.index && standings(this.index, this.scans));
  /** what the server did not take, each for a human to see to */
  readonly refused = $derived(
    this.scans.filter(({ state, undone }) => state === 'refused' && !undone),
  );
  readonly unsent = $derived(this.scans.filter((one) => one.state === 'saved' && !one.undone));

  private keys: Keys = new Map();
  private epoch = 0;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly author: string,
    private readonly sealed: SealedStore,
    private readonly carrier: Carrier,
    /** the list of a movement, or of one vehicle; throws Problem or Unreachable */
    private readonly ask: (movement: string, only: number | null) => Promise<CheckList>,
    /** by how many milliseconds the server's clock is ahead of this phone's */
    private readonly skew: () => number,
  ) {}

  /** Takes up where she was, of the movements that are hers to check. */
  async open(checks: readonly SelfCheck[]): Promise<void> {
    const chosen = await this.sealed.get<Chosen>('chosen');
    const own = chosen?.author === this.author ? chosen : null;
    const at = checks.find(({ id }) => id === own?.movement) ?? checks[0];
    if (own) this.sound = own.sound;
    if (!at) return this.finish();
    await this.choose(at.id);
    if (own?.movement !== at.id) return;
    [this.task, this.only] = [own.task, own.only];
  }

  /** She checks nothing any more: what she scanned before is still seen to. */
  private async finish(): Promise<void> {
    const rows = await this.sealed.all<Scan>('scan ');
    this.scans = rows.filter(({ author }) => author === this.author);
    await this.settle();
  }

  async choose(movement: string): Promise<void> {
    [this.movement, this.task, this.only, this.trouble] = [movement, null, null, null];
    const kept = await this.sealed.get<KeptList>(listRow(movement));
    const gone = kept && isGone(kept, this.author, Date.now() + this.skew());
    if (gone) await this.sealed.remove(listRow(movement));
    await this.take(gone ? null : kept);
    await this.reload();
    const epochs = this.scans.map(({ epoch }) => epoch ?? 0);
    this.epoch = Math.max(this.kept?.epoch ?? 0, ...epochs);
    await this.settle();
  }

  async check(task: Task | null): Promise<void> {
    this.task = task;
    await this.remember();
  }

  async remember(): Promise<void> {
    const { author, task, movement, only, sound } = this;
    if (movement) await this.sealed.put('chosen', { author, task, movement, only, sound });
  }

  /** What is kept of her scans here. */
  async reload(): Promise<void> {
    const { movement } = this;
    if (!movement) return;
    const rows = await this.sealed.all<Scan>(scanRow(movement, ''));
    this.scans = rows.filter(({ author }) => author === this.author);
    this.durable = this.sealed.durable;
  }

  /** Asks for the list anew; the one that is there stays until a newer one has come. */
  async refresh(only = this.only): Promise<void> {
    const { movement, author } = this;
    if (!movement || this.loading) return;
    this.loading = true;
    const epoch = (this.epoch += 1);
    try {
      const list = await this.ask(movement, only);
      if (movement !== this.movement) return;
      const kept = { author, list, only, heardAt: Date.now(), epoch };
      await this.sealed.put(listRow(movement), kept);
      [this.only, this.trouble] = [only, null];
      await this.take(kept);
    } catch (thrown) {
      await this.failed(asFailure(thrown));
    } finally {
      this.loading = false;
    }
  }

  /** A code that was read. Who is good, without a seat or not known is kept and sent at once. */
  async scan(code: string): Promise<Outcome | null> {
    const { index, standings, scans, task } = this;
    if (!index || !standings || !task) return null;
    const judged = judgeCode(await readCode(code, this.keys), code, task, {
      index,
      standings,
      scans,
    });
    const taken = ['good', 'unlisted', 'unknown'].includes(judged.verdict);
    return { judged, code, scan: taken ? await this.keep(task, judged, code) : null };
  }

  /** Somebody by name: she has no code, or it is revoked and the checker knows her. */
  async tick(person: Listed, code: string | null = null): Promise<Outcome | null> {
    const { index, standings, scans, task } = this;
    if (!index || !standings || !task) return null;
    const judged = judgePerson(person, task, { index, standings, scans });
    const taken = judged.verdict !== 'again';
    return { judged, code, scan: taken ? await this.keep(task, judged, code) : null };
  }

  /** Takes a scan out that was never sent; false: the server may have it, and must be told more. */
  undo({ id }: Scan): Promise<boolean> {
    return this.inTurn(async () => {
      const scan = this.scans.find((one) => one.id === id);
      if (scan?.state !== 'saved') return false;
      await this.put({ ...scan, undone: true });
      if ((await this.carrier.takeBack(id)) === 'out') return true;
      await this.put({ ...scan, undone: undefined });
      return false;
    });
  }

  /** Says what is true instead of a scan that was sent. */
  async correct(wrong: Scan, task: Task): Promise<void> {
    const before = (wrong.ref && this.standings?.get(wrong.ref)) || null;
    const judged = { verdict: 'good' as const, person: null, before, earlier: null, newer: false };
    await this.keep(task, judged, null, { ref: wrong.ref, corrects: wrong.id });
  }

  retry(scan: Scan): Promise<void> {
    return this.inTurn(async () => {
      const entry = (await this.carrier.read()).find(({ body }) => body.id === scan.id);
      await this.put({ ...scan, state: 'saved', problem: undefined });
      if (entry) await this.carrier.retry(this.author, entry);
    });
  }

  /** Puts away what the server did not take. */
  discard(scan: Scan): Promise<void> {
    return this.inTurn(async () => {
      await this.put({ ...scan, undone: true });
      const entry = (await this.carrier.read()).find(({ body }) => body.id === scan.id);
      if (entry) await this.carrier.discard(entry);
    });
  }

  /** What became of each. */
  settle(): Promise<void> {
    return this.inTurn(async () => {
      const entries = new Map((await this.carrier.read()).map((one) => [one.body.id, one]));
      for (const scan of this.scans.filter(({ state }) => state === 'saved'))
        await this.settleOne(scan, entries.get(scan.id));
    });
  }

  /**
   * A scan whose report is not on its way, because the page was killed between the two writes, is set
   * on its way again: under the same id it counts once.
   */
  private async settleOne(scan: Scan, entry: StageEntry | undefined): Promise<void> {
    const { epoch } = this;
    if (entry?.state === 'received') {
      const ref = scan.ref ?? entry.body.for ?? null;
      await this.put({ ...scan, undone: undefined, state: 'received', ref, epoch });
      await this.carrier.discard(entry);
    } else if (entry?.state === 'refused') {
      await this.put({ ...scan, state: 'refused', problem: entry.problem });
    } else if (scan.undone) {
      if ((await this.carrier.takeBack(scan.id)) === 'sent')
        await this.put({ ...scan, undone: undefined });
    } else if (!entry) {
      await this.carrier.write(this.author, reportOf(scan));
      this.carrier.sendSoon(this.author);
    }
  }

  /** Nothing of other people stays in this page. */
  forget(): void {
    [this.kept, this.keys, this.task] = [null, new Map(), null];
  }

  private async take(kept: KeptList | null): Promise<void> {
    this.keys = await loadKeys(kept?.list.keys ?? []);
    this.kept = kept;
  }

  private async failed(failure: Error): Promise<void> {
    const gone = failure instanceof Problem && [401, 403, 404].includes(failure.status);
    this.trouble = gone ? 'not_hers' : failure instanceof Problem ? 'refused' : 'offline';
    if (!gone || !this.movement) return;
    await this.sealed.remove(listRow(this.movement));
    this.forget();
  }

  /** The scan first, then its report: what is lost between the two is found again. */
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
    await this.inTurn(async () => {
      await this.put(scan);
      await this.carrier.write(this.author, reportOf(scan));
    });
    setTimeout(() => this.carrier.sendSoon(this.author), HOLD_MS);
    return scan;
  }

  /** One change of what is kept after the other. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async put(scan: Scan): Promise<void> {
    this.scans = [...this.scans.filter(({ id }) => id !== scan.id), scan];
    await this.sealed.put(scanRow(scan.movement, scan.id), scan);
    this.durable = this.sealed.durable;
  }
}
