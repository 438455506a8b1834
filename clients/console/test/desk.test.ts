/** What the console reckons for itself: plans of positions, the server's clock, sounds. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Unreachable } from '@muster/shared/api/problem.ts';
import type { PanicPosition } from '@muster/shared/api/types.ts';
import { Listening } from '../src/state/listening.svelte.ts';
import { better, readingOf, serverNow } from '../src/state/servertime.ts';
import { PATTERNS, soundNow, SOUNDS } from '../src/state/sounds.ts';
import { coordinates, planOf, roundMetres } from '../src/state/trail.ts';

describe('the plan of a trail', () => {
  const at = (lat: number, lon: number, accuracy: number | null = 10): PanicPosition => ({
    at: '2026-11-23T10:00:00Z',
    event_at: '2026-11-23T10:00:00Z',
    received_at: '2026-11-23T10:00:00Z',
    lat,
    lon,
    accuracy,
    battery: null,
    age_s: 0,
    coarse: false,
  });

  test('nothing is drawn of nothing, and one fix stands in the middle', () => {
    expect(planOf([], 600, 400)).toBeNull();
    const [dot] = planOf([at(-1.2, 36.8, null)], 600, 400)!.dots;
    expect(dot).toMatchObject({ x: 300, y: 200, r: null });
  });

  test('north is up, east is right, to one scale, and circles stay inside', () => {
    const plan = planOf([at(-1.2, 36.8, 300), at(-1.19, 36.8), at(-1.2, 36.81)], 600, 400)!;
    const [start, north, east] = plan.dots;
    expect(north!.y).toBeLessThan(start!.y);
    expect(east!.x).toBeGreaterThan(start!.x);
    const metres = (units: number) => (units / plan.bar.length) * plan.bar.metres;
    expect(metres(start!.y - north!.y)).toBeCloseTo(1113, -1);
    expect(metres(east!.x - start!.x)).toBeCloseTo(1113, -1);
    expect(metres(start!.r!)).toBeCloseTo(300, 5);
    for (const { x, y, r } of plan.dots) {
      expect(Math.min(x, y) - (r ?? 0)).toBeGreaterThanOrEqual(0);
      expect(x + (r ?? 0)).toBeLessThanOrEqual(600);
      expect(y + (r ?? 0)).toBeLessThanOrEqual(400);
    }
  });

  test('a trail across the date line is as short as it was', () => {
    const plan = planOf([at(-17, 179.999), at(-17, -179.999)], 600, 400)!;
    expect(plan.bar.metres).toBeLessThan(200);
  });

  test('a position made coarse is not read out as an exact one', () => {
    expect(coordinates(at(-1.23456, 36.8))).toBe('-1.23456, 36.80000');
    expect(coordinates({ ...at(-1.23, 36.8), coarse: true })).toBe('-1.23, 36.80');
  });

  test('the bar is a round number', () => {
    expect([3, 42, 777, 1000, 49_999].map(roundMetres)).toEqual([2, 20, 500, 1000, 20_000]);
  });
});

describe('the server’s clock', () => {
  const DATE = 'Mon, 23 Nov 2026 10:00:00 GMT';
  const SERVER = Date.parse(DATE);

  test('is read from an answer, and runs on by this page’s own counter', () => {
    const reading = readingOf(DATE, 1_000, 1_200)!;
    expect(reading.error).toBe(600);
    expect(serverNow(reading, 3_100)).toBe(SERVER + 500 + 2_000);
    expect(readingOf(null, 0, 1)).toBeNull();
    expect(readingOf('soon', 0, 1)).toBeNull();
  });

  test('a slow answer does not spoil it, unless the known one is old', () => {
    const good = readingOf(DATE, 0, 20)!;
    const slow = readingOf(DATE, 1_000, 9_000)!;
    expect(better(good, slow)).toBe(good);
    expect(better(good, { ...slow, at: 3 * 3_600_000 * 1_000 })).not.toBe(good);
    expect(better(null, slow)).toBe(slow);
    expect(better(good, null)).toBe(good);
  });
});

describe('sounds', () => {
  test('the gravest is sounded, and a panic for as long as nobody has it', () => {
    expect(soundNow(0, { watch: 0, alarm: 0, conflict: 0 })).toBeNull();
    expect(soundNow(0, { watch: 1, alarm: 1, conflict: 1 })).toBe('watch');
    expect(soundNow(0, { watch: 0, alarm: 1, conflict: 1 })).toBe('alarm');
    expect(soundNow(0, { watch: 0, alarm: 0, conflict: 1 })).toBe('conflict');
    expect(soundNow(2, { watch: 1, alarm: 1, conflict: 1 })).toBe('panic');
  });

  test('no two are alike, and none runs into its repetition', () => {
    const tones = SOUNDS.map((sound) => new Set(PATTERNS[sound].tones.map(({ hz }) => hz)));
    expect([...tones[0]!].filter((hz) => tones[2]!.has(hz))).toEqual([]);
    for (const { tones: all, every } of Object.values(PATTERNS))
      expect(Math.max(...all.map((tone) => tone.at + tone.for))).toBeLessThan(every);
    expect(new Set(Object.values(PATTERNS).map(({ tones: all }) => JSON.stringify(all))).size).toBe(
      SOUNDS.length,
    );
  });
});

describe('a list that is heard about between its fetches', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('what is heard meanwhile is named, and it is fetched once more', async () => {
    const kept: string[][] = [];
    let answer: (list: string[]) => void = () => undefined;
    const list = new Listening(
      () => new Promise<string[]>((done) => (answer = done)),
      (_, heard) => kept.push([...heard]),
      60_000,
    );
    list.start();
    list.hear('p');
    answer([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(kept).toEqual([['p']]);
    answer([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(kept).toEqual([['p'], []]);
    list.stop();
  });

  test('never read is not the same as empty', async () => {
    const list = new Listening(
      () => Promise.reject<string[]>(new Unreachable('gone')),
      () => undefined,
      5_000,
    );
    expect(list.unsure).toBe(false);
    list.start();
    await vi.advanceTimersByTimeAsync(10);
    expect([list.at, list.unsure]).toEqual([null, true]);
    list.stop();
  });
});
