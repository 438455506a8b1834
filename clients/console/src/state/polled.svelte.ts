import { asFailure } from '@muster/shared/api/problem.ts';

const SOON_MS = 300;

/** Something fetched again and again, which always knows how old it is. */
export class Polled<T> {
  data = $state.raw<T | null>(null);
  /** when it was asked for (this console's clock); null: never */
  at = $state<number | null>(null);
  /** seconds since then */
  age = $state(0);

  private turn = 0;
  /** whose answer is shown: an older one is none any more, a newer one never waits for the newest */
  private shown = 0;
  private soon: ReturnType<typeof setTimeout> | undefined;
  private readonly timers: ReturnType<typeof setInterval>[] = [];

  constructor(
    private readonly fetch: () => Promise<T>,
    private readonly everyMs: number,
  ) {}

  /** Whether it is older than a round or two can explain. */
  get old(): boolean {
    return this.at !== null && this.age * 1_000 > 2 * this.everyMs + 15_000;
  }

  start(): void {
    this.timers.push(setInterval(() => void this.load(), this.everyMs));
    this.timers.push(setInterval(() => this.tick(), 1_000));
    void this.load();
  }

  stop(): void {
    this.timers.forEach(clearInterval);
    clearTimeout(this.soon);
    this.shown = ++this.turn;
  }

  loadSoon(): void {
    this.soon ??= setTimeout(() => void this.load(), SOON_MS);
  }

  async load(): Promise<void> {
    clearTimeout(this.soon);
    this.soon = undefined;
    const turn = ++this.turn;
    const asked = Date.now();
    try {
      const data = await this.fetch();
      if (turn > this.shown) [this.data, this.at, this.shown] = [data, asked, turn];
    } catch (thrown) {
      // what was there stays on screen and says how old it is
      asFailure(thrown);
    }
    this.tick();
  }

  private tick(): void {
    this.age = this.at === null ? 0 : Math.max(0, (Date.now() - this.at) / 1_000);
  }
}
