import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Api } from '@muster/shared/api/client.ts';
import { createApi } from '@muster/shared/api/client.ts';
import type {
  AlertNode,
  AlertTree,
  BranchAlert,
  BranchList,
  BranchPerson,
  Status,
} from '@muster/shared/api/types.ts';
import { callsOf, sections } from '../src/state/calldown.ts';
import { Ward } from '../src/state/ward.svelte.ts';
import { Store, type Entry } from '../src/transport/store.ts';
import { asksOf, isSettled } from '../src/transport/ward.ts';

const time = (minute: number) => `2026-11-23T09:${String(minute).padStart(2, '0')}:00Z`;

function call(id: string, more: Partial<BranchAlert> = {}): BranchAlert {
  return {
    id,
    kind: 'rollcall',
    severity: 'urgent',
    title: id,
    exercise: false,
    opened_at: time(0),
    people: 4,
    silent: 2,
    ...more,
  };
}

function person(ref: string, status: Status | null, at = 1): BranchPerson {
  const said = status === null || status === 'unaccounted' ? null : time(at);
  return {
    ref,
    name: ref,
    category: 'national',
    area: { code: 'N', name: 'North' },
    agency: 'A',
    sponsor: null,
    expected: 'here',
    reach: 'push',
    phones: [],
    devices: 0,
    heard_at: null,
    answered_at: null,
    position_age_s: null,
    alerts: status
      ? [
          {
            alert_id: 'A',
            status,
            event_at: said,
            received_at: said,
            late: false,
            reporter: said ? 'self' : null,
          },
        ]
      : [],
  };
}

function list(items: BranchPerson[], alerts = [call('A')]): BranchList {
  return { as_of: time(2), nodes: [], alerts, population: items.length, items, next: null };
}

let seq = 0;
function entry(ref: string, status: 'safe' | 'need_help', state: Entry['state']): Entry {
  seq += 1;
  return {
    seq,
    author: 'W1',
    state,
    body: { id: `e${seq}`, status, at: time(5), alert_id: 'A', for: ref },
    ...(state === 'received' ? { event_at: time(5), received_at: time(5) } : {}),
  };
}

const order = (items: BranchPerson[], entries: Entry[] = []) =>
  sections(list(items), call('A'), entries).map(({ status, people }) => [
    status,
    people.map(({ ref }) => ref).join(),
  ]);

describe('the order to call', () => {
  test('need help, the silent, then the rest; who is not asked comes last', () => {
    const people = [
      person('a', 'safe'),
      person('b', null),
      person('c', 'unaccounted'),
      person('d', 'need_help'),
      person('e', 'unaccounted'),
    ];
    expect(order(people)).toEqual([
      ['need_help', 'd'],
      ['unaccounted', 'c,e'],
      ['safe', 'a'],
      [null, 'b'],
    ]);
  });

  test('a report that only this phone has accounts for nobody; a cry for help counts at once', () => {
    const people = [person('c', 'unaccounted')];
    expect(order(people, [entry('c', 'safe', 'saved')])).toEqual([['unaccounted', 'c']]);
    expect(order(people, [entry('c', 'safe', 'received')])).toEqual([['safe', 'c']]);
    expect(order(people, [entry('c', 'need_help', 'saved')])).toEqual([['need_help', 'c']]);
  });

  test('what she said later than the report stands', () => {
    const later = [person('c', 'need_help', 9)];
    expect(order(later, [entry('c', 'safe', 'received')])).toEqual([['need_help', 'c']]);
  });

  test('actual roll calls come before exercises; messages ask nobody', () => {
    const alerts = [
      call('drill', { exercise: true, severity: 'life_safety' }),
      call('note', { kind: 'advisory' }),
      call('real', { severity: 'routine' }),
    ];
    expect(callsOf(list([], alerts)).map(({ id }) => id)).toEqual(['real', 'drill']);
    expect(callsOf(null)).toEqual([]);
  });
});

const node = (name: string, state: AlertNode['state'], charge: string | null) =>
  ({
    node: name,
    label: name,
    state,
    in_charge: charge && { ref: charge, name: charge },
    next: { act: 'open_branch', due_at: time(4) },
  }) as AlertNode;

test('she is asked only for branches that wait for her', () => {
  const nodes = [
    node('mine', 'asked', 'W1'),
    node('open', 'open', 'W1'),
    node('hers', 'asked', 'W2'),
    node('later', 'waiting', null),
  ];
  expect(asksOf({ alert_id: 'A', nodes } as AlertTree, true, 'W1')).toEqual([
    { alert_id: 'A', exercise: true, label: 'mine', opens_at: time(4) },
  ]);
});

test('an alert is asked about until all its branches are open, also before it has any', () => {
  const tree = (...nodes: AlertNode[]) => ({ alert_id: 'A', nodes }) as AlertTree;
  expect(isSettled(tree())).toBe(false);
  expect(isSettled(tree(node('a', 'open', null), node('b', 'waiting', null)))).toBe(false);
  expect(isSettled(tree(node('a', 'open', null), node('b', 'skipped', null)))).toBe(true);
});

describe('the branch on this phone', () => {
  let store: Store;
  let served: (path: string) => Response;
  let asked: string[];
  let api: Api;

  beforeEach(async () => {
    globalThis.indexedDB = new IDBFactory();
    store = await Store.open();
    asked = [];
    served = () => Response.json(list([person('a', 'safe')], []));
    api = createApi({
      baseUrl: 'http://server.test',
      fetch: async (request) => {
        asked.push(new URL(request.url).pathname);
        return served(new URL(request.url).pathname);
      },
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function wardOf(author: string): Promise<Ward> {
    const ward = new Ward(store, api);
    await ward.open(author);
    return ward;
  }

  test('the last list is there without a network, with its age', async () => {
    await (await wardOf('W1')).refresh();
    served = () => {
      throw new TypeError('no network');
    };
    const again = await wardOf('W1');
    await again.refresh();
    expect(again.list?.items.map(({ ref }) => ref)).toEqual(['a']);
    expect(again.heardAt).toBeLessThanOrEqual(Date.now());
  });

  test('another person’s list is not shown, and is forgotten', async () => {
    await (await wardOf('W1')).refresh();
    expect((await wardOf('W2')).list).toBeNull();
    expect((await wardOf('W1')).list).toBeNull();
  });

  test('who is no warden any more keeps no names', async () => {
    const ward = await wardOf('W1');
    await ward.refresh();
    const body = { type: 'x', title: 'x', status: 403, detail: 'x', code: 'forbidden' };
    served = () => Response.json({ ...body, retryable: false }, { status: 403 });
    await ward.refresh();
    expect(ward.list).toBeNull();
    expect((await wardOf('W1')).list).toBeNull();
  });

  test('what is on its way when she is relieved is not kept', async () => {
    const ward = await wardOf('W1');
    served = () => {
      void ward.forget();
      return Response.json(list([person('a', 'safe')], []));
    };
    await ward.refresh();
    expect(ward.list).toBeNull();
    expect((await wardOf('W1')).list).toBeNull();
  });

  test('a list that a build of before left in the clear is sealed, and is there', async () => {
    const items = [person('a', 'safe')];
    await store.set('branch', { author: 'W1', list: list(items), asks: [], heardAt: 1 });
    expect((await wardOf('W1')).list?.items).toEqual(items);
    expect(await store.get('branch')).toBeNull();
    expect((await wardOf('W1')).list?.items).toEqual(items);
  });

  test('“I take it” is kept until the server has it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const ward = await wardOf('W1');
    served = () => {
      throw new TypeError('no network');
    };
    await ward.take('A');
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    expect(await store.get('takes')).toEqual(['A']);
    served = (path) =>
      Response.json(path.endsWith('/acknowledge') ? { opened: ['N'] } : list([], []));
    await vi.advanceTimersByTimeAsync(5_000);
    await vi.waitFor(() => expect(ward.takes).toEqual([]));
    expect(asked.filter((path) => path === '/v1/alerts/A/acknowledge')).toHaveLength(2);
    expect(await store.get('takes')).toEqual([]);
  });
});
