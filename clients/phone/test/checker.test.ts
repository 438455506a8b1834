/** A checker's phone over reloads, dead networks and second thoughts: no scan is lost, none is twice. */
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, test } from 'vitest';
import { createApi } from '@muster/shared/api/client.ts';
import { Problem, Unreachable } from '@muster/shared/api/problem.ts';
import type { CheckList, Listed, SelfCheck, StageReport } from '@muster/shared/api/types.ts';
import { Checker } from '../src/state/checker/checker.svelte.ts';
import { Post } from '../src/state/checker/post.svelte.ts';
import type { Task } from '../src/state/checker/scans.ts';
import vectors from './codes.json';

const ME = 'C1';
const CHECK: SelfCheck = { id: 'M1', title: 'North', exercise: false, state: 'active' };
const BOARD: Task = { movement: 'M1', stage: 'boarded', vehicle: 'V1', point: null };
const good = vectors.good[0]!;

/** A server that records by id, behind a network that can be told to fail. */
class Server {
  readonly kept = new Map<string, StageReport>();
  online = true;
  /** the answer is lost on its way back */
  deaf = false;
  refuses = '';

  readonly fetch = async (request: Request): Promise<Response> => {
    if (!this.online) throw new TypeError('offline');
    const { items } = (await request.json()) as { items: StageReport[] };
    const results = items.map((item) => this.take(item));
    if (this.deaf) throw new TypeError('cut');
    return Response.json({ items: results }, { status: 201 });
  };

  private take(item: StageReport): object {
    const { id, stage, at } = item;
    if (item.code === this.refuses)
      return { id, error: { code: 'code_invalid', detail: 'No.', status: 422, retryable: false } };
    this.kept.set(id, item);
    return { id, person: item.for ?? 'P9', stage, event_at: at, received_at: at };
  }
}

let server: Server;
let list: () => Promise<CheckList>;

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  server = new Server();
  list = async () => bundle();
});

function person(ref: string, more: Partial<Listed> = {}): Listed {
  const stand = { stage: 'ready', vehicle_no: null, point: null };
  const own = { handle: null, counter: null, ref, name: `Name ${ref}`, household: ref };
  return { ...own, ...stand, category: 'national', seats: [1], ...more };
}

function bundle(): CheckList {
  return {
    movement: 'M1',
    as_of: new Date().toISOString(),
    expires_at: new Date(Date.now() + 172_800_000).toISOString(),
    keys: vectors.keys,
    people: [person('P1', { handle: good.handle, counter: good.counter }), person('P2')],
    points: [{ id: 'GATE', kind: 'concentration', name: 'Gate' }],
    legs: [{ id: 'L1', from: 'GATE', to: 'HAVEN' }],
    vehicles: [{ id: 'V1', leg: 'L1', number: 1, seats: 9, state: 'planned' }],
  } as unknown as CheckList;
}

/** The page, opened (again) on this phone. */
async function open(checks = [CHECK]): Promise<{ checker: Checker; post: Post }> {
  const api = createApi({ baseUrl: 'http://server.invalid', fetch: server.fetch });
  const post = await Post.open(api, () => undefined);
  const checker = new Checker(
    ME,
    post.sealed,
    post,
    () => list(),
    () => 0,
  );
  await checker.open(checks);
  return { checker, post };
}

async function begun(): Promise<{ checker: Checker; post: Post }> {
  const page = await open();
  await page.checker.refresh();
  await page.checker.check(BOARD);
  return page;
}

/** Sends what there is to send, and looks what became of it. */
async function send({ checker, post }: { checker: Checker; post: Post }): Promise<void> {
  post.sendSoon(ME);
  await expect
    .poll(async () => (await post.read()).every((one) => one.state !== 'saved'))
    .toBe(true);
  await checker.settle();
}

const states = ({ checker }: { checker: Checker }) => checker.scans.map(({ state }) => state);

describe('without a network', () => {
  test('the list, the task and every scan are there after the page was killed', async () => {
    const { checker } = await begun();
    expect((await checker.scan(good.code))?.judged.verdict).toBe('good');
    await checker.tick(person('P2'));
    list = () => Promise.reject(new Unreachable('offline'));
    const again = await open();
    await again.checker.refresh();
    expect(again.checker.trouble).toBe('offline');
    expect(again.checker.task).toEqual(BOARD);
    expect(again.checker.index?.byRef.size).toBe(2);
    expect(states(again)).toEqual(['saved', 'saved']);
    expect((await again.checker.scan(good.code))?.judged.verdict).toBe('again');
    await send(again);
    expect([...server.kept.values()].map((one) => [one.for, one.code])).toEqual([
      ['P1', good.code],
      ['P2', undefined],
    ]);
    expect(states(again)).toEqual(['received', 'received']);
    expect(await again.post.read()).toEqual([]);
  });

  test('killed between the scan and its report, it is sent all the same, once', async () => {
    const { checker, post } = await begun();
    post.write = () => Promise.reject(new Error('killed'));
    await expect(checker.scan(good.code)).rejects.toThrow('killed');
    const again = await open();
    expect(await again.post.read()).toHaveLength(1);
    await send(again);
    expect(server.kept.size).toBe(1);
    expect(states(again)).toEqual(['received']);
  });

  test('nothing that names anybody is on the disk in the clear', async () => {
    await begun();
    const db = await new Promise<IDBDatabase>((done) => {
      const asked = indexedDB.open('muster-sealed');
      asked.onsuccess = () => done(asked.result);
    });
    const rows = await new Promise<{ text: ArrayBuffer }[]>((done) => {
      const asked = db.transaction('rows').objectStore('rows').getAll();
      asked.onsuccess = () => done(asked.result);
    });
    expect(rows.length).toBeGreaterThan(0);
    for (const { text } of rows) expect(new TextDecoder('latin1').decode(text)).not.toContain('P1');
  });
});

describe('a second thought', () => {
  test('before anything was sent takes the scan out', async () => {
    const page = await begun();
    const outcome = await page.checker.scan(good.code);
    expect(await page.checker.undo(outcome!.scan!)).toBe(true);
    const again = await open();
    await send(again);
    expect(server.kept.size).toBe(0);
    expect((await again.checker.scan(good.code))?.judged.verdict).toBe('good');
  });

  test('after it was tried to be sent is a further report: the answer may have been lost', async () => {
    const page = await begun();
    const outcome = await page.checker.scan(good.code);
    server.deaf = true;
    page.post.sendSoon(ME);
    await expect.poll(() => server.kept.size).toBe(1);
    expect(await page.checker.undo(outcome!.scan!)).toBe(false);
    server.deaf = false;
    const place = { ...BOARD, stage: 'at_point', vehicle: null, point: 'GATE' } as const;
    await page.checker.correct(outcome!.scan!, place);
    await send(page);
    expect([...server.kept.values()].map(({ stage }) => stage)).toEqual(['boarded', 'at_point']);
    expect(page.checker.standings?.get('P1')).toMatchObject({ stage: 'at_point', point: 'GATE' });
  });
});

describe('what the server says', () => {
  test('names whom a code was that this list did not know', async () => {
    const page = await begun();
    const stranger = vectors.good.find(({ handle }) => handle !== good.handle)!.code;
    expect((await page.checker.scan(stranger))?.judged.verdict).toBe('unknown');
    await send(page);
    expect([...server.kept.values()]).toMatchObject([{ code: stranger }]);
    expect(page.checker.scans).toMatchObject([{ ref: 'P9', state: 'received' }]);
  });

  test('a refusal stays until somebody has seen to it, and counts nobody', async () => {
    const page = await begun();
    server.refuses = good.code;
    await page.checker.scan(good.code);
    await send(page);
    const again = await open();
    expect(again.checker.refused).toMatchObject([{ problem: { code: 'code_invalid' } }]);
    expect(again.checker.standings?.get('P1')?.stage).toBe('ready');
    server.refuses = '';
    await again.checker.retry(again.checker.refused[0]!);
    await send(again);
    expect(states(again)).toEqual(['received']);
  });

  test('that she checks it no more takes the list away, and not what is unsent', async () => {
    const page = await begun();
    await page.checker.scan(good.code);
    await page.post.heard(ME, null);
    const again = await open([]);
    expect(again.checker.kept).toBeNull();
    expect(states(again)).toEqual(['saved']);
    await send(again);
    expect(server.kept.size).toBe(1);
    const problem = { status: 404, code: 'not_found', title: '', type: '', detail: '' };
    list = () => Promise.reject(new Problem({ ...problem, retryable: false }));
    const late = await open();
    await late.checker.refresh();
    expect(late.checker.trouble).toBe('not_hers');
  });
});
