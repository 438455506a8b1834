/** What a scan means, and the running count: by the list, and by what was scanned. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CheckList, Listed } from '@muster/shared/api/types.ts';
import { corrections } from '../src/state/checker/correct.ts';
import { judgeCode } from '../src/state/checker/judge.ts';
import {
  indexed,
  reportOf,
  standings,
  type Index,
  type Scan,
  type Task,
} from '../src/state/checker/scans.ts';
import { household, tally } from '../src/state/checker/tally.ts';

const MOVEMENT = 'm';
const minute = (n: number) => `2026-11-23T09:${String(n).padStart(2, '0')}:00Z`;

function person(ref: string, more: Partial<Listed> = {}): Listed {
  return {
    handle: `h-${ref}`,
    counter: 2,
    ref,
    name: `Name ${ref}`,
    category: 'national',
    household: ref,
    stage: 'at_point',
    vehicle_no: null,
    point: 'GATE',
    seats: [1],
    ...more,
  };
}

/** GATE -> BORDER by vehicles 1 and 2, BORDER -> HAVEN by 3. */
function list(people: Listed[]): CheckList {
  const point = { area: null, capacity: null, lat: null, lon: null, present: 0 };
  const leg = { kind: 'road', departs_at: null, arrives_at: null, state: 'planned' } as const;
  return {
    ...{ movement: MOVEMENT, title: 'North', exercise: false, state: 'active' },
    as_of: minute(0),
    expires_at: '2026-11-25T09:00:00Z',
    keys: [],
    people,
    points: [
      { ...point, id: 'GATE', kind: 'concentration', name: 'Gate' },
      { ...point, id: 'BORDER', kind: 'other', name: 'Border' },
      { ...point, id: 'HAVEN', kind: 'safe_haven', name: 'Haven' },
    ],
    legs: [
      { ...leg, id: 'L1', position: 1, from: 'GATE', to: 'BORDER' },
      { ...leg, id: 'L2', position: 2, from: 'BORDER', to: 'HAVEN' },
    ],
    vehicles: [1, 2, 3].map((number) => vehicle(number, number < 3 ? 'L1' : 'L2')),
  } as unknown as CheckList;
}

function vehicle(number: number, leg: string): object {
  return { id: `V${number}`, leg, number, label: `Bus ${number}`, seats: 2, state: 'planned' };
}

function index(people: Listed[], epoch = 1): Index {
  return indexed({ author: 'C', list: list(people), only: null, heardAt: 0, epoch });
}

const board = (number: number): Task => ({
  movement: MOVEMENT,
  stage: 'boarded',
  vehicle: `V${number}`,
  point: null,
});
const alight = (number: number): Task => ({ ...board(number), stage: 'arrived' });
const at = (point: string): Task => ({
  movement: MOVEMENT,
  stage: point === 'HAVEN' ? 'arrived' : 'at_point',
  vehicle: null,
  point,
});

let seq = 0;
function scan(task: Task, ref: string | null, n: number, more: Partial<Scan> = {}): Scan {
  seq += 1;
  return {
    ...task,
    id: `s${String(seq).padStart(5, '0')}`,
    author: 'C',
    at: minute(n),
    ref,
    code: null,
    verdict: 'good',
    before: null,
    state: 'saved',
    ...more,
  };
}

const known = (idx: Index, scans: Scan[] = []) => ({
  index: idx,
  standings: standings(idx, scans),
  scans,
});
const signed = (ref: string, counter = 2) =>
  ({ kind: 'signed', handle: `h-${ref}`, counter }) as const;

describe('a code', () => {
  const idx = index([
    person('A'),
    person('B', { seats: [2] }),
    person('C', { counter: null }),
    person('D', { stage: 'boarded', vehicle_no: 2, point: null }),
  ]);
  const judge = (said: Parameters<typeof judgeCode>[0], task = board(1), scans: Scan[] = []) =>
    judgeCode(said, 'M:…', task, known(idx, scans));

  test('is good, of another vehicle, of nobody known, or no code at all', () => {
    expect(judge(signed('A'))).toMatchObject({ verdict: 'good', person: { ref: 'A' } });
    expect(judge(signed('B'))).toMatchObject({ verdict: 'unlisted', person: { ref: 'B' } });
    expect(judge(signed('B'), at('GATE'))).toMatchObject({ verdict: 'good' });
    expect(judge(signed('Z'))).toMatchObject({ verdict: 'unknown', person: null });
    expect(judge({ kind: 'foreign' })).toMatchObject({ verdict: 'foreign', person: null });
  });

  test('that nothing here could check names nobody', () => {
    const unchecked = { ...signed('A'), kind: 'unchecked' } as const;
    expect(judge(unchecked)).toMatchObject({ verdict: 'unknown', person: null });
  });

  test('is revoked by a higher one, or when all are; a newer one than the list knows is good', () => {
    expect(judge(signed('A', 1)).verdict).toBe('revoked');
    expect(judge(signed('C', 9)).verdict).toBe('revoked');
    expect(judge(signed('A', 3))).toMatchObject({ verdict: 'good', newer: true });
    expect(judge(signed('A'))).toMatchObject({ newer: false });
  });

  test('shown again is the same scan, until she was somewhere else', () => {
    const first = scan(board(1), 'A', 1);
    expect(judge(signed('A'), board(1), [first])).toMatchObject({
      verdict: 'again',
      earlier: { id: first.id },
    });
    expect(judge(signed('A'), alight(1), [first]).verdict).toBe('good');
    const back = [first, scan(at('GATE'), 'A', 2)];
    expect(judge(signed('A'), board(1), back).verdict).toBe('good');
    expect(judge(signed('A'), board(1), [{ ...first, undone: true }]).verdict).toBe('good');
    expect(judge(signed('A'), board(1), [{ ...first, state: 'refused' }]).verdict).toBe('good');
  });

  test('of nobody known, shown again, is one', () => {
    const first = scan(board(1), null, 1, { code: 'M:…', verdict: 'unknown' });
    expect(judge(signed('Z'), board(1), [first]).verdict).toBe('again');
    expect(judgeCode(signed('Y'), 'M:other', board(1), known(idx, [first])).verdict).toBe(
      'unknown',
    );
  });

  test('says where she was before', () => {
    expect(judge(signed('D'))).toMatchObject({ before: { stage: 'boarded', vehicle: 'V2' } });
  });
});

test('a report names whom and by what, as the server takes it', () => {
  const coded = scan(board(1), 'A', 1, { code: 'M:…' });
  const { id } = coded;
  const body = { id, movement: 'm', stage: 'boarded', at: minute(1), vehicle: 'V1' };
  expect(reportOf(coded)).toEqual({ ...body, for: 'A', code: 'M:…' });
  expect(reportOf({ ...coded, code: null })).toEqual({ ...body, for: 'A' });
  expect(reportOf({ ...coded, ref: null })).toEqual({ ...body, code: 'M:…' });
});

describe('the running count', () => {
  const people = [
    person('A', { household: 'A' }),
    person('B', { household: 'A' }),
    person('C', { seats: [2] }),
    person('D', { stage: 'boarded', vehicle_no: 1, point: null }),
    person('E', { stage: 'staying', point: null }),
    person('F', { stage: 'listed', point: null, seats: [] }),
  ];
  const idx = index(people);
  const count = (scans: Scan[], task: Task) => tally(idx, standings(idx, scans), scans, task);
  const refs = (found: Listed[]) => found.map(({ ref }) => ref).sort();

  test('on board: by the list and by scans; missing are those with a seat who may still come', () => {
    const stranger = scan(board(1), null, 3, { code: 'M:1' });
    const scans = [scan(board(1), 'A', 1), scan(board(1), 'C', 2), stranger, { ...stranger }];
    const found = count(scans, board(1));
    expect(refs(found.here)).toEqual(['A', 'C', 'D']);
    expect(refs(found.missing)).toEqual(['B']);
    expect(refs(found.unlisted)).toEqual(['C']);
    expect([found.unknown, found.seats]).toEqual([1, 2]);
  });

  test('whom the server has named meanwhile, and no list, does not vanish from the count', () => {
    const named = scan(board(1), 'Z', 1, { code: 'M:1', verdict: 'unknown', state: 'received' });
    expect(count([named], board(1)).unknown).toBe(1);
    expect(count([named, scan(at('GATE'), 'Z', 2)], board(1)).unknown).toBe(0);
  });

  test('off a vehicle: those scanned as coming by it; missing are those still aboard', () => {
    const before = count([scan(board(1), 'A', 1)], alight(1));
    expect([refs(before.here), refs(before.missing)]).toEqual([[], ['A', 'D']]);
    const found = count([scan(board(1), 'A', 1), scan(alight(1), 'A', 2)], alight(1));
    expect([refs(found.here), refs(found.missing)]).toEqual([['A'], ['D']]);
  });

  test('at a point: who is there, and who was not seen anywhere yet', () => {
    const found = count([scan(at('GATE'), 'F', 1)], at('GATE'));
    expect(refs(found.here)).toEqual(['A', 'B', 'C', 'F']);
    expect(refs(count([], at('GATE')).missing)).toEqual(['F']);
  });

  test('neither what was taken out nor what was refused counts', () => {
    const own = scan(board(1), 'A', 1);
    expect(refs(count([{ ...own, undone: true }], board(1)).here)).toEqual(['D']);
    expect(refs(count([{ ...own, state: 'refused' }], board(1)).here)).toEqual(['D']);
  });

  test('a list that came after a scan was received speaks for it', () => {
    const received = scan(board(1), 'A', 1, { state: 'received', epoch: 1 });
    expect(standings(idx, [received]).get('A')!.stage).toBe('boarded');
    const newer = index(people, 2);
    expect(standings(newer, [received]).get('A')!.stage).toBe('at_point');
    expect(standings(newer, [{ ...received, epoch: undefined }]).get('A')!.stage).toBe('boarded');
  });

  test('of a household: who is there, and who is not', () => {
    const stands = standings(idx, [scan(board(1), 'A', 1)]);
    const { here, missing } = household(people[0]!, idx, stands, board(1));
    expect([refs(here), refs(missing)]).toEqual([['A'], ['B']]);
  });

  const tasks = [board(1), board(2), alight(1), alight(2), board(3), alight(3), at('GATE')];
  const anyScans = fc.array(
    fc.record({
      task: fc.constantFrom(...tasks, at('HAVEN')),
      ref: fc.constantFrom('A', 'B', 'C', 'D', 'F', null),
      n: fc.integer({ min: 1, max: 9 }),
      epoch: fc.constantFrom(undefined, 0, 1),
    }),
    { maxLength: 25 },
  );

  test('scans of two checkers come to the same in any order, however often each is there', () => {
    fc.assert(
      fc.property(anyScans, fc.infiniteStream(fc.nat()), fc.nat(), (made, chance, cut) => {
        const scans = made.map(({ task, ref, n, epoch }) =>
          scan(task, ref, n, { epoch, code: ref ? null : `M:${n}` }),
        );
        const [one, two] = [scans.filter((_, n) => n % 2), scans.filter((_, n) => n % 2 === 0)];
        const merged = [...two, ...one, ...scans.slice(0, cut % (scans.length + 1))];
        const luck = merged.map((each) => [chance.next().value as number, each] as const);
        const shuffled = luck.sort(([a], [b]) => a - b).map(([, each]) => each);
        for (const task of tasks) {
          const [left, right] = [count(scans, task), count(shuffled, task)];
          expect(right).toEqual(left);
        }
      }),
    );
  });

  test('everybody is either there or not; nobody is both there and missing', () => {
    fc.assert(
      fc.property(anyScans, (made) => {
        const scans = made.map(({ task, ref, n }) => scan(task, ref, n));
        for (const task of tasks) {
          const { here, missing, unlisted } = count(scans, task);
          expect(here.filter((one) => missing.includes(one))).toEqual([]);
          expect(unlisted.every((one) => here.includes(one))).toBe(true);
        }
        const aboard = [1, 2, 3].map((n) => count(scans, board(n)).here.length);
        const riding = [...standings(idx, scans).values()].filter((s) => s.stage === 'boarded');
        expect(aboard.reduce((sum, n) => sum + n)).toBe(riding.length);
      }),
    );
  });
});

describe('a scan that was a mistake, and was sent', () => {
  const idx = index([person('A')]);
  const before = { stage: 'at_point', vehicle: null, point: 'GATE' };

  test('of boarding: she is at the point she had, where the leg begins', () => {
    expect(corrections(scan(board(1), 'A', 1, { before }), idx)).toEqual([at('GATE')]);
    const ready = { ...before, stage: 'ready', point: null };
    expect(corrections(scan(board(1), 'A', 1, { before: ready }), idx)).toEqual([at('GATE')]);
  });

  test('of the wrong vehicle: she is on the one she was on, or where the leg begins', () => {
    const riding = { stage: 'boarded', vehicle: 'V2', point: null };
    const found = corrections(scan(board(1), 'A', 1, { before: riding }), idx);
    expect(found).toEqual([board(2), at('GATE')]);
  });

  test('who was placed nowhere before, or is not known, only the desk can see to', () => {
    const ready = { stage: 'ready', vehicle: null, point: null };
    expect(corrections(scan(at('GATE'), 'A', 1, { before: ready }), idx)).toEqual([]);
    expect(corrections(scan(board(1), null, 1), idx)).toEqual([]);
  });
});
