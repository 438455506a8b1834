import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Problem, Unreachable } from '@muster/shared/api/problem.ts';
import type { SelfWatch } from '@muster/shared/api/types.ts';
import { extended, shownWatch } from '../src/state/deadline.ts';
import { listed } from '../src/state/text.ts';
import { Lanes, type Word } from '../src/transport/lanes.ts';
import { LOW_BATTERY, metres, worthKeeping } from '../src/transport/trail.ts';
import { Words } from '../src/transport/words.ts';

const ME = 'P1';
let lanes: Lanes;

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  lanes = new Lanes();
});

function refusal(status: number): Problem {
  const type = 'about:blank';
  return new Problem({ status, code: 'x', title: 'x', type, detail: 'no', retryable: false });
}

describe('words about watches', () => {
  test('arrive once each and in order, whatever the network and the phone do', async () => {
    const act = fc.constantFrom('done', 'flush', 'reload');
    const luck = fc.constantFrom('take', 'lose', 'drop');
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { maxLength: 20 }),
        fc.infiniteStream(luck),
        async (acts, drawn) => {
          globalThis.indexedDB = new IDBFactory();
          const heard: string[] = [];
          let kind = () => drawn.next().value;
          const speak = async ({ body }: Word) => {
            const luck = kind();
            if (luck === 'drop') throw new Unreachable('offline');
            if (!heard.includes(body.id!)) heard.push(body.id!);
            if (luck === 'lose') throw new Unreachable('answer lost');
          };
          let words = new Words(new Lanes(), speak);
          const said: string[] = [];
          for (const one of acts) {
            const id = `w${said.length}`;
            if (one === 'flush') await words.flush(ME);
            else if (one === 'reload') words = new Words(new Lanes(), speak);
            else {
              said.push(id);
              await words.say(ME, { verb: 'done', watch_id: 'w', body: { id } });
            }
          }
          kind = () => 'take';
          expect(await words.flush(ME)).toBe('empty');
          expect(heard).toEqual(said);
          expect(await new Lanes().all('words')).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a refused one is kept for its owner and holds up nothing', async () => {
    const heard: string[] = [];
    const words = new Words(lanes, async (word) => {
      if (word.verb === 'begin') throw refusal(422);
      heard.push(word.verb);
    });
    const due_at = '2026-11-23T09:00:00Z';
    await words.say(ME, { verb: 'begin', body: { id: 'a', kind: 'journey', due_at, grace_s: 0 } });
    await words.say(ME, { verb: 'done', watch_id: 'b', body: { id: 'c' } });
    await words.say('P9', { verb: 'done', watch_id: 'b', body: { id: 'd' } });
    expect(await words.flush(ME)).toBe('empty');
    expect(heard).toEqual(['done']);
    expect(await lanes.all('words')).toMatchObject([
      { verb: 'begin', state: 'refused', problem: { detail: 'no' } },
      { author: 'P9', state: 'refused', problem: { code: 'other_person' } },
    ]);
  });

  test('of two deadlines said without a network the later word goes', async () => {
    const words = new Words(lanes, async () => undefined);
    for (const [id, due_at] of [
      ['a', 'T1'],
      ['b', 'T2'],
    ] as const)
      await words.say(ME, { verb: 'extend', watch_id: 'w', body: { id, due_at } });
    expect(await lanes.all('words')).toMatchObject([{ body: { id: 'b', due_at: 'T2' } }]);
  });
});

describe('a deadline', () => {
  const now = Date.parse('2026-11-23T09:00:00Z');
  const watch = {
    id: 'w',
    kind: 'journey',
    state: 'running',
    due_at: '2026-11-23T09:10:00Z',
    grace_s: 300,
  } as SelfWatch;

  test('is late when it has passed, and overdue after its grace or by the word of the server', () => {
    const at = (minutes: number, more = {}) =>
      shownWatch({ ...watch, ...more }, [], now + minutes * 60_000);
    expect(at(0)).toMatchObject({ left_s: 600, late: false, overdue: false });
    expect(at(11)).toMatchObject({ late: true, overdue: false });
    expect(at(16)).toMatchObject({ late: true, overdue: true });
    expect(at(0, { state: 'overdue' })).toMatchObject({ overdue: true });
  });

  test('is extended from the last one that was said, or from now where it has passed', () => {
    const word = {
      verb: 'extend',
      watch_id: 'w',
      state: 'saved',
      body: { due_at: '2026-11-23T09:25:00Z' },
    };
    expect(extended(shownWatch(watch, [], now), 15, now)).toBe('2026-11-23T09:25:00.000Z');
    const twice = shownWatch(watch, [word as Word], now);
    expect(extended(twice, 15, now)).toBe('2026-11-23T09:40:00.000Z');
    const late = now + 3_600_000;
    expect(extended(shownWatch(watch, [], late), 15, late)).toBe('2026-11-23T10:15:00.000Z');
  });
});

describe('the trail', () => {
  const spot = (lat: number, at: number, accuracy = 5) => ({ lat, lon: 36.8, accuracy, at });

  test('keeps a fix each half minute on the move, each two minutes at rest, less on a low battery', () => {
    const last = spot(0, 0);
    expect(worthKeeping(null, last)).toBe(true);
    expect(worthKeeping(last, spot(0.01, 29_000))).toBe(false);
    expect(worthKeeping(last, spot(0.01, 30_000))).toBe(true);
    expect(worthKeeping(last, spot(0.0001, 30_000))).toBe(false);
    expect(worthKeeping(last, spot(0.0001, 120_000))).toBe(true);
    expect(worthKeeping(last, spot(0.01, 30_000, 5_000)), 'within its own error').toBe(false);
    expect(worthKeeping(last, spot(0.01, 30_000), LOW_BATTERY - 1)).toBe(false);
    expect(worthKeeping(last, spot(0, -1)), 'a clock set back').toBe(true);
  });

  test('measures across the date line', () => {
    expect(metres({ lat: 0, lon: 179.9999 }, { lat: 0, lon: -179.9999 })).toBeLessThan(30);
    expect(metres({ lat: 0, lon: 0 }, { lat: 1, lon: 0 })).toBeCloseTo(111_320, 0);
  });
});

test('words between commas of any language, each once', () => {
  expect(listed(' A1, B2،A1;  ，C3', 10, 60)).toEqual(['A1', 'B2', 'C3']);
});
