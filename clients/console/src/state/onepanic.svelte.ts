import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem, type Failure } from '@muster/shared/api/problem.ts';
import type {
  Operator,
  Panic,
  PanicDetail,
  PanicExport,
  PanicOutcome,
  PanicPosition,
  PanicReason,
  PersonInFull,
} from '@muster/shared/api/types.ts';
import {
  endPanic,
  exportPanic,
  handOverPanic,
  listOperators,
  readPanic,
  readPerson,
} from '../transport/panics.ts';

const SOON_MS = 250;
const EVERY_MS = 20_000;

/** One panic on screen: its timeline follows events; its positions are read only when asked for. */
export class OnePanic {
  detail = $state.raw<PanicDetail | null>(null);
  person = $state.raw<PersonInFull | null>(null);
  operators = $state.raw<Operator[]>([]);
  positions = $state.raw<PanicPosition[] | null>(null);
  /** it is not there, or not for this caller */
  gone = $state(false);
  /** what is shown could not be read anew */
  failed = $state(false);
  working = $state(false);
  trouble = $state.raw<Failure | null>(null);

  private turn = 0;
  private soon: ReturnType<typeof setTimeout> | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly api: Api,
    readonly id: string,
    private readonly onChanged: (panic: Panic) => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.loadSoon(), EVERY_MS);
    void this.load();
    void this.attempt(async () => (this.operators = await listOperators(this.api)));
  }

  stop(): void {
    clearInterval(this.timer);
    clearTimeout(this.soon);
    this.turn += 1;
  }

  loadSoon(): void {
    this.soon ??= setTimeout(() => void this.load(), SOON_MS);
  }

  /** Reads the positions, which the server writes down with the reason. */
  look(reason: PanicReason): Promise<boolean> {
    return this.act(async () => {
      const detail = await readPanic(this.api, this.id, reason);
      this.positions = detail.positions ?? null;
      this.detail = detail;
    });
  }

  handOver(operator: number): Promise<boolean> {
    return this.act(async () => this.changed(await handOverPanic(this.api, this.id, operator)));
  }

  end(verb: 'resolve' | 'close', outcome: PanicOutcome, note: string): Promise<boolean> {
    return this.act(async () =>
      this.changed(await endPanic(this.api, this.id, verb, outcome, note)),
    );
  }

  /** The record as a file or on paper; null where it could not be read. */
  async record(): Promise<PanicExport | null> {
    let found: PanicExport | null = null;
    await this.act(async () => {
      found = await exportPanic(this.api, this.id);
      this.loadSoon();
    });
    return found;
  }

  private async load(): Promise<void> {
    clearTimeout(this.soon);
    this.soon = undefined;
    const turn = ++this.turn;
    try {
      const detail = await readPanic(this.api, this.id);
      if (turn !== this.turn) return;
      this.detail = detail;
      this.failed = false;
      const { ref } = detail.person;
      if (!this.person)
        await this.attempt(async () => (this.person = await readPerson(this.api, ref)));
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (turn !== this.turn) return;
      this.gone = failure instanceof Problem && failure.status === 404;
      this.failed = true;
    }
  }

  private changed(panic: Panic): void {
    this.onChanged(panic);
    this.loadSoon();
  }

  private async act(work: () => Promise<void>): Promise<boolean> {
    this.working = true;
    this.trouble = null;
    try {
      await work();
      return true;
    } catch (thrown) {
      this.trouble = asFailure(thrown);
      this.loadSoon();
      return false;
    } finally {
      this.working = false;
    }
  }

  private async attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      asFailure(thrown);
    }
  }
}
