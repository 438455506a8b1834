import { asFailure } from '@muster/shared/api/problem.ts';

const SOON_MS = 300;

/**
 * A list fetched again and again, and heard about in between. What is heard while a fetch is under
 * way may be newer or older than what it brings: it is kept, and fetched once more.
 */
export class Listening<Item> {
  /** when the newest complete list was asked for (this console's clock); null: never */
  at = $state<number | null>(null);
  /** seconds since then */
  age = $state(0);
  /** the last attempt brought nothing */
  failed = $state(false);

  private turn = 0;
  private fetching = false;
  private heard = new Set<string>();
  private soon: ReturnType<typeof setTimeout> | undefined;
  private due = 0;
  private readonly timers: ReturnType<typeof setInterval>[] = [];

  constructor(
    private readonly fetch: () => Promise<Item[]>,
    /** takes a list and the ids that were heard of while it was fetched */
    private readonly keep: (list: Item[], heard: ReadonlySet<string>) => void,
    private readonly everyMs: number,
    /** how soon it is fetched once more when something was heard meanwhile */
    private readonly againMs = SOON_MS,
  ) {}

  /** Whether there may be more by now than is shown: never read, or not for a round or two. */
  get unsure(): boolean {
    if (this.at === null) return this.failed;
    return this.age * 1_000 > 2 * this.everyMs + 15_000;
  }

  start(): void {
    this.timers.push(setInterval(() => void this.load(), this.everyMs));
    this.timers.push(setInterval(() => this.tick(), 1_000));
    void this.load();
  }

  stop(): void {
    this.timers.forEach(clearInterval);
    clearTimeout(this.soon);
    this.turn += 1;
  }

  hear(id: string): void {
    if (this.fetching) this.heard.add(id);
  }

  /** Fetches it anew after so long at the latest; many wishes are one. */
  loadSoon(ms = SOON_MS): void {
    const due = performance.now() + ms;
    if (this.soon !== undefined && this.due <= due) return;
    clearTimeout(this.soon);
    this.due = due;
    this.soon = setTimeout(() => void this.load(), ms);
  }

  async load(): Promise<void> {
    clearTimeout(this.soon);
    this.soon = undefined;
    const turn = ++this.turn;
    const asked = Date.now();
    const heard = (this.heard = new Set<string>());
    this.fetching = true;
    try {
      const list = await this.fetch();
      if (turn !== this.turn) return;
      this.keep(list, heard);
      this.at = asked;
      this.failed = false;
      if (heard.size) this.loadSoon(this.againMs);
    } catch (thrown) {
      asFailure(thrown);
      if (turn === this.turn) this.failed = true;
    }
    if (turn === this.turn) this.fetching = false;
    this.tick();
  }

  private tick(): void {
    this.age = this.at === null ? 0 : Math.max(0, (Date.now() - this.at) / 1_000);
  }
}
