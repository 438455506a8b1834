import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, test } from 'vitest';
import { createApi, type Api } from '@muster/shared/api/client.ts';
import { Problem, Unreachable } from '@muster/shared/api/problem.ts';
import type { StageReport, StageResult } from '@muster/shared/api/types.ts';
import { Outbox } from '../src/transport/outbox.ts';
import type { Sent } from '../src/transport/sending.ts';
import {
  openStages,
  stageOutbox,
  stageReports,
  type StageDraft,
  type StageStore,
} from '../src/transport/stages.ts';

const ME = 'P1';
const MOVEMENT = '3b0f8f3e-6a5e-4f0e-9a0e-1c9d0c6c2f10';
const RECEIVED = '2026-11-23T09:00:00Z';

const said = (more: Partial<StageDraft> = {}): StageDraft => ({
  movement: MOVEMENT,
  stage: 'ready',
  ...more,
});

/** What a server answers to a report: its person is named, by whatever the report says of her. */
function taken(item: StageReport, late = false): StageResult {
  const { id, stage, at } = item;
  const person = item.for ?? (item.code ? `of ${item.code}` : ME);
  return { id, person, stage, event_at: at, received_at: RECEIVED, late };
}

let store: StageStore;
let batches: StageReport[][];
let luck: (items: StageReport[]) => Problem | Unreachable | null;
let verdict: (item: StageReport) => StageResult;
let outbox: Outbox<StageReport, StageResult>;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await openStages();
  [batches, luck, verdict] = [[], () => null, taken];
  const send = async (items: StageReport[]): Promise<Sent<StageResult>> => {
    batches.push(items);
    const failure = luck(items);
    return failure
      ? { kind: 'failed', failure }
      : { kind: 'answered', results: items.map(verdict) };
  };
  outbox = new Outbox(store, { ...stageReports(null as unknown as Api), send });
});

const kept = async () => (await store.entries()).map(({ body, state }) => [body.for, state]);

describe('a household says one thing at once', () => {
  test('each of it is on disk under its own id and the same time before anything is sent', async () => {
    await outbox.write(ME, said(), said({ for: 'P2' }), said({ for: 'P3' }));
    const entries = await (await openStages()).entries();
    expect(entries.map(({ body }) => body.for)).toEqual([undefined, 'P2', 'P3']);
    expect(new Set(entries.map(({ body }) => body.id)).size).toBe(3);
    expect(new Set(entries.map(({ body }) => body.at)).size).toBe(1);
    expect(batches).toEqual([]);
  });

  test('one that is refused stays for its owner, and says why', async () => {
    const error = { code: 'movement_unknown', detail: 'No.', status: 404, retryable: false };
    verdict = (item) => (item.for === 'P2' ? { id: item.id, error } : taken(item));
    await outbox.write(ME, said(), said({ for: 'P2' }));
    expect(await outbox.flush(ME)).toBe('empty');
    expect(await kept()).toEqual([
      [undefined, 'received'],
      ['P2', 'refused'],
    ]);
    expect((await store.entries())[1]!.problem).toEqual({ code: error.code, detail: error.detail });
  });
});

describe('once the server has a report', () => {
  test('its own times and whether it was late stay, and the reason goes', async () => {
    verdict = (item) => taken(item, true);
    await outbox.write(ME, said({ stage: 'staying', reason: 'my mother cannot travel' }));
    await outbox.flush(ME);
    const [entry] = await store.entries();
    expect(entry).toMatchObject({ state: 'received', late: true, received_at: RECEIVED });
    expect(entry!.body.reason).toBeUndefined();
  });

  test('a scanned code gives way to the person it named', async () => {
    await outbox.write(ME, said({ code: 'M:1' }), said({ code: 'M:2' }));
    await outbox.flush(ME);
    const bodies = (await store.entries()).map(({ body }) => body);
    expect(bodies.map((body) => body.for)).toEqual(['of M:1', 'of M:2']);
    expect(bodies.every((body) => body.code === undefined)).toBe(true);
  });

  test('of a person the newest is kept; what is not received yet is never forgotten', async () => {
    await outbox.write(ME, said(), said({ for: 'P2' }));
    await outbox.write(ME, said({ stage: 'boarded', vehicle: 12 }));
    await outbox.flush(ME);
    luck = () => new Unreachable('offline');
    await outbox.write(ME, said({ stage: 'arrived' }));
    expect(await outbox.flush(ME)).toBe('later');
    const entries = (await store.entries()).map(({ body, state }) => [body.for, body.stage, state]);
    expect(entries).toEqual([
      ['P2', 'ready', 'received'],
      [undefined, 'boarded', 'received'],
      [undefined, 'arrived', 'saved'],
    ]);
  });
});

describe('a day of scans', () => {
  const scans = (count: number) =>
    Array.from({ length: count }, (_, n) =>
      said({ stage: 'boarded', vehicle: 12, code: `M:${n}` }),
    );

  test('goes in batches of 500, in the order of scanning', async () => {
    await outbox.write(ME, ...scans(1_100));
    expect(await outbox.flush(ME)).toBe('empty');
    expect(batches.map((items) => items.length)).toEqual([500, 500, 100]);
    expect(batches.flat().map(({ code }) => code)).toEqual(scans(1_100).map(({ code }) => code));
  });

  test('a network too thin for a batch gets smaller ones, and larger ones when it carries', async () => {
    luck = (items) => (items.length > 130 ? new Unreachable('too slow') : null);
    await outbox.write(ME, ...scans(600));
    const outcomes = [];
    for (let n = 0; n < 10; n++) outcomes.push(await outbox.flush(ME));
    expect(outcomes).toContain('empty');
    expect((await store.entries()).every(({ state }) => state === 'received')).toBe(true);
  });

  test('what is not ripe waits, and holds up nothing', async () => {
    const line = { ...stageReports(null as unknown as Api), ripe: held };
    const send = async (items: StageReport[]): Promise<Sent<StageResult>> => {
      batches.push(items);
      return { kind: 'answered', results: items.map(verdict) };
    };
    function held({ code }: StageReport): boolean {
      return code !== 'M:0';
    }
    const waiting = new Outbox<StageReport, StageResult>(store, { ...line, send });
    await waiting.write(ME, ...scans(2));
    expect(await waiting.flush(ME)).toBe('empty');
    expect(batches.map((items) => items.map(({ code }) => code))).toEqual([['M:1']]);
    expect(await outbox.flush(ME)).toBe('empty');
    expect(batches.at(-1)!.map(({ code }) => code)).toEqual(['M:0']);
  });

  test('one that no server can read is found among the others', async () => {
    const [, , bad] = await outbox.write(ME, ...scans(5));
    luck = (items) =>
      items.some(({ id }) => id === bad!.body.id)
        ? new Problem({
            status: 400,
            code: 'bad_input',
            title: '',
            type: 'about:blank',
            detail: '',
            retryable: false,
          })
        : null;
    expect(await outbox.flush(ME)).toBe('empty');
    const states = (await store.entries()).map(({ state }) => state);
    expect(states).toEqual(['received', 'received', 'refused', 'received', 'received']);
  });
});

test('it speaks to the server as its document says', async () => {
  const asked: unknown[] = [];
  const api = createApi({
    baseUrl: 'http://station.invalid',
    async fetch(request) {
      const body = (await request.json()) as { items: StageReport[] };
      asked.push([request.method, new URL(request.url).pathname, body.items.length]);
      return Response.json({ items: body.items.map((item) => taken(item)) }, { status: 201 });
    },
  });
  const real = stageOutbox(store, api, () => undefined);
  await real.write(ME, said(), said({ for: 'P2' }));
  expect(await real.flush(ME)).toBe('empty');
  expect(asked).toEqual([['POST', '/v1/stage-reports', 2]]);
});
