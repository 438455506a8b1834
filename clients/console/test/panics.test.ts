import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Operator, Panic } from '@muster/shared/api/types.ts';
import type { AreaLine } from '../src/state/areas.ts';
import {
  addList,
  addPanic,
  heirs,
  queue,
  silentPeople,
  untaken,
  type Panics,
} from '../src/state/panics.ts';

const NONE: ReadonlySet<string> = new Set();

function panic(id: string, more: Partial<Panic> = {}): Panic {
  return {
    id,
    state: 'open',
    person: { ref: id, name: id },
    area: 'A1',
    source: 'app',
    covert: false,
    duress: false,
    verified: true,
    at: '2026-11-23T10:00:00Z',
    event_at: '2026-11-23T10:00:00Z',
    received_at: '2026-11-23T10:00:01Z',
    presses: 1,
    owner: null,
    acknowledged_at: null,
    round: 0,
    next_alert_at: null,
    outcome: null,
    note: null,
    ended_at: null,
    position: null,
    ...more,
  };
}

const book = (...panics: Panic[]): Panics => panics.reduce(addPanic, new Map() as Panics);
const ids = (panics: Panic[]) => panics.map(({ id }) => id);
const owner = { id: 7, name: 'Ann' };

describe('the queue of panics', () => {
  test('has first what nobody has, the oldest first; then what was taken back', () => {
    const panics = book(
      panic('taken', { state: 'acknowledged', owner, event_at: '2026-11-23T08:00:00Z' }),
      panic('young', { event_at: '2026-11-23T10:05:00Z' }),
      panic('back', { state: 'cancelled', event_at: '2026-11-23T08:30:00Z' }),
      panic('old', { event_at: '2026-11-23T09:00:00Z' }),
      panic('over', { state: 'resolved' }),
    );
    expect(ids(queue(panics))).toEqual(['old', 'young', 'back', 'taken']);
    expect(ids(untaken(panics))).toEqual(['old', 'young']);
  });

  test('who has a silent panic is not called about another of hers', () => {
    const her = { ref: 'P1', name: 'P1' };
    const back = panic('back', { person: her, state: 'cancelled' });
    const duress = panic('duress', { person: her, duress: true });
    expect([...silentPeople(book(back, duress, panic('other')))]).toEqual(['P1']);
    expect(silentPeople(book(back, { ...duress, state: 'resolved' })).size).toBe(0);
  });

  test('what is over stays over, whatever comes late', () => {
    const over = panic('p', { state: 'resolved', owner });
    expect(queue(addPanic(book(over), panic('p')))).toEqual([]);
    expect(queue(addList(book(over), [panic('p')], NONE))).toEqual([]);
  });

  test('a list takes out what it leaves out, but not what was heard of meanwhile', () => {
    const panics = book(panic('gone'), panic('new'));
    expect(ids(queue(addList(panics, [], new Set(['new']))))).toEqual(['new']);
  });

  test('the same words in any order, any number of times, come to the same', () => {
    const course: Panic[] = [
      panic('p'),
      panic('p', { presses: 2 }),
      panic('p', { presses: 2, round: 1, covert: false }),
      panic('p', { presses: 2, round: 1, state: 'acknowledged', owner }),
      panic('p', { presses: 3, round: 1, state: 'acknowledged', owner }),
      panic('p', { presses: 3, round: 1, state: 'cancelled', owner }),
      panic('p', { presses: 3, round: 1, state: 'closed', owner, outcome: 'helped' }),
    ];
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: course.length }),
        fc.array(fc.nat(course.length - 1)),
        fc.infiniteStream(fc.nat()),
        (upTo, again, order) => {
          const said = course.slice(0, upTo);
          const words = [...said, ...again.map((n) => said[n % upTo]!)]
            .map((word) => ({ word, key: order.next().value as number }))
            .sort((a, b) => a.key - b.key)
            .map(({ word }) => word);
          expect(book(...words).get('p')).toEqual(said.at(-1));
        },
      ),
    );
  });
});

describe('to whom a panic can be handed', () => {
  const areas: AreaLine[] = [
    { code: 'A', name: 'A', depth: 0, parent: null },
    { code: 'A1', name: 'A1', depth: 1, parent: 'A' },
    { code: 'B', name: 'B', depth: 0, parent: null },
  ];
  const desk = (id: number, more: Partial<Operator> = {}): Operator => ({
    id,
    name: `Desk ${id}`,
    role: 'operator',
    area: null,
    person: null,
    ...more,
  });
  const all = [
    desk(1, { role: 'admin' }),
    desk(2, { area: 'A' }),
    desk(3, { area: 'B' }),
    desk(4, { role: 'auditor' }),
    desk(5, { role: 'warden' }),
    desk(7),
  ];

  test('those who see her area, not who has it, nobody who only reads', () => {
    const found = heirs(panic('p', { state: 'acknowledged', owner }), all, areas);
    expect(found.map(({ id }) => id)).toEqual([1, 2]);
  });

  test('a silent one only to desks of the whole operation', () => {
    for (const kind of [{ covert: true }, { duress: true }])
      expect(heirs(panic('p', kind), all, areas).map(({ id }) => id)).toEqual([1, 7]);
  });
});
