import { expect, describe, test } from 'vitest';
import type { SelfLeg, SelfMovement, SelfMover } from '@muster/shared/api/types.ts';
import { draftsOf, vehiclesOf } from '../src/state/movement/saying.ts';
import {
  apart,
  leftOver,
  legOf,
  moversOf,
  shownOf,
  together,
  type Shown,
} from '../src/state/movement/standing.ts';
import type { StageEntry } from '../src/transport/stages.ts';

const ME = 'P1';
const HEARD = '2026-11-23T10:00:00Z';
const point = (name: string, haven = false) => ({ id: `id of ${name}`, name, haven });
const [GATE, CAMP, BORDER, HAVEN] = [
  point('GATE'),
  point('CAMP'),
  point('BORDER'),
  point('HAVEN', true),
];

function leg(
  id: string,
  position: number,
  from: typeof GATE,
  to: typeof GATE,
  at: number,
): SelfLeg {
  const hour = (hours: number) => `2026-11-23T${hours}:00:00Z`;
  const times = { departs_at: hour(at), arrives_at: hour(at + 2) };
  return { id, kind: 'road', position, from: from!, to: to!, state: 'planned', ...times };
}
const LEGS = [leg('first', 1, GATE!, BORDER!, 11), leg('second', 2, BORDER!, HAVEN!, 14)];

function mover(ref: string, more: Partial<SelfMover> = {}): SelfMover {
  return {
    ref,
    name: ref,
    stage: 'listed',
    vehicle_no: null,
    vehicle: null,
    leg: null,
    point_id: null,
    point: null,
    since: null,
    late: false,
    seats: [],
    ...more,
  };
}
const seat = (leg: string, vehicle_no: number) => ({ leg, vehicle_no, vehicle: 'Bus', seat: 7 });

function movement(people: SelfMover[], legs: SelfLeg[] = LEGS): SelfMovement {
  return {
    id: 'M1',
    kind: 'relocation',
    reach: 'inside',
    title: 'North',
    exercise: false,
    state: 'active',
    stage: people[0]?.stage ?? null,
    vehicle_no: null,
    vehicle: null,
    point: null,
    since: null,
    seats: [],
    people,
    legs,
  };
}

let seq = 0;
function said(more: Partial<StageEntry['body']>, entry: Partial<StageEntry> = {}): StageEntry {
  const body = { id: `r${++seq}`, movement: 'M1', stage: 'ready', at: HEARD, ...more } as const;
  return { seq, author: ME, state: 'saved', body, ...entry };
}

function shown(whole: SelfMovement, entries: StageEntry[] = []): Shown[] {
  return moversOf(whole, { ref: ME, name: 'Me' }).map((one) =>
    shownOf(whole, one, entries, ME, HEARD),
  );
}

describe('what is known and what is only said', () => {
  test('a word that is not received leaves her where the server knows her, and leads the questions', () => {
    const whole = movement([mover(ME, { stage: 'ready' })]);
    const [me] = shown(whole, [said({ stage: 'boarded', vehicle: 12 })]);
    expect(me!.stand.stage).toBe('ready');
    expect(me!.said).toEqual({ stage: 'boarded', vehicle: 12, point: null });
  });

  test('a received word leads until the server told of it; what it told later stands', () => {
    const whole = movement([mover(ME, { stage: 'in_question' })]);
    const word = (received_at: string) =>
      said({ stage: 'ready' }, { state: 'received', received_at });
    expect(shown(whole, [word('2026-11-23T10:00:01Z')])[0]!.said.stage).toBe('ready');
    expect(shown(whole, [word('2026-11-23T09:59:59Z')])[0]!.said.stage).toBe('in_question');
  });

  test('each has her own words; those of another movement are not hers', () => {
    const whole = movement([mover(ME), mover('P2')]);
    const entries = [said({ for: 'P2', stage: 'arrived' }), said({ movement: 'M2' })];
    const [me, other] = shown(whole, entries);
    expect([me!.saved, other!.saved?.body.stage]).toEqual([null, 'arrived']);
  });

  test('an arrival where the journey goes on is being at that point', () => {
    const whole = movement([mover(ME, { stage: 'boarded', vehicle_no: 1, leg: 'first' })]);
    const [me] = shown(whole, [said({ stage: 'arrived', vehicle: 1, point: BORDER!.id })]);
    expect(me!.said).toEqual({ stage: 'at_point', vehicle: null, point: 'BORDER' });
    expect(legOf(whole, me!)?.id).toBe('second');
  });

  test('a server that knows of the owner alone', () => {
    const { people: _people, legs: _legs, ...older } = movement([mover(ME, { stage: 'ready' })]);
    const [me] = shown(older);
    expect([me!.own, me!.stand.stage, legOf(older, me!)]).toEqual([true, 'ready', null]);
  });

  test('words of a movement that is gone stay in sight while they need somebody', () => {
    const other = { movement: 'M2' };
    const kept = [
      said(other),
      said(other, { state: 'refused' }),
      said(other, { state: 'received', late: true }),
      said({ for: 'one who is in it no more' }),
    ];
    const entries = [...kept, said(other, { state: 'received', late: false }), said({})];
    expect(leftOver(entries, [movement([mover(ME)])], ME)).toEqual(kept);
  });

  test('of who had this phone before nothing is shown as hers, and what was not sent is not hidden', () => {
    const before = { author: 'P9' };
    const received = said({ stage: 'boarded' }, { ...before, state: 'received' });
    const refused = said({ stage: 'arrived' }, { ...before, state: 'refused' });
    const whole = movement([mover(ME), mover('P9')]);
    for (const one of shown(whole, [received, refused]))
      expect([one.received, one.refused]).toEqual([null, []]);
    expect(leftOver([received, refused], [whole], ME)).toEqual([refused]);
  });
});

describe('the leg she goes by next', () => {
  const side = [...LEGS, leg('side', 1, CAMP!, BORDER!, 12)];

  test('is that of her seat, or the only one; of several without a seat it is not known', () => {
    const [me] = shown(movement([mover(ME)]));
    expect(legOf(movement([mover(ME)]), me!)?.id).toBe('first');
    const open = movement([mover(ME)], side);
    expect(legOf(open, shown(open)[0]!)).toBeNull();
    const seated = movement([mover(ME, { seats: [seat('side', 3)] })], side);
    expect(legOf(seated, shown(seated)[0]!)?.id).toBe('side');
  });

  test('of who is aboard another vehicle than her own is the one the server names', () => {
    const aboard = { stage: 'boarded', vehicle_no: 9, leg: 'side' } as const;
    const whole = movement([mover(ME, { ...aboard, seats: [seat('first', 1)] })], side);
    expect(legOf(whole, shown(whole)[0]!)?.id).toBe('side');
  });
});

describe('a household', () => {
  test('that is in two vehicles is apart until the later one is where both lead', () => {
    const late = leg('late', 1, GATE!, BORDER!, 15);
    const whole = movement(
      [
        mover(ME, { stage: 'boarded', vehicle_no: 1, leg: 'first' }),
        mover('P2', { stage: 'at_point', point: 'GATE', seats: [seat('late', 2)] }),
      ],
      [...LEGS, late],
    );
    expect(apart(whole, shown(whole))).toEqual({ at: 'BORDER', when: late.arrives_at });
  });

  test('of which one stays is apart, and until when is not known', () => {
    const whole = movement([
      mover(ME, { stage: 'boarded', vehicle_no: 1, leg: 'first' }),
      mover('P2', { stage: 'staying' }),
    ]);
    expect(apart(whole, shown(whole))).toEqual({ at: null, when: null });
  });

  test('that has not moved, or sits in one vehicle, is together; unsent words part nobody', () => {
    const whole = movement([mover(ME, { stage: 'ready' }), mover('P2')]);
    const entries = [said({ stage: 'boarded', vehicle: 1 })];
    expect(apart(whole, shown(whole, entries))).toBeNull();
  });

  test('is meant as a whole by a word, but for who stands or sits elsewhere', () => {
    const whole = movement([
      mover(ME, { seats: [seat('first', 1)] }),
      mover('P2', { seats: [seat('first', 1)] }),
      mover('P3', { seats: [seat('first', 2)] }),
      mover('P4', { stage: 'staying', seats: [seat('first', 1)] }),
    ]);
    expect(together(whole, shown(whole))).toEqual([ME, 'P2']);
  });
});

describe('a word', () => {
  test('is one report of each; the owner is not named', () => {
    const whole = movement([mover(ME), mover('P2')]);
    const drafts = draftsOf(whole, shown(whole), { stage: 'boarded', vehicle: 12 });
    expect(drafts).toEqual([
      { movement: 'M1', stage: 'boarded', vehicle: 12 },
      { movement: 'M1', stage: 'boarded', vehicle: 12, for: 'P2' },
    ]);
  });

  test('that she arrived names what she boarded and its end, and nothing that nobody said', () => {
    const whole = movement([
      mover(ME, { stage: 'boarded', vehicle_no: 1, leg: 'first' }),
      mover('P2', { stage: 'ready', seats: [seat('first', 1)] }),
    ]);
    expect(draftsOf(whole, shown(whole), { stage: 'arrived' })).toEqual([
      { movement: 'M1', stage: 'arrived', vehicle: 1, point: BORDER!.id },
      { movement: 'M1', stage: 'arrived', for: 'P2' },
    ]);
    expect(vehiclesOf(whole, shown(whole))).toEqual([1]);
  });
});
