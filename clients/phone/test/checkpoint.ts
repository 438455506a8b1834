/** A checker's phone before a server that records by id, for tests of what becomes of her scans. */
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { expect } from 'vitest';
import { createApi } from '@muster/shared/api/client.ts';
import type { CheckList, Listed, SelfCheck, StageReport } from '@muster/shared/api/types.ts';
import { Checker } from '../src/state/checker/checker.svelte.ts';
import { Post } from '../src/state/checker/post.svelte.ts';
import type { Task } from '../src/state/checker/scans.ts';
import vectors from './codes.json';

export const ME = 'C1';
export const CHECK: SelfCheck = { id: 'M1', title: 'North', exercise: false, state: 'active' };
export const BOARD: Task = { movement: 'M1', stage: 'boarded', vehicle: 'V1', point: null };
export const good = vectors.good[0]!;

/** A server that records by id, behind a network that can be told to fail. */
export class Server {
  readonly kept = new Map<string, StageReport>();
  online = true;
  /** the answer is lost on its way back */
  deaf = false;
  refuses = '';

  readonly fetch = async (request: Request): Promise<Response> => {
    if (!this.online) throw new TypeError('offline');
    const { items } = (await request.json()) as { items: StageReport[] };
    const results = items.map((item) => this.take(item));
    if (this.deaf) throw new TypeError('cut');
    return Response.json({ items: results }, { status: 201 });
  };

  private take(item: StageReport): object {
    const { id, stage, at } = item;
    if (item.code === this.refuses)
      return { id, error: { code: 'code_invalid', detail: 'No.', status: 422, retryable: false } };
    this.kept.set(id, item);
    return { id, person: item.for ?? 'P9', stage, event_at: at, received_at: at };
  }
}

/** what a test may change; `reset` begins anew, with an empty disk */
export const world = {
  server: new Server(),
  /** so long a scan may be taken out before it is sent */
  hold: 0,
  list: (): Promise<CheckList> => Promise.resolve(bundle()),
};

export function reset(): void {
  globalThis.indexedDB = new IDBFactory();
  const list = () => Promise.resolve(bundle());
  Object.assign(world, { server: new Server(), hold: 0, list });
}

export function person(ref: string, more: Partial<Listed> = {}): Listed {
  const stand = { stage: 'ready', vehicle_no: null, point: null };
  const own = { handle: null, counter: null, ref, name: `Name ${ref}`, household: ref };
  return { ...own, ...stand, category: 'national', seats: [1], ...more };
}

function bundle(): CheckList {
  return {
    movement: 'M1',
    as_of: new Date().toISOString(),
    expires_at: new Date(Date.now() + 172_800_000).toISOString(),
    keys: vectors.keys,
    people: [person('P1', { handle: good.handle, counter: good.counter }), person('P2')],
    points: [{ id: 'GATE', kind: 'concentration', name: 'Gate' }],
    legs: [{ id: 'L1', from: 'GATE', to: 'HAVEN' }],
    vehicles: [{ id: 'V1', leg: 'L1', number: 1, seats: 9, state: 'planned' }],
  } as unknown as CheckList;
}

/** The page, opened (again) on this phone. */
export async function open(checks = [CHECK]): Promise<{ checker: Checker; post: Post }> {
  const api = createApi({
    baseUrl: 'http://server.invalid',
    fetch: world.server.fetch,
  });
  const post = await Post.open(api, () => undefined, world.hold);
  const checker = new Checker(
    ME,
    post.sealed,
    post,
    () => world.list(),
    () => 0,
  );
  await checker.open(checks);
  return { checker, post };
}

export async function begun(): Promise<{ checker: Checker; post: Post }> {
  const page = await open();
  await page.checker.refresh();
  await page.checker.check(BOARD);
  return page;
}

/** Sends what there is to send, and looks what became of it. */
export async function send({ checker, post }: { checker: Checker; post: Post }): Promise<void> {
  post.sendSoon(ME);
  await expect
    .poll(async () => (await post.read()).every((one) => one.state !== 'saved'))
    .toBe(true);
  await checker.log.settle();
}

export const states = ({ checker }: { checker: Checker }) =>
  checker.log.all.map(({ state }) => state);
