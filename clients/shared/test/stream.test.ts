import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Live, type LiveState } from '../src/stream/live.ts';
import { EventParser } from '../src/stream/parse.ts';
import { step, type StreamMessage } from '../src/stream/sequence.ts';

const WIRE =
  ': hello\n\nid: 7\nevent: headcount\ndata: {"from":6}\n\n:beat\r\n\r\nid:8\r\nevent:alert\r\ndata: {\r\ndata: "from":8}\r\n\r\n';

test('events come out the same however the bytes are cut', () => {
  const whole = new EventParser().push(WIRE);
  expect(whole).toEqual([
    { id: '7', event: 'headcount', data: '{"from":6}' },
    { id: '8', event: 'alert', data: '{\n"from":8}' },
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(WIRE.length)), (cuts) => {
      const parser = new EventParser();
      const ends = [...cuts, WIRE.length].sort((a, b) => a - b);
      const events = ends.flatMap((end, i) => parser.push(WIRE.slice(ends[i - 1] ?? 0, end)));
      expect(events).toEqual(whole);
    }),
  );
});

function message(from: number, id: number): StreamMessage {
  return { id, kind: 'headcount', data: { from } };
}

test('a message is next, known or after a gap', () => {
  expect(step(null, message(9, 9))).toBe('next');
  expect(step(5, message(6, 6))).toBe('next');
  expect(step(5, message(6, 9))).toBe('next');
  expect(step(5, message(3, 8))).toBe('next');
  expect(step(5, message(3, 5))).toBe('known');
  expect(step(5, message(7, 9))).toBe('gap');
});

/** A server at the end of a wire: what it is asked, and the streams it answers with. */
class Wire {
  asked: { url: string; lastId: string | null }[] = [];
  private line: ReadableStreamDefaultController<Uint8Array> | null = null;
  status = 200;

  readonly fetch = ((url: string, init: RequestInit) => {
    this.asked.push({ url, lastId: new Headers(init.headers).get('Last-Event-ID') });
    const body = new ReadableStream<Uint8Array>({ start: (line) => void (this.line = line) });
    init.signal?.addEventListener('abort', () => this.cut());
    const headers = { 'content-type': 'text/event-stream' };
    return Promise.resolve(new Response(body, { status: this.status, headers }));
  }) as typeof fetch;

  say(text: string): Promise<unknown> {
    this.line?.enqueue(new TextEncoder().encode(text));
    return vi.advanceTimersByTimeAsync(0);
  }

  event(from: number, id: number, kind = 'headcount'): Promise<unknown> {
    return this.say(`id: ${id}\nevent: ${kind}\ndata: {"from":${from}}\n\n`);
  }

  cut(): void {
    try {
      this.line?.error(new TypeError('network'));
    } catch {
      // already closed
    }
    this.line = null;
  }
}

let wire: Wire;
let live: Live;
let got: number[];
let gaps: string[];
let states: LiveState[];

function open(after: number | null): Promise<unknown> {
  live = new Live({
    url: '/v1/stream',
    after,
    fetch: wire.fetch,
    onMessage: (one) => got.push(one.id),
    onGap: (why) => gaps.push(why),
    onState: (state) => states.push(state),
  });
  return vi.advanceTimersByTimeAsync(0);
}

describe('the live line', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    wire = new Wire();
    [got, gaps, states] = [[], [], []];
  });
  afterEach(() => {
    live.close();
    vi.useRealTimers();
  });

  test('asks from the last number it knows, again after a cut', async () => {
    await open(4);
    await wire.event(5, 6);
    wire.cut();
    await vi.advanceTimersByTimeAsync(12_000);
    await wire.event(7, 7);
    expect(wire.asked.map((ask) => ask.url)).toEqual(['/v1/stream?after=4', '/v1/stream?after=6']);
    expect(wire.asked[1]?.lastId).toBe('6');
    expect([got, gaps]).toEqual([[6, 7], []]);
  });

  test('says so when numbers are missing, and passes no message twice', async () => {
    await open(4);
    await wire.event(5, 5);
    await wire.event(5, 5);
    await wire.event(8, 9);
    await wire.event(10, 10, 'resync');
    expect([got, gaps]).toEqual([
      [5, 9],
      ['gap', 'resync'],
    ]);
  });

  test('a line without a byte turns stale and is cut; a heartbeat is a byte', async () => {
    await open(null);
    for (let i = 0; i < 4; i++) {
      await vi.advanceTimersByTimeAsync(10_000);
      await wire.say(': beat\n\n');
    }
    expect(states).toEqual(['connecting', 'live']);
    await vi.advanceTimersByTimeAsync(17_000);
    expect(states.at(-1)).toBe('stale');
    expect(wire.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(wire.asked.length).toBeGreaterThan(1);
    expect(states.at(-1)).toBe('live');
  });

  test('ends where the session has ended', async () => {
    wire.status = 401;
    await open(null);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states).toEqual(['connecting', 'ended']);
    expect(wire.asked).toHaveLength(1);
  });
});
