import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import { readRoll, tickHeard } from '../transport/watches.ts';
import { answered, begun, failed, moved, signOf, ticked, type Roll } from './roll.ts';

const SOON_MS = 400;
const EVERY_MS = 15_000;

/** A roll being called. Other desks may tick it too. */
export class RollDesk {
  roll = $state.raw<Roll | null>(null);
  /** it could not be read, or not lately */
  failed = $state(false);
  gone = $state(false);

  private soon: ReturnType<typeof setTimeout> | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;
  private stopped = false;

  constructor(
    private readonly api: Api,
    readonly id: string,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.load(), EVERY_MS);
    void this.load();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    clearTimeout(this.soon);
  }

  loadSoon(): void {
    this.soon ??= setTimeout(() => void this.load(), SOON_MS);
  }

  move(by: 1 | -1): void {
    if (this.roll) this.roll = moved(this.roll, by);
  }

  select(watchId: string): void {
    if (this.roll) this.roll = { ...this.roll, current: watchId };
  }

  /** Ticks who is being called, and goes on to the next at once; the record follows. */
  async heard(watchId = this.roll?.current): Promise<void> {
    const name = this.roll?.check.names.find(({ watch_id }) => watch_id === watchId);
    if (!this.roll || !name || name.heard_at || !watchId) return;
    if (this.roll.ticks.get(watchId) === 'sending') return;
    this.roll = ticked(this.roll, watchId);
    try {
      const check = await tickHeard(this.api, this.id, signOf(name));
      if (this.roll) this.roll = answered(this.roll, check);
    } catch (thrown) {
      asFailure(thrown);
      if (this.roll) this.roll = failed(this.roll, watchId);
    }
  }

  private async load(): Promise<void> {
    clearTimeout(this.soon);
    this.soon = undefined;
    try {
      const check = await readRoll(this.api, this.id);
      if (this.stopped) return;
      this.roll = this.roll ? answered(this.roll, check) : begun(check);
      this.failed = false;
    } catch (thrown) {
      const failure = asFailure(thrown);
      this.gone = failure instanceof Problem && failure.status === 404;
      this.failed = true;
    }
  }
}
