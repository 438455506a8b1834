import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type {
  Alert,
  AlertEvent,
  Area,
  CheckinEvent,
  HeadcountEvent,
} from '@muster/shared/api/types.ts';
import { Live, type LiveState } from '@muster/shared/stream/live.ts';
import type { StreamMessage } from '@muster/shared/stream/sequence.ts';
import {
  closeAlert,
  listAlerts,
  readHeadcount,
  readPlaces,
  type Places,
} from '../transport/calls.ts';
import { addEvent, addSnapshot, agrees, fromSnapshot, type Board } from './headcount.ts';

const REFETCH_MS = 5_000;

/** Everything the board shows, kept current by the stream and proved by refetches. */
export class Watch {
  alerts = $state.raw<Alert[]>([]);
  boards = $state.raw<ReadonlyMap<string, Board>>(new Map());
  places = $state.raw<Places>({ areas: [], agencies: [], tree: [] });
  selected = $state<string | null>(null);
  line = $state<LiveState>('connecting');
  /** seconds since the server last proved that this is current; null: never */
  age = $state<number | null>(null);
  repairing = $state(false);
  onCheckin: (event: CheckinEvent) => void = () => undefined;
  /** what is no part of the board, with what it says and its number; `any`: something was missed */
  onNews: (kind: string, data?: unknown, id?: number) => void = () => undefined;

  private live: Live | null = null;
  private readonly dirty = new Set<string>();
  private readonly timers: ReturnType<typeof setInterval>[] = [];

  constructor(
    readonly api: Api,
    private readonly onEnded: () => void,
  ) {}

  async start(): Promise<void> {
    this.timers.push(setInterval(() => this.tick(), 1_000));
    this.timers.push(setInterval(() => void this.refetchChanged(), REFETCH_MS));
    await this.repair();
    this.live = new Live({
      url: '/v1/stream',
      after: this.oldestSeq(),
      onMessage: (message) => this.take(message),
      onGap: () => this.missed(),
      onState: (state) => this.lineChanged(state),
    });
    this.places = (await this.attempt(() => readPlaces(this.api))) ?? this.places;
  }

  stop(): void {
    this.live?.close();
    this.timers.forEach(clearInterval);
  }

  get alert(): Alert | null {
    return this.alerts.find((alert) => alert.id === this.selected) ?? null;
  }

  get board(): Board | null {
    return this.boards.get(this.selected ?? '') ?? null;
  }

  get areas(): Area[] {
    return this.places.areas;
  }

  async select(id: string | null): Promise<void> {
    this.selected = id;
    if (id) await this.refetch(id);
  }

  async close(id: string): Promise<boolean> {
    const closed = await this.attempt(() => closeAlert(this.api, id));
    if (closed) this.upsert(closed);
    if (closed) await this.refetch(id);
    return closed !== undefined;
  }

  /** Puts in an alert this console has just opened. */
  async opened(alert: Alert): Promise<void> {
    this.upsert(alert);
    await this.select(alert.id);
  }

  private take(message: StreamMessage): void {
    const data: unknown = message.data;
    if (message.kind === 'headcount') this.count(message.id, data as HeadcountEvent);
    else if (message.kind === 'alert') this.changed((data as AlertEvent).alert);
    else if (message.kind === 'checkin') this.onCheckin(data as CheckinEvent);
    else this.onNews(message.kind, data, message.id);
  }

  private count(id: number, event: HeadcountEvent): void {
    const board = this.boards.get(event.alert_id);
    this.dirty.add(event.alert_id);
    if (!board) return;
    const next = addEvent(board, id, event);
    this.keep(event.alert_id, next);
    if (next !== board && !agrees(next, event)) void this.refetch(event.alert_id);
  }

  private changed(alert: Alert): void {
    this.upsert(alert);
    void this.refetch(alert.id);
  }

  private upsert(alert: Alert): void {
    const others = this.alerts.filter((other) => other.id !== alert.id);
    this.alerts = [alert, ...others].sort((a, b) => b.created_at.localeCompare(a.created_at));
    this.selected ??= isOpen(alert) ? alert.id : null;
  }

  private keep(id: string, board: Board): void {
    this.boards = new Map(this.boards).set(id, board);
  }

  /** Fetches everything anew: at the start, after a gap and after each reconnect. */
  private async repair(): Promise<void> {
    this.repairing = true;
    const alerts = await this.attempt(() => listAlerts(this.api));
    if (alerts) {
      this.alerts = alerts;
      const open = alerts.filter(isOpen).map((alert) => alert.id);
      this.selected ??= mostUrgent(alerts)?.id ?? null;
      const wanted = new Set(this.selected ? [...open, this.selected] : open);
      for (const id of wanted) await this.refetch(id);
    }
    this.repairing = false;
  }

  private async refetch(id: string): Promise<void> {
    this.dirty.delete(id);
    const snapshot = await this.attempt(() => readHeadcount(this.api, id));
    if (!snapshot) return;
    const board = this.boards.get(id);
    this.keep(id, board ? addSnapshot(board, snapshot) : fromSnapshot(snapshot));
  }

  /** Parity and late answers are not in the events: fetch them, at most every five seconds. */
  private async refetchChanged(): Promise<void> {
    for (const id of [...this.dirty])
      if (id === this.selected || !this.boards.has(id)) await this.refetch(id);
  }

  private lineChanged(state: LiveState): void {
    const back = state === 'live' && this.line !== 'live';
    this.line = state;
    if (state === 'ended') this.onEnded();
    // what was opened between the first fetch and the open line would otherwise stay unseen
    else if (back) this.missed();
    this.tick();
  }

  private missed(): void {
    void this.repair();
    this.onNews('any');
  }

  private tick(): void {
    const at = this.live?.lastByteAt ?? null;
    this.age = at === null ? null : Math.max(0, (performance.now() - at) / 1_000);
  }

  private oldestSeq(): number | null {
    const seqs = [...this.boards.values()].map((board) => board.snapshot.seq);
    return seqs.length ? Math.min(...seqs) : null;
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure instanceof Problem && failure.status === 401) this.onEnded();
      return undefined;
    }
  }
}

/** The open roll call to show first: actual before exercise, the newest of them. */
function mostUrgent(alerts: Alert[]): Alert | undefined {
  const open = alerts.filter((alert) => isOpen(alert) && alert.kind === 'rollcall');
  return open.find((alert) => !alert.exercise) ?? open[0];
}

export function isOpen(alert: Alert): boolean {
  return alert.state === 'open' || alert.state === 'preparing' || alert.state === 'pending_release';
}
