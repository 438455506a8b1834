import type { Api } from '@muster/shared/api/client.ts';
import { better, readingOf, serverNow, type Reading } from './servertime.ts';

/** What is due, and how old things are, is counted by the server's clock, never by this computer's. */
export class ServerTime {
  /** in milliseconds, moving on each second */
  now = $state(Date.now());
  /** whether the server has told its time; until then it is this computer's */
  told = $state(false);

  private reading: Reading | null = null;
  private readonly asked = new Map<string, number>();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(api: Api) {
    api.use({
      onRequest: ({ id }) => void this.asked.set(id, performance.now()),
      onResponse: ({ id, response }) => this.hear(id, response.headers.get('date')),
      onError: ({ id }) => void this.asked.delete(id),
    });
  }

  start(): void {
    this.timer = setInterval(() => this.tick(), 1_000);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The server's time now, not only as of the last second. */
  get exact(): number {
    return this.reading ? serverNow(this.reading, performance.now()) : Date.now();
  }

  private hear(id: string, date: string | null): void {
    const asked = this.asked.get(id);
    this.asked.delete(id);
    if (asked === undefined) return;
    this.reading = better(this.reading, readingOf(date, asked, performance.now()));
    this.told = this.reading !== null;
    this.tick();
  }

  private tick(): void {
    this.now = this.exact;
  }
}
