import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Api } from '@muster/shared/api/client.ts';
import { Problem, Unreachable } from '@muster/shared/api/problem.ts';
import type { Checkin, CheckinResult } from '@muster/shared/api/types.ts';
import { Outbox, type Line } from '../src/transport/outbox.ts';
import { checkins, type Sent } from '../src/transport/sending.ts';
import { Store } from '../src/transport/store.ts';

const ME = 'P1';

/** A server that records by id as the contract says, behind a network that can be told to fail. */
class Records {
  readonly kept = new Map<string, Checkin>();
  readonly order: string[] = [];
  next: (items: Checkin[]) => 'take' | 'lose' | 'drop' | Problem = () => 'take';
  refuse: (item: Checkin) => boolean = () => false;

  readonly send = async (items: Checkin[]): Promise<Sent> => {
    const luck = this.next(items);
    if (luck instanceof Problem) return { kind: 'failed', failure: luck };
    if (luck === 'drop') return { kind: 'failed', failure: new Unreachable('offline') };
    const results = items.map((item) => this.record(item));
    if (luck === 'lose') return { kind: 'failed', failure: new Unreachable('answer lost') };
    return { kind: 'answered', results };
  };

  /** The line of answers, with this server at its end. */
  get line(): Line<Checkin, CheckinResult> {
    return { ...checkins(null as unknown as Api), send: this.send };
  }

  private record(item: Checkin): CheckinResult {
    if (this.refuse(item)) {
      const error = { code: 'not_found', detail: 'No.', status: 404, retryable: false };
      return { id: item.id, error };
    }
    if (!this.kept.has(item.id)) this.order.push(item.id);
    this.kept.set(item.id, item);
    const { id, status, at } = item;
    return { id, person: ME, status, event_at: at, received_at: '2026-11-23T09:00:00Z' };
  }
}

function problem(status: number, retryable = false): Problem {
  return new Problem({
    status,
    code: 'x',
    title: 'x',
    type: 'about:blank',
    detail: 'x',
    retryable,
  });
}

let store: Store;
let records: Records;
let outbox: Outbox;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await Store.open();
  records = new Records();
  outbox = new Outbox(store, records.line);
});

const states = async () => (await store.entries()).map((entry) => entry.state);

describe('what is written', () => {
  test('is on disk before anything is sent, and stays there over a restart', async () => {
    await outbox.write(ME, { status: 'safe', note: 'cellar' });
    const reopened = await Store.open();
    const [entry] = await reopened.entries();
    expect(entry).toMatchObject({ author: ME, state: 'saved', body: { note: 'cellar' } });
    expect(records.kept.size).toBe(0);
  });

  test('goes out in the order of writing, with the time of each try', async () => {
    const times = ['2026-11-23T08:00:00.000Z', '2026-11-23T08:05:00.000Z'];
    outbox = new Outbox(store, records.line, undefined, () => new Date(times.shift() ?? 0));
    const [entry] = await outbox.write(ME, { status: 'away' });
    expect(await outbox.flush(ME)).toBe('empty');
    expect(records.kept.get(entry!.body.id)).toMatchObject({
      at: '2026-11-23T08:00:00.000Z',
      sent_at: '2026-11-23T08:05:00.000Z',
    });
  });

  test('loses place and note on this phone once the server has them', async () => {
    const place = { lat: 1, lon: 2, accuracy: 5 };
    const draft = { status: 'need_help', note: 'n', location: place } as const;
    const { body } = (await outbox.write(ME, draft))[0]!;
    await outbox.flush(ME);
    expect(records.kept.get(body.id)).toMatchObject({ note: 'n', location: place });
    const [entry] = await store.entries();
    expect(entry?.body).toEqual({ id: body.id, at: body.at, status: 'need_help' });
  });

  test('keeps only the newest received answer a person and roll call', async () => {
    for (const status of ['safe', 'away', 'safe'] as const) await outbox.write(ME, { status });
    await outbox.write(ME, { status: 'need_help', for: 'P2' });
    await outbox.flush(ME);
    const kept = (await store.entries()).map(({ body }) => [body.status, body.for]);
    expect(kept).toEqual([
      ['safe', undefined],
      ['need_help', 'P2'],
    ]);
  });
});

describe('failures', () => {
  test.each([
    ['no network', 'drop' as const],
    ['a lost answer', 'lose' as const],
    ['503', problem(503)],
    ['429', problem(429)],
    ['what the server calls retryable', problem(409, true)],
  ])('%s: it is kept and sent again under the same id', async (_name, luck) => {
    await outbox.write(ME, { status: 'safe' });
    records.next = () => luck;
    expect(await outbox.flush(ME)).toBe('later');
    expect(await states()).toEqual(['saved']);
    records.next = () => 'take';
    expect(await outbox.flush(ME)).toBe('empty');
    expect(await states()).toEqual(['received']);
    expect(records.order).toHaveLength(1);
  });

  test('a refused item is kept for its owner and holds up nothing', async () => {
    for (const status of ['safe', 'away', 'need_help'] as const)
      await outbox.write(ME, { status, for: status });
    records.refuse = (item) => item.status === 'away';
    expect(await outbox.flush(ME)).toBe('empty');
    expect((await states()).sort()).toEqual(['received', 'received', 'refused']);
    const refused = (await store.entries()).find((entry) => entry.state === 'refused')!;
    records.refuse = () => false;
    await outbox.again(refused);
    expect(await outbox.flush(ME)).toBe('empty');
    expect(await states()).not.toContain('refused');
  });

  test('a batch refused as a whole is halved until the bad one is found', async () => {
    const written: string[] = [];
    for (let i = 0; i < 7; i++)
      written.push((await outbox.write(ME, { status: 'safe', for: `P${i}` }))[0]!.body.id);
    const bad = written[4]!;
    records.next = (items) => (items.some(({ id }) => id === bad) ? problem(400) : 'take');
    expect(await outbox.flush(ME)).toBe('empty');
    expect(records.order).toEqual(written.filter((id) => id !== bad));
    const refused = (await store.entries()).filter((entry) => entry.state === 'refused');
    expect(refused.map((entry) => entry.body.id)).toEqual([bad]);
  });

  test('an unlinked phone keeps everything', async () => {
    await outbox.write(ME, { status: 'safe' });
    records.next = () => problem(401);
    expect(await outbox.flush(ME)).toBe('unlinked');
    expect(await states()).toEqual(['saved']);
  });

  test('nothing is sent under another name', async () => {
    await outbox.write('P9', { status: 'safe' });
    await outbox.write(ME, { status: 'safe' });
    await outbox.flush(ME);
    expect(records.kept.size).toBe(1);
    const [foreign] = await store.entries();
    expect(foreign).toMatchObject({ author: 'P9', state: 'refused' });
  });

  test('without a disk it is held in memory, which the screen can tell', async () => {
    globalThis.indexedDB = undefined as unknown as IDBFactory;
    store = await Store.open();
    outbox = new Outbox(store, records.line);
    await outbox.write(ME, { status: 'safe' });
    expect(store.durable).toBe(false);
    expect(await outbox.flush(ME)).toBe('empty');
    expect(await states()).toEqual(['received']);
  });
});

test('a disk that was let go of in the background is opened again', async () => {
  await outbox.write(ME, { status: 'safe' });
  vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => {
    throw new DOMException('closing', 'InvalidStateError');
  });
  await outbox.write(ME, { status: 'away' });
  expect(store.durable).toBe(true);
  expect(await (await Store.open()).entries()).toHaveLength(2);
});

test('a full disk makes neither an endless sending, nor unsent what was sent', async () => {
  const line = { ...records.line, marks: true } as const;
  const [written] = await new Outbox(store, line).write(ME, { status: 'safe' });
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError');
  });
  expect(await new Outbox(store, line).flush(ME)).toBe('empty');
  vi.restoreAllMocks();
  expect(await states()).toEqual(['received']);
  expect(await store.takeBack(({ id }) => id === written!.body.id)).toBe('sent');
});

test('whatever the network does, everything written arrives once and in order', async () => {
  const luck = fc.constantFrom('take', 'lose', 'drop', 'busy');
  const act = fc.oneof(fc.constant('write'), fc.constant('flush'), fc.constant('restart'));
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 30 }),
      fc.infiniteStream(luck),
      async (acts, lucks) => {
        globalThis.indexedDB = new IDBFactory();
        store = await Store.open();
        records = new Records();
        records.next = () => {
          const drawn = lucks.next().value;
          return drawn === 'busy' ? problem(503) : drawn;
        };
        outbox = new Outbox(store, records.line);
        const written: string[] = [];
        for (const one of acts) {
          if (one === 'write')
            written.push(
              (await outbox.write(ME, { status: 'safe', for: `P${written.length}` }))[0]!.body.id,
            );
          else if (one === 'flush') await outbox.flush(ME);
          else outbox = new Outbox((store = await Store.open()), records.line);
        }
        records.next = () => 'take';
        expect(await outbox.flush(ME)).toBe('empty');
        expect(records.order).toEqual(written);
        expect(await states()).toEqual(written.map(() => 'received'));
      },
    ),
    { numRuns: 60 },
  );
});
