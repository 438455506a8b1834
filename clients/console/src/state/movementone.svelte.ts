import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type { MovementEvent } from '@muster/shared/api/types.ts';
import { readBoard } from '../transport/movements.ts';
import { addBoard, addChange, fromBoard, tallies, type LiveMovement } from './movement.ts';
import type { ServerTime } from './servertime.svelte.ts';

const SOON_MS = 250;
/** what events do not carry (parity, split households) is fetched at most this often */
const CHANGED_MS = 5_000;
const EVERY_MS = 60_000;
const RETRY_MS = 5_000;

/** The board of one movement on screen, kept current by the stream and proved by refetches. */
export class OneMovement {
  live = $state.raw<LiveMovement | null>(null);
  /** it is not there, or not for this caller */
  gone = $state(false);
  /** the last attempt to read it anew brought nothing */
  failed = $state(false);

  private fetching = false;
  private again = false;
  private stopped = false;
  private readonly waiting = new Map<number, ReturnType<typeof setTimeout>>();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    readonly api: Api,
    readonly id: string,
    private readonly time: ServerTime,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.loadSoon(), EVERY_MS);
    void this.load();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    this.waiting.forEach(clearTimeout);
  }

  take(event: MovementEvent, id: number): void {
    // the first snapshot may be older than this: it is read once more after it
    if (!this.live) return this.loadSoon();
    const next = addChange(this.live, id, event, this.time.exact);
    const missed = next !== this.live && !tallies(next, event);
    this.live = next;
    this.loadSoon(missed || event.plan ? SOON_MS : CHANGED_MS);
  }

  /** Fetches it anew; many wishes in that time are one. */
  loadSoon(ms = SOON_MS): void {
    if (!this.stopped && !this.waiting.has(ms))
      this.waiting.set(
        ms,
        setTimeout(() => void this.load(), ms),
      );
  }

  async load(): Promise<void> {
    this.waiting.forEach(clearTimeout);
    this.waiting.clear();
    // the newer snapshot wins, so one under way is never thrown away: it would starve in a storm
    if (this.fetching) {
      this.again = true;
      return;
    }
    this.fetching = true;
    try {
      await this.fetch();
    } finally {
      this.fetching = false;
      if (this.again || this.failed) this.loadSoon(this.failed ? RETRY_MS : SOON_MS);
      this.again = false;
    }
  }

  private async fetch(): Promise<void> {
    try {
      const board = await readBoard(this.api, this.id);
      this.live = this.live ? addBoard(this.live, board) : fromBoard(board);
      this.failed = this.gone = false;
    } catch (thrown) {
      const failure = asFailure(thrown);
      this.gone = failure instanceof Problem && failure.status === 404;
      this.failed = true;
    }
  }
}
