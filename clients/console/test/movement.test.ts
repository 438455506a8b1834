import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import type {
  MovementBoard,
  MovementEvent,
  MovementLeg,
  MovementVehicle,
  Mover,
  Stage,
  StageCell,
  StageConflict,
} from '@muster/shared/api/types.ts';
import {
  addBoard,
  addChange,
  fromBoard,
  grown,
  nobody,
  people,
  stageGroups,
  stageTotals,
  STAGES,
  tallies,
  unsettled,
  vehiclesNow,
} from '../src/state/movement.ts';
import { closeOut, lots, reasonedAll, unreasoned } from '../src/state/movementclose.ts';
import { choicesOf, decisionOf, queued, type Verdict } from '../src/state/movementconflicts.ts';
import { lacks, refusals, reportsOf } from '../src/state/movementradio.ts';
import { hashOf, MOVEMENT_TABS, readRoute } from '../src/state/movementroute.ts';
import { lateness } from '../src/state/movementvehicles.ts';

const NOON = Date.parse('2026-11-23T12:00:00Z');
const at = (minutes: number) => new Date(NOON + minutes * 60_000).toISOString();

const cell = (stage: Stage, count: number, category = 'national'): StageCell => ({
  area: 'A1',
  agency: 'UNDP',
  category,
  stage,
  count,
});
const bus = (boarded: number, last_report_s: number | null = 60): MovementVehicle => ({
  id: 'bus',
  leg: 'leg',
  number: 4,
  label: 'Bus',
  callsign: null,
  seats: 20,
  state: 'planned',
  departed_at: null,
  arrived_at: null,
  expected_at: null,
  overdue_at: null,
  watch_id: null,
  boarded,
  arrived: 0,
  missing: boarded,
  seats_left: 20 - boarded,
  last_report_s,
});
function board(seq: number, cells: StageCell[], vehicles = [bus(0)], conflicts = 0) {
  const by = { area: [], agency: [], category: [{ key: 'family', label: 'family' }] };
  const part = { seq, cells, vehicles, points: [], conflicts, by, as_of: at(0) };
  return part as unknown as MovementBoard;
}
function change(cells: StageCell[], counts: Partial<MovementEvent['counts']>, conflicts = 0) {
  const all = { ...nobody(), ...counts };
  const news = { from: 1, movement_id: 'm', plan: false, counts: all, cells };
  return { ...news, vehicles: [bus(3, 1)], points: [], conflicts } satisfies MovementEvent;
}

describe('a board out of snapshot and stream', () => {
  test('an event lays its absolute counts over the snapshot, and an old one changes nothing', () => {
    const start = fromBoard(board(10, [cell('listed', 5)]));
    const news = change([cell('listed', 2), cell('boarded', 3)], { listed: 2, boarded: 3 }, 1);
    const next = addChange(start, 12, news, NOON);
    expect(stageTotals(next)).toMatchObject({ listed: 2, boarded: 3 });
    expect([next.conflicts.value, tallies(next, news)]).toEqual([1, true]);
    expect(vehiclesNow(next, NOON)[0]?.boarded).toBe(3);
    expect(addChange(start, 10, news, NOON)).toBe(start);
    expect(tallies(next, { ...news, counts: { ...news.counts, listed: 3 } })).toBe(false);
  });

  test('an older snapshot takes nothing back, a newer one lists all there is', () => {
    const start = fromBoard(board(10, [cell('listed', 5)]));
    const next = addChange(start, 12, change([cell('boarded', 3)], { boarded: 3 }), NOON);
    expect(addBoard(next, board(9, [cell('listed', 9)]))).toBe(next);
    expect(stageTotals(addBoard(next, board(11, [cell('listed', 2)]))).boarded).toBe(3);
    const whole = addBoard(next, board(13, [cell('arrived', 5)], []));
    expect(stageTotals(whole)).toMatchObject({ listed: 0, boarded: 0, arrived: 5 });
    expect(whole.vehicles.size).toBe(0);
  });

  test('in whatever order events come, once or twice, the board is the same', () => {
    const moves = fc.array(
      fc.record({ stage: fc.constantFrom(...STAGES), count: fc.nat(9), conflicts: fc.nat(3) }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(moves, fc.infiniteStream(fc.nat()), (list, orders) => {
        const events = list.map(({ stage, count, conflicts }, n) => ({
          id: 11 + n,
          event: change([cell(stage, count)], {}, conflicts),
        }));
        const mixed = [...events, ...events]
          .map((item) => ({ item, key: orders.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ item }) => item);
        const play = (items: typeof events) =>
          items.reduce(
            (live, { id, event }) => addChange(live, id, event, NOON),
            fromBoard(board(10, [cell('listed', 5)])),
          );
        const [straight, shuffled] = [play(events), play(mixed)];
        expect(stageTotals(shuffled)).toEqual(stageTotals(straight));
        expect(shuffled.conflicts.value).toBe(straight.conflicts.value);
      }),
    );
  });

  test('figures age by the server’s clock, and an unknown age stays unknown', () => {
    const live = fromBoard(board(10, [], [bus(1, 60)]));
    expect(vehiclesNow(live, NOON + 30_000)[0]?.last_report_s).toBe(90);
    expect(grown(null, NOON, NOON + 30_000)).toBeNull();
    expect(grown(5, NOON, NOON - 30_000)).toBe(5);
  });

  test('groups sum to the population; who has neither arrived nor stays is unsettled', () => {
    const live = fromBoard(
      board(1, [cell('listed', 2), cell('arrived', 3), cell('in_question', 1, 'family')]),
    );
    const groups = stageGroups(live, 'category');
    expect(groups.map(({ key, population }) => [key, population])).toEqual([
      ['family', 1],
      ['national', 5],
    ]);
    expect([people(stageTotals(live)), unsettled(stageTotals(live))]).toEqual([6, 3]);
  });
});

test('an address says where somebody is, and what cannot be read leads to the board', () => {
  const filters = { stage: 'boarded', area: 'NBO & GIG', q: '50%' };
  for (const tab of MOVEMENT_TABS)
    expect(readRoute(hashOf('a/b', tab, filters))).toEqual({ id: 'a/b', tab, filters });
  expect(readRoute('#/movements')).toEqual({ id: null, tab: 'board', filters: {} });
  expect(readRoute('#/movements/%E0%A4%A/nowhere')).toMatchObject({ id: '%E0%A4%A', tab: 'board' });
  for (const other of ['', '#login=x', '#/movementsx']) expect(readRoute(other)).toBeNull();
});

test('a vehicle is overdue when the desk was told, late before that, and never once it has come', () => {
  const leg = { departs_at: at(-60), arrives_at: at(-20) } as MovementLeg;
  const gone = { ...bus(3), state: 'departed' as const, expected_at: at(-10) };
  const told = { ...gone, overdue_at: at(-1) };
  const watch = { state: 'overdue', due_at: at(-5) };
  expect(lateness(told, leg, watch, NOON)).toEqual({ what: 'overdue', since: at(-10) });
  expect(lateness(gone, leg, watch, NOON)).toEqual({ what: 'watch', since: at(-5) });
  expect(lateness(gone, leg, undefined, NOON)).toEqual({ what: 'arrival', since: at(-10) });
  const later = { ...gone, expected_at: at(10) };
  expect(lateness(later, leg, { ...watch, state: 'running' }, NOON)).toBeNull();
  expect(lateness(bus(3), leg, undefined, NOON)).toEqual({ what: 'departure', since: at(-60) });
  for (const state of ['arrived', 'withdrawn'] as const)
    expect(lateness({ ...told, state }, leg, watch, NOON)).toBeNull();
  expect(lateness({ ...gone, expected_at: null }, undefined, undefined, NOON)).toBeNull();
  expect(lateness({ ...bus(3), expected_at: at(-1) }, undefined, undefined, NOON)?.what).toBe(
    'arrival',
  );
});

describe('a conflict is decided by a human', () => {
  const said = { stage: 'boarded', vehicle_no: 4, point_id: null };
  const conflict = (more: object = {}) =>
    ({
      state: 'open',
      found_at: at(0),
      person: { ref: 'P1', name: 'Ada' },
      stands: { stage: 'in_question', vehicle_no: null, point: null },
      first: { ...said, vehicle_no: 1 },
      second: said,
      ...more,
    }) as unknown as StageConflict;
  const verdict = (more: Partial<Verdict>): Verdict => ({
    choice: null,
    stage: 'at_point',
    vehicle: null,
    point: null,
    reason: 'Seen there.',
    ...more,
  });

  test('either report may be true, where she stands only when that is known', () => {
    expect(choicesOf(conflict())).toEqual(['first', 'second', 'other']);
    const moved = conflict({ first: null, stands: { stage: 'arrived' } });
    expect(choicesOf(moved)).toEqual(['second', 'stands', 'other']);
    expect(choicesOf(conflict({ person: null }))).toEqual([]);
  });

  test('what is sent says what the chosen report says, and nothing goes without a reason', () => {
    const first = decisionOf('id', conflict(), verdict({ choice: 'first' }));
    expect(first).toMatchObject({ id: 'id', stage: 'boarded', vehicle: 1, reason: 'Seen there.' });
    expect(decisionOf('id', conflict(), verdict({ choice: 'first', reason: '  ' }))).toBeNull();
    expect(decisionOf('id', conflict(), verdict({}))).toBeNull();
    expect(decisionOf('id', conflict(), verdict({ choice: 'other' }))).toBeNull();
    const other = decisionOf('id', conflict(), verdict({ choice: 'other', point: 'gate' }));
    expect(other).toMatchObject({ stage: 'at_point', point: 'gate' });
    // where she stands may be in question again by the time it is sent
    expect(decisionOf('id', conflict(), verdict({ choice: 'stands' }))).toBeNull();
    const moved = conflict({ stands: { stage: 'arrived' } });
    const stays = decisionOf('id', moved, verdict({ choice: 'stands' }));
    expect(stays).toMatchObject({ stage: null, vehicle: null });
    expect(decisionOf('id', conflict({ person: null }), verdict({}))).toMatchObject({
      stage: null,
    });
  });

  test('what waits longest comes first, and nothing that is over is lost', () => {
    const list = [
      conflict({ id: 'old', state: 'resolved', found_at: at(-9) }),
      conflict({ id: 'b', found_at: at(2) }),
      conflict({ id: 'said', state: 'explained', found_at: at(5) }),
      conflict({ id: 'a', found_at: at(1) }),
    ];
    expect(queued(list).map(({ id }) => id)).toEqual(['a', 'b', 'said', 'old']);
  });
});

test('a word over the radio becomes a report each, whose ids stay when it is sent again', () => {
  const spoken = {
    movement: 'm',
    stage: 'boarded' as const,
    vehicle: 4,
    point: null,
    reason: ' ',
    at: NOON,
  };
  let n = 0;
  const items = reportsOf(spoken, ['P1', 'P2'], () => `id-${++n}`);
  expect(items.map(({ id, for: ref }) => [id, ref])).toEqual([
    ['id-1', 'P1'],
    ['id-2', 'P2'],
  ]);
  expect(items[0]).toMatchObject({ how: 'radio', vehicle: 4, at: at(0), reason: null });
  const error = { code: 'not_found', detail: 'Nobody.', status: 404, retryable: false };
  expect(refusals(items, [{ id: 'id-1' }, { id: 'id-2', error }])).toEqual([
    { ref: 'P2', detail: 'Nobody.' },
  ]);
  expect(lacks({ ...spoken, vehicle: null })).toBe('vehicle');
  expect(lacks({ ...spoken, stage: 'at_point' })).toBe('point');
  expect(lacks({ ...spoken, stage: 'staying' })).toBe('reason');
  expect(lacks({ ...spoken, stage: 'arrived', vehicle: null })).toBeNull();
});

test('a close-out is signed when each has a reason, and one for all takes nobody’s own away', () => {
  const movers = [
    { ref: 'P1', stage: 'listed' },
    { ref: 'P2', stage: 'in_question' },
    { ref: 'P3', stage: 'listed' },
  ] as Mover[];
  expect(lots(movers).map(({ stage, movers: own }) => [stage, own.length])).toEqual([
    ['in_question', 1],
    ['listed', 2],
  ]);
  const own = new Map([['P1', 'Left alone.']]);
  expect(unreasoned(movers, own).map(({ ref }) => ref)).toEqual(['P2', 'P3']);
  expect(closeOut(movers, own, 'Done.')).toBeNull();
  const all = reasonedAll(own, movers, 'Not heard of.');
  expect(closeOut(movers, all, ' ')).toBeNull();
  expect(closeOut(movers, all, ' Done. ')).toEqual({
    statement: 'Done.',
    unresolved: [
      { ref: 'P1', reason: 'Left alone.' },
      { ref: 'P2', reason: 'Not heard of.' },
      { ref: 'P3', reason: 'Not heard of.' },
    ],
  });
});
