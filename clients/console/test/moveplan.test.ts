import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Need } from '@muster/shared/api/moveplan.ts';
import { Problem, Unreachable } from '@muster/shared/api/problem.ts';
import type { MovementVehicle, Person } from '@muster/shared/api/types.ts';
import { treeOrder } from '../src/state/areas.ts';
import {
  draftMovement,
  faultAt,
  grouped,
  keeping,
  leftOver,
  momentAgain,
  momentOf,
  newMovement,
  nextNumber,
  sooner,
  tickedNumbers,
  wallOf,
  wishOf,
} from '../src/state/moveplan.ts';
import { Writing } from '../src/state/moveplan.svelte.ts';

const AREAS = treeOrder([
  { code: 'C', name: 'Country', parent: null, kind: 'country', lat: null, lon: null },
  { code: 'N', name: 'North', parent: 'C', kind: 'zone', lat: null, lon: null },
] as Parameters<typeof treeOrder>[0]);

const person = (ref: string) => ({ ref, name: ref }) as Person;

const refused = (...errors: [string, string][]) =>
  new Problem({
    type: '',
    title: 'Bad input',
    status: 422,
    code: 'bad_input',
    retryable: false,
    detail: 'Correct the fields.',
    errors: errors.map(([path, message]) => ({ path, message })),
  });

describe('a movement while it is written', () => {
  const full = () => ({
    ...draftMovement(),
    kind: 'evacuation' as const,
    reach: 'outside' as const,
    title: ' North ',
    authority: 'DO',
    areas: new Set(['C', 'N']),
  });

  test('is none before everything is said that must be', () => {
    expect(newMovement('i', null, full(), AREAS)).toBeNull();
    for (const field of ['kind', 'reach'] as const)
      expect(newMovement('i', false, { ...full(), [field]: null }, AREAS)).toBeNull();
    for (const field of ['title', 'authority'] as const)
      expect(newMovement('i', false, { ...full(), [field]: '  ' }, AREAS)).toBeNull();
    expect(newMovement('i', false, { ...full(), areas: new Set() }, AREAS)).toBeNull();
  });

  test('names the topmost areas, or people alone', () => {
    expect(newMovement('i', true, full(), AREAS)).toEqual({
      id: 'i',
      kind: 'evacuation',
      reach: 'outside',
      title: 'North',
      authority: 'DO',
      reference: null,
      exercise: true,
      origins: ['C'],
      people: [],
    });
    const few = { ...full(), areas: new Set<string>(), people: [person('P1')] };
    expect(newMovement('i', true, few, AREAS)?.people).toEqual(['P1']);
  });
});

describe('what the server says against it', () => {
  const failure = refused(['deputies[1]', 'Nobody.'], ['name', 'Too long.']);

  test('stands at its field, also where a part of it is meant', () => {
    expect(faultAt(failure, 'deputies')).toBe('Nobody.');
    expect(faultAt(failure, 'dep')).toBeNull();
    expect(faultAt(new Unreachable('x'), 'name')).toBeNull();
  });

  test('is said beside the fields where none shows it', () => {
    expect(leftOver(failure, ['deputies', 'name'])).toBeNull();
    const rest = leftOver(failure, ['name']) as Problem;
    expect(rest.errors.map(({ path }) => path)).toEqual(['deputies[1]']);
    const lost = new Unreachable('no answer');
    expect(leftOver(lost, ['name'])).toBe(lost);
  });

  test('after no answer it is sent again as the same; once taken the next is another', async () => {
    const writing = new Writing();
    const first = writing.id;
    const fails = () => Promise.reject(new Unreachable('cut'));
    expect(await writing.send(fails)).toBe(false);
    expect(writing.id).toBe(first);
    expect(await writing.send(() => Promise.resolve())).toBe(true);
    expect(writing.failure).toBeNull();
    expect(writing.id).not.toBe(first);
  });

  test('what is under way is not sent a second time', async () => {
    const writing = new Writing();
    let done: () => void = () => undefined;
    const sent = writing.send(() => new Promise<void>((resolve) => (done = resolve)));
    expect(await writing.send(() => Promise.resolve())).toBe(false);
    done();
    expect(await sent).toBe(true);
  });
});

describe('the clock on a wall', () => {
  const ZONES = ['Africa/Nairobi', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'];
  const minutes = fc.integer({ min: 25_000_000, max: 32_000_000 }).map((n) => n * 60_000);

  test('shows again what was read from it, whatever the zone', () => {
    fc.assert(
      fc.property(minutes, fc.constantFrom(...ZONES), (at, zone) => {
        const wall = wallOf(at, zone);
        expect(wallOf(momentOf(wall, zone), zone)).toBe(wall);
      }),
    );
  });

  test('leads back to the moment, but for the hour that comes twice', () => {
    fc.assert(
      fc.property(minutes, fc.constantFrom(...ZONES), (at, zone) => {
        const apart = at - Date.parse(momentOf(wallOf(at, zone), zone)!);
        expect([0, 1_800_000, 3_600_000]).toContain(apart);
      }),
    );
    expect(momentOf('2026-11-24T10:30', 'Africa/Nairobi')).toBe('2026-11-24T07:30:00.000Z');
    expect(momentOf('2026-11-01T01:30', 'America/New_York')).toBe('2026-11-01T05:30:00.000Z');
  });

  test('left as it is it keeps what a wall does not show', () => {
    const was = '2026-11-01T06:30:12Z';
    const wall = wallOf(was, 'America/New_York');
    expect(momentAgain(was, wall, 'America/New_York')).toBe(was);
    expect(momentAgain(was, '', 'America/New_York')).toBeNull();
    expect(momentAgain(null, wall, 'America/New_York')).toBe('2026-11-01T05:30:00.000Z');
  });

  test('a time that was leapt over is some time, and no time is none', () => {
    expect(momentOf('2026-03-08T02:30', 'America/New_York')).toBe('2026-03-08T07:30:00.000Z');
    expect(momentOf('', 'Africa/Nairobi')).toBeNull();
    expect(wallOf(null, 'Africa/Nairobi')).toBe('');
  });
});

describe('numbers that were ticked on paper', () => {
  test.each([
    ['1-3, 7 9', [1, 2, 3, 7, 9], []],
    ['9 7;1 – 3', [1, 2, 3, 7, 9], []],
    ['2 2 1-2', [1, 2], []],
    ['3-1 x 0 5', [5], ['3-1', 'x', '0']],
    ['1-999999', [], ['1-999999']],
    ['', [], []],
  ])('%s', (text, numbers, wrong) => {
    expect(tickedNumbers(text)).toEqual({ numbers, wrong });
  });
});

test('a rule goes a place earlier, and the first stays first', () => {
  const order: Need[] = ['medical', 'ready', 'zone'];
  expect(sooner(order, 'zone')).toEqual(['medical', 'zone', 'ready']);
  expect(sooner(order, 'medical')).toEqual(order);
  expect(order).toEqual(['medical', 'ready', 'zone']);
});

test('a vehicle is written anew with what is to change and nothing else', () => {
  const bus = {
    id: 'v',
    leg: 'l',
    number: 4,
    label: 'Bus',
    callsign: null,
    seats: 9,
    state: 'planned',
    watch_id: null,
    boarded: 3,
  } as MovementVehicle;
  const departed_at = '2026-11-24T07:30:00Z';
  expect(wishOf(bus, { state: 'departed', departed_at })).toEqual({
    leg: 'l',
    number: 4,
    label: 'Bus',
    callsign: null,
    seats: 9,
    state: 'departed',
    watch_id: null,
    was: 'planned',
    departed_at,
  });
});

test('the next vehicle has the lowest number that is free', () => {
  expect(nextNumber([])).toBe(1);
  expect(nextNumber([1, 2, 4])).toBe(3);
});

test('who waits is shown by household, first in turn first', () => {
  const waiting = ['a', 'b', 'a'].map((household, n) => ({ household, n }));
  expect(
    [...grouped(waiting, (one) => one.household)].map(([home, own]) => [
      home,
      own.map(({ n }) => n),
    ]),
  ).toEqual([
    ['a', [0, 2]],
    ['b', [1]],
  ]);
});

test('a form that was open keeps what another desk changed, and changes what was touched', () => {
  const opened = { label: 'Bus', seats: 20, deputies: ['P1'] };
  const now = { label: 'Red bus', seats: 22, deputies: ['P1'] };
  expect(keeping(now, opened, { ...opened, seats: 18 })).toEqual({ ...now, seats: 18 });
  expect(keeping(now, opened, { ...opened, deputies: ['P1', 'P2'] }).deputies).toHaveLength(2);
  expect(keeping(now, opened, { ...opened })).toEqual(now);
});
