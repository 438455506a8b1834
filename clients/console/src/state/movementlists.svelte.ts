import { asFailure, type Failure } from '@muster/shared/api/problem.ts';

const PACE_MS = 2_000;
const EVERY_MS = 60_000;

/**
 * Something read anew when the board has moved, at most every two seconds; what was there stays on
 * screen. A read under way is never thrown away for a newer wish: in a storm none would ever end.
 */
export class Paced<T> {
  data = $state.raw<T | null>(null);
  /** when what is shown was asked for; null: never */
  at = $state<number | null>(null);
  trouble = $state.raw<Failure | null>(null);

  private fetching = false;
  private again = false;
  private stopped = false;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** @param clock what ages in it are counted by: the server's */
  constructor(
    private readonly fetch: () => Promise<T>,
    private readonly clock: () => number = Date.now,
  ) {}

  start(): void {
    this.timer ??= setInterval(() => this.loadSoon(), EVERY_MS);
    void this.load();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    clearTimeout(this.waiting);
  }

  loadSoon(): void {
    this.waiting ??= setTimeout(() => void this.load(), PACE_MS);
  }

  async load(): Promise<void> {
    clearTimeout(this.waiting);
    this.waiting = undefined;
    if (this.fetching) {
      this.again = true;
      return;
    }
    this.fetching = true;
    const asked = this.clock();
    try {
      const data = await this.fetch();
      if (!this.stopped) [this.data, this.at, this.trouble] = [data, asked, null];
    } catch (thrown) {
      this.trouble = asFailure(thrown);
    }
    this.fetching = false;
    if (!this.again || this.stopped) return;
    this.again = false;
    this.loadSoon();
  }
}
