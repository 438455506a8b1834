import { asFailure, type Failure } from '@muster/shared/api/problem.ts';

const PACE_MS = 2_000;
const EVERY_MS = 60_000;
const RETRY_MS = 5_000;

/**
 * Something read anew when the board has moved, at most every two seconds; what was there stays on
 * screen. A read under way is never thrown away for a newer wish: in a storm none would ever end.
 * One that brought nothing is tried again in a few seconds.
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

  loadSoon(ms = PACE_MS): void {
    if (!this.stopped) this.waiting ??= setTimeout(() => void this.load(), ms);
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
    } finally {
      this.fetching = false;
      if (this.again || this.trouble) this.loadSoon(this.trouble ? RETRY_MS : PACE_MS);
      this.again = false;
    }
  }
}
