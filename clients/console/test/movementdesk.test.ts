/** What a desk keeps of movements between a bad network and a tired officer. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApi } from '@muster/shared/api/client.ts';
import { Unreachable } from '@muster/shared/api/problem.ts';
import type { Movement, MovementEvent, MovementVehicle, Mover } from '@muster/shared/api/types.ts';
import { Later } from '../src/state/later.svelte.ts';
import { nobody } from '../src/state/movement.ts';
import { MovementDesk } from '../src/state/movementdesk.svelte.ts';
import { Paced } from '../src/state/movementlists.svelte.ts';
import { RadioDesk } from '../src/state/movementradiodesk.svelte.ts';
import { Polled } from '../src/state/polled.svelte.ts';
import type { ServerTime } from '../src/state/servertime.svelte.ts';

const time = { exact: 0, now: 0 } as ServerTime;

/** A server that answers when it is told to; the addresses it was asked for. */
class Server {
  readonly asked: string[] = [];
  readonly sent: unknown[] = [];
  private readonly waiting: ((answer: Response) => void)[] = [];

  readonly api = createApi({
    baseUrl: 'http://server.invalid',
    timeoutMs: 600_000,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      this.asked.push(pathname + search);
      if (request.method !== 'GET') this.sent.push(await request.json());
      return new Promise((done) => this.waiting.push(done));
    },
  });

  /** Answers the oldest question that waits, or the next there is. */
  async answer(body: unknown, status = 200): Promise<void> {
    while (!this.waiting.length) await turns();
    this.waiting.shift()!(Response.json(body as object, { status }));
    await turns();
  }
}

/** What is under way and waits for no clock goes on. */
async function turns(): Promise<void> {
  for (let n = 0; n < 5; n += 1) await new Promise((done) => setImmediate(done));
}

const refusal = {
  code: 'unavailable',
  retryable: true,
  status: 503,
  title: 'Not now',
  detail: '-',
};

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the list of movements', () => {
  const movement = (unsettled: number, conflicts = 0) =>
    ({ id: 'm', state: 'active', unsettled, conflicts, overdue: 0, title: 'Out' }) as Movement;
  const event = (listed: number, conflicts: number): MovementEvent => ({
    from: 1,
    movement_id: 'm',
    plan: false,
    counts: { ...nobody(), listed },
    cells: [],
    vehicles: [],
    points: [],
    conflicts,
  });

  test('keeps what was heard while it was fetched, and is no storm of fetches', async () => {
    const server = new Server();
    const desk = new MovementDesk(server.api, time);
    desk.list.start();
    await server.answer({ items: [movement(9)], next: null });
    void desk.list.load();
    for (let id = 1; id <= 20; id += 1) {
      desk.take(event(9 - (id % 5), 2), id);
      await vi.advanceTimersByTimeAsync(250);
    }
    desk.take(event(4, 3), 21);
    await server.answer({ items: [movement(9)], next: null });
    expect([desk.movements[0]!.unsettled, desk.conflicts]).toEqual([4, 3]);
    expect(desk.waiting.conflicts).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(server.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(server.asked).toHaveLength(3);
    desk.list.stop();
  });

  test('a plan that changes is fetched at once, though another fetch is due later', async () => {
    const server = new Server();
    const desk = new MovementDesk(server.api, time);
    desk.list.start();
    await server.answer({ items: [movement(9)], next: null });
    void desk.list.load();
    desk.take(event(4, 3), 1);
    await server.answer({ items: [movement(4, 3)], next: null });
    desk.take({ ...event(4, 3), plan: true }, 2);
    await vi.advanceTimersByTimeAsync(400);
    expect(server.asked).toHaveLength(3);
    desk.list.stop();
  });
});

describe('a read that brought nothing', () => {
  test('of a board is tried again within seconds', async () => {
    const server = new Server();
    const desk = new MovementDesk(server.api, time);
    const one = desk.open('m');
    await server.answer(refusal, 503);
    expect([one.live, one.failed]).toEqual([null, true]);
    await vi.advanceTimersByTimeAsync(5_500);
    expect(server.asked).toHaveLength(2);
    desk.leave(one);
    await server.answer(refusal, 503);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.asked).toHaveLength(2);
  });

  test('of a list is tried again within seconds, and says so until then', async () => {
    const answers = [new Unreachable('cut'), ['Ada']];
    const list = new Paced(() => {
      const next = answers.shift()!;
      return next instanceof Unreachable ? Promise.reject(next) : Promise.resolve(next);
    });
    list.start();
    await vi.advanceTimersByTimeAsync(10);
    expect([list.data, list.trouble?.code]).toEqual([null, 'unreachable']);
    await vi.advanceTimersByTimeAsync(5_500);
    expect([list.data, list.trouble]).toEqual([['Ada'], null]);
    list.stop();
  });

  test('a slow answer is shown when it comes, however many newer ones are awaited', async () => {
    const answers: ((value: number) => void)[] = [];
    const polled = new Polled(() => new Promise<number>((done) => answers.push(done)), 60_000);
    for (let n = 0; n < 3; n += 1) void polled.load();
    answers[0]!(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(polled.data).toBe(1);
    answers[2]!(3);
    answers[1]!(2);
    await vi.advanceTimersByTimeAsync(0);
    expect(polled.data).toBe(3);
    polled.stop();
  });

  test('of a part of the console is told, and tried until it is there', async () => {
    let up = false;
    let tried = 0;
    const later = new Later(() => {
      tried += 1;
      return up ? Promise.resolve('page') : Promise.reject(new TypeError('cut'));
    });
    await later.start();
    expect([later.part, later.failed]).toEqual([null, true]);
    up = true;
    await vi.advanceTimersByTimeAsync(5_500);
    expect([later.part, later.failed, tried]).toEqual(['page', false, 2]);
    await later.start();
    expect(tried).toBe(2);
  });
});

describe('a report by radio', () => {
  const bus = { id: 'bus', number: 4, label: 'Bus' } as MovementVehicle;
  const mover = (ref: string) => ({ ref, name: `Name ${ref}`, vehicle_no: null }) as Mover;

  test('of a vehicle is never sent with the names of another word', async () => {
    const server = new Server();
    const radio = new RadioDesk(server.api, 'm', () => undefined);
    radio.takeVehicle(bus);
    const arrived = radio.choose('arrived');
    await server.answer({ items: [mover('P1'), mover('P2')], next: null });
    await arrived;
    expect([radio.refs, radio.ready]).toEqual([['P1', 'P2'], true]);
    const boarded = radio.choose('boarded');
    await radio.send();
    expect([radio.refs, radio.ready, server.sent]).toEqual([[], false, []]);
    await server.answer(refusal, 503);
    await boarded;
    await radio.send();
    expect([radio.ready, radio.trouble?.code, server.sent]).toEqual([false, 'unavailable', []]);
  });

  test('Enter takes nobody who was found by what is no longer typed', async () => {
    const server = new Server();
    const radio = new RadioDesk(server.api, 'm', () => undefined);
    radio.search('Al');
    await vi.advanceTimersByTimeAsync(300);
    await server.answer({ items: [mover('P1')], next: null });
    expect(radio.first?.ref).toBe('P1');
    radio.search('Ali');
    expect(radio.first).toBeNull();
    await vi.advanceTimersByTimeAsync(300);
    await server.answer({ items: [mover('P2')], next: null });
    expect(radio.first?.ref).toBe('P2');
  });

  test('says nothing that is no longer asked for, and is the same when it is sent again', async () => {
    const server = new Server();
    const radio = new RadioDesk(server.api, 'm', () => undefined);
    radio.takePerson(mover('P1'));
    await radio.choose('at_point');
    radio.point = 'gate';
    await radio.choose('staying');
    radio.reason = 'Keeps the radio.';
    await radio.choose('hibernating');
    radio.reason = 'At home.';
    for (const answer of [refusal, { items: [{ status: 201 }] }]) {
      const sending = radio.send();
      await server.answer(answer, answer === refusal ? 503 : 201);
      await sending;
    }
    const bodies = server.sent as { items: Record<string, unknown>[] }[];
    expect(bodies[0]!.items[0]).toMatchObject({ stage: 'hibernating', point: null, vehicle: null });
    const [first, again] = bodies.map(({ items }) => ({ ...items[0], sent_at: null }));
    expect(again).toEqual(first);
    expect([radio.done, radio.sent]).toEqual([1, false]);
  });
});
