import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, expect, test, vi } from 'vitest';
import { createApi } from '@muster/shared/api/client.ts';
import { beginEnrolment, redeem } from '../src/transport/enrol.ts';
import { repeater } from '../src/transport/repeat.ts';
import { Store } from '../src/transport/store.ts';

const DEVICE = { device_id: 'd', token: 't', person: { ref: 'P1', name: 'Amina' } };

let store: Store;
let asked: { id: string; code: string }[];

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await Store.open();
  asked = [];
});

function api(answer: () => Response) {
  return createApi({
    baseUrl: 'http://muster.test',
    fetch: async (request) => {
      asked.push((await request.json()) as { id: string; code: string });
      return answer();
    },
  });
}

const json = (body: unknown, status: number) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
const linked = () => json(DEVICE, 201);
const lost = () => {
  throw new TypeError('network');
};
const refused = () =>
  json({ status: 404, code: 'not_found', detail: 'No.', retryable: false }, 404);

test('a code is redeemed and forgotten, the device is kept', async () => {
  await beginEnrolment(store, ' ABC ');
  expect(await redeem(store, api(linked))).toBe('linked');
  expect(asked[0]?.code).toBe('ABC');
  expect(await store.get('device')).toEqual(DEVICE);
  expect(await store.get('enrolment')).toBeNull();
});

test('after a lost answer the same code goes with the same id, also after a restart', async () => {
  await beginEnrolment(store, 'ABC');
  expect(await redeem(store, api(lost))).toBe('later');
  expect(await redeem(await Store.open(), api(linked))).toBe('linked');
  expect(asked[0]?.id).toBe(asked[1]?.id);
});

test('a refused code is not tried again', async () => {
  await beginEnrolment(store, 'ABC');
  expect(await redeem(store, api(refused))).toBe('refused');
  expect(await store.get('enrolment')).toBeNull();
});

test('work is repeated with growing pauses while there is more, one at a time', async () => {
  vi.useFakeTimers();
  let runs = 0;
  let more = true;
  const ask = repeater(async () => {
    runs += 1;
    await new Promise((done) => setTimeout(done, 10));
    return more;
  });
  ask();
  ask();
  await vi.advanceTimersByTimeAsync(15);
  expect(runs).toBe(2);
  await vi.advanceTimersByTimeAsync(120_000);
  const after = runs;
  expect(after).toBeGreaterThan(4);
  expect(after).toBeLessThan(12);
  more = false;
  ask();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(runs).toBe(after + 1);
  vi.useRealTimers();
});
