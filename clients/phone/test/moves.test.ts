import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createApi, type Api } from '@muster/shared/api/client.ts';
import type { StageReport } from '@muster/shared/api/types.ts';
import { Moves } from '../src/state/movement.svelte.ts';

const ME = 'P1';
const CODE = `M:${'0'.repeat(114)}`;
const RECEIVED = '2026-11-23T09:00:00Z';

/** A server by its document: it takes reports, and knows one code of each. */
class Desk {
  cut = false;
  late = false;
  asked: string[] = [];
  items: object[] = [ME, 'P2'].map((ref) => ({
    person: { ref, name: ref },
    counter: 1,
    issued_at: RECEIVED,
    revoked_at: null,
    code: CODE,
    svg: '<svg/>',
    png: 'AAAA',
  }));
  /** an answer waits for this */
  gate: Promise<void> = Promise.resolve();

  get api(): Api {
    return createApi({
      baseUrl: 'http://station.invalid',
      fetch: (request) => this.answer(request),
    });
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    this.asked.push(pathname);
    const body = request.body && ((await request.json()) as { items: StageReport[] });
    await this.gate;
    if (this.cut) throw new TypeError('offline');
    if (pathname === '/v1/self/codes') return Response.json({ items: this.items });
    const items = (body as { items: StageReport[] }).items.map(({ id, stage, at, ...item }) => ({
      ...{ id, stage, event_at: at, received_at: RECEIVED, late: this.late },
      person: item.for ?? ME,
    }));
    return Response.json({ items }, { status: 201 });
  }
}

let desk: Desk;
const open = () =>
  Moves.open(
    desk.api,
    () => undefined,
    () => undefined,
  );

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  desk = new Desk();
});

const raw = (name: string) =>
  new Promise<string>((done) => {
    indexedDB.open(name).onsuccess = ({ target }) => {
      const db = (target as IDBOpenDBRequest).result;
      const rows = db.transaction('rows').objectStore('rows').getAll();
      rows.onsuccess = () => {
        const bytes = rows.result.flatMap(({ text }: { text: ArrayBuffer }) => [
          ...new Uint8Array(text),
        ]);
        db.close();
        done(String.fromCharCode(...bytes));
      };
    };
  });

describe('codes of a household', () => {
  test('are at hand after a restart without a network, and lie sealed', async () => {
    const moves = await open();
    moves.sendSoon(ME);
    await moves.fetchCodes(ME, [ME, 'P2']);
    expect(await raw('muster-sealed')).not.toContain('M:0');
    desk.cut = true;
    const again = await open();
    again.sendSoon(ME);
    await vi.waitFor(() =>
      expect(again.codes?.items.map(({ code }) => code)).toEqual([CODE, CODE]),
    );
    await again.fetchCodes(ME, [ME, 'P2'], true);
    expect(again.codes?.items).toHaveLength(2);
  });

  test('are asked for again only when one is held out, or somebody is new', async () => {
    const moves = await open();
    moves.sendSoon(ME);
    await moves.fetchCodes(ME, [ME]);
    await moves.fetchCodes(ME, [ME, 'P2']);
    expect(desk.asked).toHaveLength(1);
    await moves.fetchCodes(ME, [ME, 'P3']);
    desk.items = [{ ...desk.items[0], code: null, revoked_at: RECEIVED }];
    await moves.fetchCodes(ME, [ME], true);
    expect(desk.asked).toHaveLength(3);
    expect(moves.codes?.items).toMatchObject([{ code: null, revoked_at: RECEIVED }]);
  });

  test('of somebody else, or of a phone that is nobody’s, are forgotten', async () => {
    const moves = await open();
    moves.sendSoon(ME);
    await moves.fetchCodes(ME, [ME]);
    const hers = await open();
    hers.sendSoon('P9');
    await vi.waitFor(async () => expect(await raw('muster-sealed')).toBe(''));
    expect(hers.codes).toBeNull();
    await moves.fetchCodes(ME, [ME], true);
    await moves.forget();
    expect([moves.codes, await raw('muster-sealed')]).toEqual([null, '']);
  });
});

describe('a word', () => {
  test('is under way while it is asked, and saved again when nothing answers', async () => {
    let through: () => void = () => undefined;
    desk.gate = new Promise((done) => (through = done));
    desk.cut = true;
    const moves = await open();
    await moves.report(ME, { movement: 'M1', stage: 'ready' });
    await vi.waitFor(() => expect(moves.underWay.size).toBe(1));
    expect(moves.entries[0]!.state).toBe('saved');
    through();
    await vi.waitFor(() => expect(moves.underWay.size).toBe(0));
    expect(moves.entries[0]!.state).toBe('saved');
  });

  test('of a movement that is over goes once it is received, but for one that came late', async () => {
    const moves = await open();
    await moves.report(ME, { movement: 'M1', stage: 'ready' });
    await vi.waitFor(() => expect(moves.entries[0]?.state).toBe('received'));
    desk.late = true;
    await moves.report(ME, { movement: 'M2', stage: 'arrived' });
    await vi.waitFor(() => expect(moves.entries[1]?.state).toBe('received'));
    await moves.tidy(new Set());
    expect(moves.entries.map(({ body }) => body.movement)).toEqual(['M2']);
  });
});
