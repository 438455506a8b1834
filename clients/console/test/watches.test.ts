import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PersonWatch, RadioCheck, RollName } from '@muster/shared/api/types.ts';
import { parseCallsigns } from '../src/state/callsigns.ts';
import { answered, arranged, begun, failed, moved, ticked, unheard } from '../src/state/roll.ts';
import { draftWatch, newWatch } from '../src/state/watchdraft.ts';
import {
  addWatches,
  awaited,
  addWatchList,
  ageNow,
  openRolls,
  overdue,
  running,
  speaksFor,
  withoutGone,
  type Watches,
} from '../src/state/watches.ts';

const NONE: ReadonlySet<string> = new Set();

function watch(id: string, more: Partial<PersonWatch> = {}): PersonWatch {
  return {
    id,
    kind: 'journey',
    person: { ref: id, name: id },
    callsign: null,
    area: 'A1',
    state: 'running',
    due_at: '2026-11-23T10:00:00Z',
    grace_s: 600,
    interval_s: null,
    round: 1,
    step: 0,
    late: false,
    reminded_at: null,
    overdue_at: null,
    ended_at: null,
    note: null,
    route: null,
    vehicle: null,
    contacts: [],
    companions: [],
    curfew_id: null,
    roll_id: null,
    created_at: '2026-11-23T09:00:00Z',
    created_by: null,
    room: 'A1',
    hand_over: null,
    last: null,
    ...more,
  };
}

const book = (...watches: PersonWatch[]): Watches => addWatches(new Map(), watches, 0);
const ids = (watches: Watches) => running(watches).map(({ watch: { id } }) => id);

describe('watches that run', () => {
  test('overdue first, the longest at the top, then what is due next', () => {
    const watches = book(
      watch('next', { due_at: '2026-11-23T10:00:00Z' }),
      watch('later', { due_at: '2026-11-23T12:00:00Z' }),
      watch('missed', { state: 'overdue', due_at: '2026-11-23T11:00:00Z' }),
      watch('first', { state: 'overdue', due_at: '2026-11-23T10:30:00Z' }),
      watch('done', { state: 'done' }),
    );
    expect(ids(watches)).toEqual(['first', 'missed', 'next', 'later']);
    expect(overdue(watches).map(({ id }) => id)).toEqual(['first', 'missed']);
    const filter = { kind: null, state: 'running' as const };
    expect(running(watches, filter).map(({ watch: { id } }) => id)).toEqual(['next', 'later']);
  });

  test('an extension is newer than what was overdue; what has ended stays ended', () => {
    const missed = watch('w', { state: 'overdue', step: 2 });
    const extended = watch('w', { round: 2, due_at: '2026-11-23T14:00:00Z', late: true });
    expect(overdue(addWatches(book(extended), [missed], 1))).toEqual([]);
    expect(overdue(addWatches(book(missed), [extended], 1))).toEqual([]);
    const done = watch('w', { state: 'done', round: 2 });
    expect(ids(addWatchList(book(done), [extended], 1, NONE))).toEqual([]);
  });

  test('the same words in any order come to the same', () => {
    const course = [
      watch('w'),
      watch('w', { state: 'reminded' }),
      watch('w', { state: 'overdue', step: 1 }),
      watch('w', { state: 'overdue', step: 2 }),
      watch('w', { round: 2 }),
      watch('w', { round: 2, state: 'overdue', step: 1 }),
      watch('w', { round: 2, state: 'done', step: 1 }),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(course, { minLength: 1 }), (words) => {
        const newest = course[Math.max(...words.map((word) => course.indexOf(word)))];
        const end = words.reduce((all, word) => addWatches(all, [word], 0), book());
        expect(end.get('w')?.watch).toEqual(newest);
      }),
    );
  });

  test('a list takes out what it leaves out, but not what was heard of meanwhile', () => {
    expect(ids(addWatchList(book(watch('a'), watch('b')), [], 1, new Set(['b'])))).toEqual(['b']);
  });

  test('an age that is not known stays not known, a known one grows', () => {
    expect(ageNow(null, 0, 60_000)).toBeNull();
    expect(ageNow(5, 0, 60_000)).toBe(65);
    expect(ageNow(5, 60_000, 0)).toBe(5);
  });

  test('rolls are open while somebody on them was not heard', () => {
    const on = (id: string, more: Partial<PersonWatch> = {}) =>
      watch(id, { kind: 'radio_check', roll_id: 'r', ...more });
    const [roll] = openRolls(
      book(on('a'), on('b', { state: 'overdue' }), on('c', { state: 'done' })),
    );
    expect(roll).toEqual({ id: 'r', due_at: '2026-11-23T10:00:00Z', left: 2 });
    expect(openRolls(book(on('a', { state: 'done' })))).toEqual([]);
  });
});

describe('convoys between radio rooms', () => {
  const offered = (id: string, to_area: string | null, expect_by: string) =>
    watch(id, { hand_over: { state: 'offered', to_area, expect_by } as PersonWatch['hand_over'] });
  const book3 = book(
    offered('late', 'B1', '2026-11-23T11:00:00Z'),
    offered('soon', 'B1', '2026-11-23T10:30:00Z'),
    offered('whole', null, '2026-11-23T10:00:00Z'),
    watch('own'),
  );

  test('a room awaits what is offered to it, the soonest first', () => {
    expect(awaited(book3, new Set(['B', 'B1'])).map(({ id }) => id)).toEqual(['soon', 'late']);
    expect(awaited(book3, null).map(({ id }) => id)).toEqual(['whole', 'soon', 'late']);
  });

  test('a desk of an area speaks for its rooms alone', () => {
    expect(speaksFor(null, null)).toBe(true);
    expect(speaksFor(new Set(['B1']), 'B1')).toBe(true);
    expect(speaksFor(new Set(['B1']), null)).toBe(false);
  });

  test('what is no more offered is seen no more', () => {
    expect(ids(withoutGone(book3, ['soon', 'late', 'whole']))).toEqual(['own']);
  });
});

test('a watch is due by the server’s clock, and says nothing of the other kind', () => {
  const now = Date.parse('2026-11-23T10:00:00Z');
  const draft = {
    ...draftWatch(),
    route: ' A1 north ',
    contacts: '+254700, ,+254711',
    minutes: 90,
  };
  expect(newWatch('i', draft, 'P1', ['P2', 'P1'], now)).toEqual({
    id: 'i',
    for: 'P1',
    kind: 'journey',
    due_at: '2026-11-23T11:30:00.000Z',
    grace_s: 600,
    note: null,
    route: 'A1 north',
    vehicle: null,
    contacts: ['+254700', '+254711'],
    companions: ['P2'],
  });
  const alone = newWatch('i', { ...draft, kind: 'interval', minutes: 30 }, 'P1', ['P2'], now);
  expect(alone).toMatchObject({ interval_s: 1800, due_at: '2026-11-23T10:30:00.000Z' });
  expect(alone).not.toHaveProperty('companions');
});

test('callsigns are pasted as they come', () => {
  expect(parseCallsigns(' KILO 2\nKILO  2, LIMA 4;\n\n MIKE 1 ')).toEqual([
    'KILO 2',
    'LIMA 4',
    'MIKE 1',
  ]);
});

describe('a roll that is called', () => {
  const name = (sign: string, more: Partial<RollName> = {}): RollName => ({
    watch_id: sign,
    person: null,
    callsign: sign,
    state: 'running',
    heard_at: null,
    late: false,
    ...more,
  });
  const check = (...names: RollName[]): RadioCheck => ({
    id: 'r',
    note: null,
    created_at: '2026-11-23T09:00:00Z',
    created_by: null,
    heard: names.filter(({ heard_at }) => heard_at).length,
    names,
  });
  const heard = (sign: string, heard_at = '2026-11-23T10:00:00Z') =>
    name(sign, { state: 'done', heard_at });
  const left = (roll: Parameters<typeof unheard>[0]) => unheard(roll).map((one) => one.callsign);

  test('goes round among those who were not heard', () => {
    const roll = begun(check(name('A'), heard('B'), name('C')));
    expect(roll.current).toBe('A');
    expect(moved(roll, 1).current).toBe('C');
    expect(moved(moved(roll, 1), 1).current).toBe('A');
    expect(moved(roll, -1).current).toBe('C');
  });

  test('a tick goes on at once, counts when it is on record, and comes back if it is not', () => {
    const roll = ticked(begun(check(name('A'), name('C'))), 'A');
    expect([roll.current, left(roll), roll.check.heard]).toEqual(['C', ['C'], 0]);
    const lost = failed(roll, 'A');
    expect([left(lost), lost.check.heard]).toEqual([['A', 'C'], 0]);
    const kept = answered(roll, check(heard('A'), name('C')));
    expect([kept.check.heard, kept.ticks.size]).toEqual([1, 0]);
  });

  test('the last name ticked is nobody’s turn, and its failure makes it hers again', () => {
    const roll = ticked(begun(check(name('A'))), 'A');
    expect(roll.current).toBeNull();
    expect(failed(roll, 'A').current).toBe('A');
  });

  test('an answer that overtook another takes nobody’s word back', () => {
    const both = ticked(ticked(begun(check(name('A'), name('B'))), 'A'), 'B');
    const newer = answered(both, check(heard('A'), heard('B')));
    const end = answered(newer, check(heard('A'), name('B')));
    expect([left(end), end.check.heard]).toEqual([[], 2]);
  });

  test('who was heard stands first as they answered, the unheard last', () => {
    const late = heard('A', '2026-11-23T10:09:00Z');
    const names = [late, name('B'), heard('C'), name('D')];
    expect(arranged({ check: check(...names) }).map((one) => one.callsign)).toEqual([
      'C',
      'A',
      'B',
      'D',
    ]);
  });
});
