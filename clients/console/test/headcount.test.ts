import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CellCount, Counts, Headcount, HeadcountEvent } from '@muster/shared/api/types.ts';
import {
  accountedOf,
  addEvent,
  addSnapshot,
  agrees,
  fromSnapshot,
  groups,
  populationOf,
  totals,
  type Board,
} from '../src/state/headcount.ts';

const AREAS = ['A', 'B'];
const CATEGORIES = ['national', 'international'];
const STATUSES = ['unaccounted', 'safe', 'need_help', 'away'] as const;

type Person = { area: string; category: string; status: (typeof STATUSES)[number] };
type Move = { who: number; to: (typeof STATUSES)[number] };

const keyOf = (cell: { area: string; category: string; status: string }) =>
  [cell.area, cell.category, cell.status].join();

function cellsOf(people: Person[]): CellCount[] {
  const cells = new Map<string, CellCount>();
  for (const person of people) {
    const cell = cells.get(keyOf(person)) ?? { ...person, agency: 'X', count: 0 };
    cells.set(keyOf(person), { ...cell, count: cell.count + 1 });
  }
  return [...cells.values()];
}

function countsOf(people: Person[]): Counts {
  const counts: Counts = { safe: 0, need_help: 0, away: 0, unaccounted: 0 };
  for (const person of people) counts[person.status] += 1;
  return counts;
}

/** Every third is expected elsewhere. */
function elsewhereOf(people: Person[]): Counts {
  return countsOf(people.filter((_, i) => i % 3 === 0));
}

function snapshotOf(people: Person[], seq: number): Headcount {
  const expected = (own: Person[]) => ({ population: own.length, counts: countsOf(own) });
  const group = (key: string) => ({ key, label: key, population: 0, counts: countsOf([]) });
  return {
    alert_id: 'a',
    seq,
    as_of: '2026-11-23T09:00:00Z',
    state: 'open',
    exercise: true,
    population: people.length,
    counts: countsOf(people),
    late: 0,
    by: { area: AREAS.map(group), agency: [group('X')], category: CATEGORIES.map(group) },
    cells: cellsOf(people),
    parity: { local: null, international: null, gap: null },
    expected: {
      here: expected(people.filter((_, i) => i % 3)),
      elsewhere: expected(people.filter((_, i) => i % 3 === 0)),
    },
  };
}

/** history[n]: everyone after n moves; move n happened as stream number n. */
function play(people: Person[], moves: Move[]): Person[][] {
  const history = [people];
  for (const { who, to } of moves) {
    const now = history.at(-1)!.map((person) => ({ ...person }));
    now[who % now.length]!.status = to;
    history.push(now);
  }
  return history;
}

/** One event for the moves from..to: the cells they touched, absolute as of `to`. */
function eventOf(history: Person[][], from: number, to: number): [number, HeadcountEvent] {
  const touched = new Set<string>();
  for (let n = from; n <= to; n++)
    history[n]!.forEach((person, i) => {
      const before = history[n - 1]![i]!;
      if (before.status !== person.status) touched.add(keyOf(before)).add(keyOf(person));
    });
  const now = new Map(cellsOf(history[to]!).map((cell) => [keyOf(cell), cell]));
  const cells = [...touched].map((key): CellCount => {
    const [area, category, status] = key.split(',') as [string, string, Person['status']];
    return now.get(key) ?? { area, agency: 'X', category, status, count: 0 };
  });
  const then = history[to]!;
  const totals = { counts: countsOf(then), elsewhere: elsewhereOf(then) };
  return [to, { from, alert_id: 'a', ...totals, cells }];
}

function shown(board: Board): unknown {
  const rows = [...board.cells.values()].filter((cell) => cell.count > 0);
  return [rows.map((cell) => `${keyOf(cell)}=${cell.count}`).sort(), board.elsewhere];
}

const person = fc.record({
  area: fc.constantFrom(...AREAS),
  category: fc.constantFrom(...CATEGORIES),
  status: fc.constant('unaccounted' as const),
});
const story = fc.record({
  people: fc.array(person, { minLength: 1, maxLength: 12 }),
  moves: fc.array(fc.record({ who: fc.nat(11), to: fc.constantFrom(...STATUSES) }), {
    minLength: 1,
    maxLength: 25,
  }),
  /** where merged events end */
  cuts: fc.array(fc.nat(25)),
  start: fc.nat(25),
  again: fc.nat(25),
  order: fc.infiniteStream(fc.nat()),
});

function merged(history: Person[][], cuts: number[]): [number, HeadcountEvent][] {
  const last = history.length - 1;
  const ends = [...new Set([...cuts.filter((cut) => cut >= 1 && cut < last), last])];
  ends.sort((a, b) => a - b);
  return ends.map((end, i) => eventOf(history, (ends[i - 1] ?? 0) + 1, end));
}

describe('snapshot and events together are the refetch', () => {
  test('however events are merged, from whichever snapshot on', () => {
    fc.assert(
      fc.property(story, ({ people, moves, cuts, start }) => {
        const history = play(people, moves);
        const last = history.length - 1;
        const seq = Math.min(start, last);
        let board = fromSnapshot(snapshotOf(history[seq]!, seq));
        for (const [id, event] of merged(history, cuts)) {
          board = addEvent(board, id, event);
          expect(id < seq || agrees(board, event)).toBe(true);
        }
        expect(shown(board)).toEqual(shown(fromSnapshot(snapshotOf(history[last]!, last))));
        expect(totals(board)).toEqual(countsOf(history[last]!));
      }),
    );
  });

  test('replayed, overlapping, out of order and with late snapshots in between', () => {
    fc.assert(
      fc.property(story, ({ people, moves, cuts, start, again, order }) => {
        const history = play(people, moves);
        const last = history.length - 1;
        const events = [...merged(history, cuts), ...merged(history, []), ...merged(history, cuts)];
        const seq = Math.min(again, last);
        const acts = [
          ...events.map(
            ([id, event]) =>
              (board: Board) =>
                addEvent(board, id, event),
          ),
          (board: Board) => addSnapshot(board, snapshotOf(history[seq]!, seq)),
        ];
        const shuffled = acts
          .map((act) => ({ act, rank: order.next().value }))
          .sort((a, b) => a.rank - b.rank);
        const first = Math.min(start, last);
        let board = fromSnapshot(snapshotOf(history[first]!, first));
        for (const { act } of shuffled) board = act(board);
        expect(totals(board)).toEqual(countsOf(history[last]!));
      }),
    );
  });

  test('after a lost event the totals disagree until a refetch heals them', () => {
    const people: Person[] = Array.from({ length: 3 }, () => ({
      area: 'A',
      category: 'national',
      status: 'unaccounted',
    }));
    const history = play(people, [
      { who: 0, to: 'safe' },
      { who: 1, to: 'need_help' },
    ]);
    const [id, event] = eventOf(history, 2, 2);
    const torn = addEvent(fromSnapshot(snapshotOf(history[0]!, 0)), id, event);
    expect(agrees(torn, event)).toBe(false);
    expect(agrees(addSnapshot(torn, snapshotOf(history[2]!, 2)), event)).toBe(true);
  });
});

test('groupings sum to the population, and accounted is not safe', () => {
  const people: Person[] = [
    { area: 'A', category: 'national', status: 'safe' },
    { area: 'A', category: 'international', status: 'need_help' },
    { area: 'B', category: 'national', status: 'unaccounted' },
  ];
  const board = fromSnapshot(snapshotOf(people, 1));
  for (const by of ['area', 'agency', 'category'] as const)
    expect(groups(board, by).reduce((sum, row) => sum + row.population, 0)).toBe(3);
  expect(populationOf(totals(board))).toBe(3);
  expect(accountedOf(totals(board))).toBe(2);
  expect(totals(board).safe).toBe(1);
});

test('a place that turns up later is listed under its key until its label comes', () => {
  const board = fromSnapshot(snapshotOf([{ area: 'A', category: 'national', status: 'safe' }], 1));
  const cells: CellCount[] = [
    { area: 'NEW', agency: 'X', category: 'national', status: 'unaccounted', count: 2 },
  ];
  const counts = { safe: 1, need_help: 0, away: 0, unaccounted: 2 };
  const elsewhere = countsOf([]);
  const grown = addEvent(board, 2, { from: 2, alert_id: 'a', counts, elsewhere, cells });
  expect(groups(grown, 'area').map(({ key, population }) => [key, population])).toEqual([
    ['A', 1],
    ['NEW', 2],
  ]);
});
