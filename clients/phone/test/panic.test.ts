import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Device, SelfPanic } from '@muster/shared/api/types.ts';
import { currentPress, endOf, standing } from '../src/state/standing.ts';
import { Lanes, type Press } from '../src/transport/lanes.ts';
import { PanicLane, postPress, type Tried } from '../src/transport/press.ts';
import { readyText, signedText, smsLink } from '../src/transport/sms.ts';

const ME = 'P1';
const device = { token: 't', person: { ref: ME, name: 'Ada' } } as Device;

/** A server that merges presses as docs/panic.md says, behind a network that can be told to fail. */
class Desk {
  readonly presses: string[] = [];
  luck: () => 'take' | 'lose' | 'drop' | 'busy' = () => 'take';

  readonly post = async (_token: string, press: Press): Promise<Tried> => {
    const luck = this.luck();
    if (luck === 'drop') return { kind: 'not_now', why: 'unreachable', afterMs: null };
    if (luck === 'busy') return { kind: 'not_now', why: 'busy', afterMs: 60_000 };
    if (!this.presses.includes(press.id)) this.presses.push(press.id);
    if (luck === 'lose') return { kind: 'not_now', why: 'unreachable', afterMs: null };
    return { kind: 'answered', panic_id: this.presses[0]! };
  };
}

let desk: Desk;
const lane = (lanes: Lanes, who: Device | null = device) =>
  new PanicLane(lanes, async () => who, desk.post);

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  desk = new Desk();
});

describe('a press', () => {
  test('is on disk before anything is sent', async () => {
    const press = await lane(new Lanes()).raise(false, 40);
    expect(desk.presses).toEqual([]);
    expect(await new Lanes().all('presses')).toEqual([press]);
    expect(press).toMatchObject({ author: ME, covert: false, battery: 40 });
  });

  test('pressed again without an answer is the same press; an answered one is joined by another', async () => {
    const lanes = new Lanes();
    const [first, second] = await Promise.all([
      lane(lanes).raise(false),
      lane(new Lanes()).raise(false),
    ]);
    expect(second.id).toBe(first.id);
    expect((await lane(lanes).raise(true)).id).not.toBe(first.id);
    await lane(lanes).flush();
    expect((await lane(lanes).raise(false)).id).not.toBe(first.id);
  });

  test('is tried again within seconds, whatever the server asks for', async () => {
    const one = lane(new Lanes());
    await one.raise(false);
    desk.luck = () => 'busy';
    const pauses = [await one.flush(), await one.flush(), await one.flush(), await one.flush()];
    expect(Math.max(...pauses.map(Number))).toBeLessThanOrEqual(5_000);
    desk.luck = () => 'take';
    expect(await one.flush()).toBeNull();
    expect(desk.presses).toHaveLength(1);
  });

  test('is not sent in the name of whoever has the phone next', async () => {
    const lanes = new Lanes();
    await lane(lanes).raise(false);
    const other = { ...device, person: { ref: 'P2', name: 'Bo' } };
    expect(await lane(lanes, other).flush()).toBeNull();
    expect(desk.presses).toEqual([]);
    expect(await lanes.all('presses')).toHaveLength(1);
  });

  test('goes out where there is no disk, and where the disk hangs', async () => {
    globalThis.indexedDB = undefined as unknown as IDBFactory;
    const none = new Lanes();
    const one = lane(none);
    await one.raise(false);
    expect(none.durable).toBe(false);
    expect(await one.flush()).toBeNull();
    expect(desk.presses).toHaveLength(1);

    globalThis.indexedDB = { open: () => new IDBOpenDBRequest() } as never;
    const hung = new Lanes();
    const two = lane(hung);
    await two.raise(false);
    expect(await two.flush()).toBeNull();
    expect(desk.presses).toHaveLength(2);
  });
});

test('whatever happens, each press arrives under its one id, and none is lost', async () => {
  const act = fc.constantFrom('press', 'covert', 'flush', 'both tabs', 'reload');
  const luck = fc.constantFrom('take', 'lose', 'drop', 'busy');
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 25 }),
      fc.infiniteStream(luck),
      async (acts, drawn) => {
        globalThis.indexedDB = new IDBFactory();
        desk = new Desk();
        desk.luck = () => drawn.next().value;
        let lanes = new Lanes();
        let tabs = [lane(lanes), lane(new Lanes())];
        const raised = new Set<string>();
        for (const one of acts) {
          if (one === 'press' || one === 'covert')
            raised.add((await tabs[0]!.raise(one === 'covert')).id);
          else if (one === 'flush') await tabs[0]!.flush();
          else if (one === 'both tabs') await Promise.all(tabs.map((tab) => tab.flush()));
          else tabs = [lane((lanes = new Lanes())), lane(new Lanes())];
        }
        desk.luck = () => 'take';
        expect(await tabs[1]!.flush()).toBeNull();
        expect([...desk.presses].sort()).toEqual([...raised].sort());
        const kept = await lanes.all('presses');
        expect(kept.every(({ answer }) => answer?.panic_id === desk.presses[0])).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

describe('the answer', () => {
  const press: Press = { id: 'x', author: ME, at: '2026-11-23T09:00:00Z', covert: false };
  const answers = (status: number, body: string, headers = {}) =>
    vi.stubGlobal('fetch', async () => new Response(body, { status, headers }));

  test('of our own server alone counts', async () => {
    answers(200, '<html>Sign in to the hotel</html>');
    expect(await postPress('t', press)).toMatchObject({ kind: 'not_now', why: 'unreachable' });
    answers(201, '{"panic_id":"p","state":"open","merged":false,"ignored":[]}');
    expect(await postPress('t', press)).toEqual({ kind: 'answered', panic_id: 'p' });
    answers(503, '{"code":"unavailable"}', { 'Retry-After': '2' });
    expect(await postPress('t', press)).toEqual({ kind: 'not_now', why: 'busy', afterMs: 2_000 });
    answers(401, '{"code":"unauthenticated"}');
    expect(await postPress('t', press)).toMatchObject({ why: 'unlinked' });
    vi.unstubAllGlobals();
  });
});

describe('what the screen says', () => {
  const press: Press = { id: 'x', author: ME, at: '2026-11-23T09:00:00Z', covert: false };
  const on = { ...press, answer: { panic_id: 'p', at: '2026-11-23T09:00:01Z' } };
  const own: SelfPanic = {
    id: 'p',
    state: 'open',
    owner: null,
    event_at: '2026-11-23T09:00:00Z',
    covert: false,
  };
  const later = Date.parse('2026-11-23T09:01:00Z');
  const none = { panic: null, at: later };

  test('an owner is named only where the server names one', () => {
    expect(standing(on, none, new Map(), ME)).toMatchObject({ owner: undefined });
    expect(standing(on, { panic: own, at: later }, new Map(), ME)).toMatchObject({ owner: null });
    const taken = { ...own, state: 'acknowledged' as const, owner: 'Bo' };
    expect(standing(on, { panic: taken, at: later }, new Map(), ME)).toMatchObject({ owner: 'Bo' });
    const other = { ...taken, id: 'q' };
    expect(standing(on, { panic: other, at: later }, new Map(), ME)).toMatchObject({
      owner: undefined,
    });
  });

  test('what was heard before the press does not confirm it', () => {
    const before = Date.parse(press.at) - 1;
    const tries = new Map([['x', 'busy' as const]]);
    expect(standing(press, { panic: own, at: before }, tries, ME)).toEqual({
      kind: 'saved',
      trouble: 'busy',
    });
    expect(standing(press, { panic: own, at: later }, tries, ME)).toMatchObject({
      kind: 'received',
      pending: true,
    });
    expect(standing(press, none, new Map([['x', null]]), ME)).toEqual({ kind: 'sent' });
  });

  test('covert ones are nowhere', () => {
    expect(currentPress([{ ...on, covert: true }], ME)).toBeNull();
    expect(
      standing(null, { panic: { ...own, covert: true }, at: later }, new Map(), ME),
    ).toBeNull();
  });

  test('it ends as the server says, and an unknown end is unknown', () => {
    const last = { id: 'p', state: 'resolved' as const, outcome: 'helped' as const, ended_at: 'T' };
    expect(endOf(on, { panic: own, last_panic: null })).toBeUndefined();
    expect(endOf(on, { last_panic: last })).toEqual({
      state: 'resolved',
      outcome: 'helped',
      at: 'T',
    });
    expect(endOf(on, { last_panic: { ...last, id: 'q' } })).toMatchObject({ state: 'unknown' });
    expect(endOf(press, { last_panic: last })).toBeUndefined();
  });
});

describe('the text', () => {
  const sms = { id5: 'K7Q2M', key: 'AQIDBAUGBwgJCgsMDQ4PEBESExQ', numbers: [] };
  const at = new Date('2026-11-23T09:00:30Z');

  test('is what the server would write', async () => {
    // server.checkin.sms.signed.write of the same
    expect(await signedText(sms, 17, at, 'P')).toBe('M1 K7Q2M 17 HTDB0 P JPFDQHEH');
    expect(await signedText(sms, 18, at, 'H', '-1.29210,36.82190')).toBe(
      'M1 K7Q2M 18 HTDB0 H VPLAJXZF -1.29210,36.82190',
    );
  });

  test('has a counter that is never used twice, not in two tabs and not after a loss', async () => {
    const [a, b] = [new Lanes(), new Lanes()];
    const texts = await Promise.all([a, b, a].map((one) => readyText(one, sms, 'S', at)));
    globalThis.indexedDB = new IDBFactory();
    texts.push(await readyText(new Lanes(), sms, 'S', new Date(at)));
    const counters = texts.map((text) => text.split(' ')[2]);
    expect(new Set(counters.slice(0, 3)).size).toBe(3);
    expect(Number(counters[3])).toBeGreaterThan(1_700_000_000);
  });

  test('is put into the link as each kind of phone wants it', () => {
    expect(smsLink('+254700', 'M1 A', 'Mozilla/5.0 (Linux; Android 9)')).toBe(
      'sms:+254700?body=M1%20A',
    );
    expect(smsLink('+254700', 'M1 A', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)')).toBe(
      'sms:+254700&body=M1%20A',
    );
  });
});
