import type { Api } from '@muster/shared/api/client.ts';
import { asFailure } from '@muster/shared/api/problem.ts';
import type { AlertTree } from '@muster/shared/api/types.ts';
import { openBranch, readAlertTree } from '../transport/calls.ts';
import { moves } from './branches.ts';

/** how often it is fetched while something is due, and after a failure */
const REFETCH_MS = 4_000;
/** after an event: several come at once */
const SOON_MS = 700;
const OLD_MS = 15_000;

/** The tree of one alert, kept current by refetches; every time in it is the server's. */
export class Cascade {
  tree = $state.raw<AlertTree | null>(null);
  /** the server's clock, in milliseconds, as far as this console can tell */
  now = $state(0);
  /** whether what is shown is older than it should be */
  old = $state(false);

  private fetchedAt = 0;
  private triedAt = 0;
  private failed = false;
  private turn = 0;
  private soon: ReturnType<typeof setTimeout> | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly api: Api,
    readonly alertId: string,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.tick(), 1_000);
    void this.load();
  }

  stop(): void {
    clearInterval(this.timer);
    clearTimeout(this.soon);
    this.turn += 1;
  }

  loadSoon(): void {
    this.soon ??= setTimeout(() => void this.load(), SOON_MS);
  }

  /** Opens a branch without waiting for its warden; whether the server did. */
  async open(node: string): Promise<boolean> {
    try {
      await openBranch(this.api, this.alertId, node);
    } catch (thrown) {
      asFailure(thrown);
      return false;
    }
    await this.load();
    return true;
  }

  private async load(): Promise<void> {
    clearTimeout(this.soon);
    this.soon = undefined;
    const turn = ++this.turn;
    const asked = (this.triedAt = performance.now());
    try {
      const tree = await readAlertTree(this.api, this.alertId);
      if (turn !== this.turn) return;
      this.tree = tree;
      this.fetchedAt = asked;
      this.failed = false;
    } catch (thrown) {
      asFailure(thrown);
      if (turn === this.turn) this.failed = true;
    }
    this.tick();
  }

  private tick(): void {
    const now = performance.now();
    const due = this.failed || (this.tree !== null && moves(this.tree));
    if (this.tree) this.now = Date.parse(this.tree.as_of) + now - this.fetchedAt;
    this.old = this.tree !== null && due && now - this.fetchedAt > OLD_MS;
    if (due && now - this.triedAt > REFETCH_MS) this.loadSoon();
  }
}
