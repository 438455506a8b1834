import { EventParser, type RawEvent } from './parse.ts';
import { step, type StreamMessage } from './sequence.ts';

export type LiveState = 'connecting' | 'live' | 'stale' | 'ended';

export interface LiveOptions {
  url: string;
  /** the last number already known; null: from now on */
  after: number | null;
  onMessage: (message: StreamMessage) => void;
  /** something is missing: refetch. Messages keep coming meanwhile. */
  onGap: (why: 'gap' | 'resync' | 'unreadable') => void;
  onState: (state: LiveState) => void;
  /** without a byte for this long, what is shown may be old; heartbeats come more often */
  staleMs?: number;
  fetch?: typeof fetch;
}

const LONGEST_WAIT = 10_000;

/** The operation's event stream, reopened for as long as it takes. */
export class Live {
  /** when the server last proved that what is shown is current, in `performance.now` time */
  lastByteAt: number | null = null;

  private last: number | null;
  private state: LiveState = 'connecting';
  private tries = 0;
  /** the request in flight, if any, and the last sign of life on it */
  private stop: AbortController | null = null;
  private signAt = 0;
  private reopen: ReturnType<typeof setTimeout> | undefined;
  private readonly watch: ReturnType<typeof setInterval>;
  private readonly staleMs: number;

  constructor(private readonly options: LiveOptions) {
    this.last = options.after;
    this.staleMs = options.staleMs ?? 15_000;
    this.watch = setInterval(() => this.checkAge(), 1_000);
    options.onState('connecting');
    void this.connect();
  }

  close(): void {
    clearInterval(this.watch);
    clearTimeout(this.reopen);
    this.state = 'ended';
    this.stop?.abort();
  }

  private async connect(): Promise<void> {
    this.stop = new AbortController();
    this.signAt = performance.now();
    const { signal } = this.stop;
    try {
      const response = await (this.options.fetch ?? fetch)(this.address(), {
        headers: this.headers(),
        signal,
        cache: 'no-store',
        credentials: 'same-origin',
      });
      if (response.status === 401 || response.status === 403) return this.end();
      const type = response.headers.get('content-type') ?? '';
      if (!response.ok || !response.body || !type.startsWith('text/event-stream'))
        throw new Error(`stream answered ${response.status}`);
      this.tries = 0;
      await this.consume(response.body);
    } catch {
      // every reason to be cut off has the same remedy: open it again
    }
    this.stop = null;
    if (this.state !== 'ended') this.later();
  }

  private address(): string {
    return this.last === null ? this.options.url : `${this.options.url}?after=${this.last}`;
  }

  private headers(): Record<string, string> {
    const accept = { Accept: 'text/event-stream' };
    return this.last === null ? accept : { ...accept, 'Last-Event-ID': String(this.last) };
  }

  private async consume(body: ReadableStream<Uint8Array>): Promise<void> {
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = body.getReader();
    this.heard();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.state === 'ended') return;
      for (const event of parser.push(decoder.decode(value, { stream: true }))) this.take(event);
      this.heard();
    }
  }

  private take(event: RawEvent): void {
    const message = readMessage(event);
    if (!message) return this.options.onGap('unreadable');
    if (message.kind === 'resync') {
      // its number may lie before what is known: a scope that changed, a record restored
      this.last = message.id;
      return this.options.onGap('resync');
    }
    const where = step(this.last, message);
    if (where === 'known') return;
    this.last = message.id;
    if (where === 'gap') this.options.onGap('gap');
    this.options.onMessage(message);
  }

  private heard(): void {
    this.lastByteAt = this.signAt = performance.now();
    this.enter('live');
  }

  private checkAge(): void {
    const now = performance.now();
    if (this.lastByteAt !== null && now - this.lastByteAt > this.staleMs) this.enter('stale');
    // a line that is open and silent is dead: cut it, which opens a new one
    if (this.stop && now - this.signAt > 2 * this.staleMs) this.stop.abort();
  }

  private later(): void {
    if (this.state === 'live') this.enter('connecting');
    // full jitter: after an outage five hundred consoles must not knock at once
    const wait = Math.random() * Math.min(LONGEST_WAIT, 500 * 2 ** this.tries);
    this.tries += 1;
    this.reopen = setTimeout(() => void this.connect(), wait);
  }

  private end(): void {
    this.close();
    this.options.onState('ended');
  }

  private enter(state: LiveState): void {
    if (this.state === state || this.state === 'ended') return;
    this.state = state;
    this.options.onState(state);
  }
}

function readMessage(event: RawEvent): StreamMessage | null {
  const id = Number(event.id);
  if (event.id === null || !Number.isSafeInteger(id)) return null;
  try {
    const data = JSON.parse(event.data) as StreamMessage['data'];
    return typeof data.from === 'number' ? { id, kind: event.event, data } : null;
  } catch {
    return null;
  }
}
