import type { StageReport } from '@muster/shared/api/types.ts';
import { scanRow } from '../../transport/checklist.ts';
import { HOLD_MS } from '../../transport/scans.ts';
import type { SealedStore } from '../../transport/sealed.ts';
import type { StageEntry } from '../../transport/stages.ts';
import type { TakenBack } from '../../transport/store.ts';
import { reportOf, scanOf, type Scan } from './scans.ts';

/** What carries scans to the server: an outbox of stage reports. */
export interface Carrier {
  /** whether the disk takes what is written */
  durable: boolean;
  read(): Promise<StageEntry[]>;
  /** saves it, and sends nothing yet */
  write(author: string, report: Omit<StageReport, 'sent_at'>): Promise<void>;
  sendSoon(author: string): void;
  takeBack(id: string): Promise<TakenBack>;
  retry(author: string, entry: StageEntry): Promise<void>;
  discard(...entries: StageEntry[]): Promise<void>;
}

/** So many are settled in one turn: whoever is scanned meanwhile waits for no more than these. */
const FEW = 20;

/**
 * All that one checker scanned and this phone still keeps, of whatever movement. What lies sealed on
 * the disk counts, not what this page remembers of it: another tab may have settled it, or taken it out.
 */
export class Log {
  all = $state.raw<readonly Scan[]>([]);
  durable = $state(true);
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly author: string,
    private readonly sealed: SealedStore,
    private readonly carrier: Carrier,
    /** how many lists were asked for so far */
    private readonly epoch: () => number,
  ) {}

  /** One change of what is kept after the other. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  reload(): Promise<void> {
    return this.inTurn(async () => {
      const rows = await this.sealed.all<Scan>('scan ');
      this.all = rows.filter(({ author }) => author === this.author);
      this.noteDisk();
    });
  }

  /** In a turn: the scan first, then its report; what is lost between the two is found again. */
  async keep(scan: Scan): Promise<void> {
    await this.put(scan);
    await this.carrier.write(this.author, reportOf(scan));
    this.noteDisk();
    setTimeout(() => this.carrier.sendSoon(this.author), HOLD_MS);
  }

  /** Takes a scan out that was never sent; false: the server may have it, and must be told more. */
  undo({ movement, id }: Scan): Promise<boolean> {
    return this.inTurn(async () => {
      const scan = await this.sealed.get<Scan>(scanRow(movement, id));
      if (!scan) this.see([id, null]);
      else if (scan.state !== 'saved') this.see([id, scan]);
      if (scan?.state !== 'saved') return !scan;
      const written = await this.entry(id);
      await this.put({ ...scan, undone: true });
      const taken = await this.carrier.takeBack(id);
      if (taken === 'out' || (taken === 'gone' && !written)) {
        await this.drop(scan);
        return true;
      }
      await this.put({ ...scan, undone: undefined });
      return false;
    });
  }

  retry(scan: Scan): Promise<void> {
    return this.inTurn(async () => {
      const entry = await this.entry(scan.id);
      await this.put({ ...scan, state: 'saved', problem: undefined });
      if (entry) await this.carrier.retry(this.author, entry);
    });
  }

  /** Puts away what the server did not take. */
  discard(scan: Scan): Promise<void> {
    return this.inTurn(async () => {
      await this.put({ ...scan, undone: true });
      const entry = await this.entry(scan.id);
      if (entry) await this.carrier.discard(entry);
      await this.drop(scan);
    });
  }

  /** What became of each. */
  async settle(): Promise<void> {
    const seen = new Set<string>();
    while (await this.inTurn(() => this.settleFew(seen)));
  }

  /** Whether there may be more. */
  private async settleFew(seen: Set<string>): Promise<boolean> {
    const own = (await this.carrier.read()).filter(({ author }) => author === this.author);
    const entries = new Map(own.map((entry) => [entry.body.id, entry]));
    const scans = new Map(this.all.map((scan) => [scan.id, scan]));
    const open = [...new Set([...scans.keys(), ...entries.keys()])].filter(
      (id) => !seen.has(id) && isOpen(scans.get(id), entries.get(id)),
    );
    const done: StageEntry[] = [];
    const changed: [string, Scan | null][] = [];
    for (const id of open.slice(0, FEW)) {
      seen.add(id);
      const entry = entries.get(id);
      changed.push([id, await this.settleOne((scans.get(id) ?? entry?.body)!, entry)]);
      if (entry && entry.state !== 'saved' && !isRefused(changed.at(-1)![1])) done.push(entry);
    }
    this.see(...changed);
    if (done.length) await this.carrier.discard(...done);
    return open.length > FEW;
  }

  /** What is to be known of it from now on; null: nothing. */
  private async settleOne(
    { movement, id }: { movement: string; id: string },
    entry: StageEntry | undefined,
  ): Promise<Scan | null> {
    const row = await this.sealed.get<Scan>(scanRow(movement, id));
    const scan = row ?? (entry ? scanOf(entry) : null);
    // another tab took it out
    if (!scan) return null;
    if (entry?.state === 'received' && scan.state !== 'received') {
      const ref = scan.ref ?? entry.body.for ?? null;
      const epoch = this.epoch();
      return this.write({ ...scan, undone: undefined, state: 'received', ref, epoch });
    }
    if (scan.undone) return this.takeOut(scan, entry);
    if (entry?.state === 'refused')
      return this.write({ ...scan, state: 'refused', problem: entry.problem });
    if (scan.state === 'saved' && !entry) await this.sendAnew(scan);
    if (!row) return this.write(scan);
    // a list of another tab says nothing of when this one asked for its own
    return scan.state === 'received' ? { ...scan, epoch: this.epoch() } : scan;
  }

  /**
   * Its report is not on its way, because the page was killed between the two writes: under the same id
   * it counts once.
   */
  private async sendAnew(scan: Scan): Promise<void> {
    await this.carrier.write(this.author, reportOf(scan));
    this.carrier.sendSoon(this.author);
  }

  /** It was being taken out, or put away, when the page was killed. */
  private async takeOut(scan: Scan, entry: StageEntry | undefined): Promise<Scan | null> {
    if (entry?.state === 'saved' && (await this.carrier.takeBack(scan.id)) === 'sent')
      return this.write({ ...scan, undone: undefined });
    await this.sealed.remove(scanRow(scan.movement, scan.id));
    return null;
  }

  private async entry(id: string): Promise<StageEntry | undefined> {
    return (await this.carrier.read()).find(({ body }) => body.id === id);
  }

  private async put(scan: Scan): Promise<void> {
    this.see([scan.id, scan]);
    await this.write(scan);
  }

  private async write(scan: Scan): Promise<Scan> {
    await this.sealed.put(scanRow(scan.movement, scan.id), scan);
    return scan;
  }

  private async drop({ movement, id }: Scan): Promise<void> {
    this.see([id, null]);
    await this.sealed.remove(scanRow(movement, id));
  }

  /** All at once, for each change is drawn. */
  private see(...changed: [string, Scan | null][]): void {
    if (!changed.length) return;
    const ids = new Set(changed.map(([id]) => id));
    const now = changed.flatMap(([, scan]) => scan ?? []);
    this.all = [...this.all.filter(({ id }) => !ids.has(id)), ...now];
  }

  private noteDisk(): void {
    this.durable = this.sealed.durable || this.carrier.durable;
  }
}

/** Whether something is to be done: one of the two says more than the other. */
function isOpen(scan: Scan | undefined, entry: StageEntry | undefined): boolean {
  if (!scan || scan.undone) return true;
  if (!entry) return scan.state === 'saved';
  return scan.state !== entry.state || entry.state === 'received';
}

function isRefused(scan: Scan | null): boolean {
  return scan?.state === 'refused';
}
