/** What a checker scanned, over two tabs, a killed page and a full disk. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { begun, CHECK, good, ME, open, person, reset, send, states, world } from './checkpoint.ts';

beforeEach(reset);
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('two tabs', () => {
  test('show what either scans, and neither sends what the other took out', async () => {
    const one = await begun();
    const first = await one.checker.scan(good.code);
    const other = await open();
    await one.checker.tick(person('P2'));
    await other.checker.log.settle();
    expect(other.checker.standings?.get('P2')?.stage).toBe('boarded');
    expect(await one.checker.log.undo(first!.scan!)).toBe(true);
    await other.checker.log.settle();
    expect(other.checker.scans.map(({ ref }) => ref)).toEqual(['P2']);
    await send(other);
    await one.checker.log.settle();
    expect([...world.server.kept.values()].map((sent) => sent.for)).toEqual(['P2']);
    expect([states(one), states(other)]).toEqual([['received'], ['received']]);
  });

  test('what another tab has settled already is not sent anew', async () => {
    const one = await begun();
    await one.checker.scan(good.code);
    const other = await open();
    await send(one);
    const asked = vi.spyOn(other.post, 'write');
    await other.checker.log.settle();
    expect(asked).not.toHaveBeenCalled();
    expect(states(other)).toEqual(['received']);
  });
});

describe('one person', () => {
  test('looked at twice in the same moment is scanned once', async () => {
    const { checker, post } = await begun();
    const outcomes = await Promise.all([checker.tick(person('P2')), checker.tick(person('P2'))]);
    expect(outcomes.map((one) => one?.judged.verdict)).toEqual(['good', 'again']);
    expect(await post.read()).toHaveLength(1);
  });

  test('is not kept waiting while a day of scans is settled', async () => {
    const page = await begun();
    const many = Array.from({ length: 90 }, (_, n) => person(`Q${n}`));
    for (const one of many) await page.checker.tick(one);
    page.post.sendSoon(ME);
    await expect.poll(() => world.server.kept.size).toBe(90);
    const settled = page.checker.log.settle();
    await page.checker.scan(good.code);
    expect(states(page).filter((state) => state === 'received').length).toBeLessThan(90);
    await settled;
  });
});

describe('a page that is killed', () => {
  test('before it put a received report away leaves nothing of it', async () => {
    const page = await begun();
    await page.checker.scan(good.code);
    page.post.discard = () => Promise.reject(new Error('killed'));
    await expect(send(page)).rejects.toThrow('killed');
    const again = await open();
    expect([await again.post.read(), states(again)]).toEqual([[], ['received']]);
  });

  test('before it put a refused one away at her wish asks no more', async () => {
    const page = await begun();
    world.server.refuses = good.code;
    await page.checker.scan(good.code);
    await send(page);
    page.post.discard = () => Promise.reject(new Error('killed'));
    await expect(page.checker.log.discard(page.checker.refused[0]!)).rejects.toThrow('killed');
    const again = await open();
    expect([await again.post.read(), states(again)]).toEqual([[], []]);
  });

  test('loses no scan whose own record is gone: its report names it', async () => {
    const page = await begun();
    await page.checker.scan(good.code);
    await page.post.sealed.wipe();
    const again = await open();
    expect(again.checker.scans).toMatchObject([{ ref: 'P1', vehicle: 'V1', state: 'saved' }]);
  });

  test('or left in the seconds of a second thought sends all the same', async () => {
    world.hold = 60_000;
    const page = await begun();
    await page.checker.scan(good.code);
    const register = vi.fn(() => Promise.resolve());
    const ready = Promise.resolve({ sync: { register } });
    vi.stubGlobal('navigator', { onLine: true, serviceWorker: { ready } });
    page.post.sendSoon(ME);
    vi.stubGlobal('document', { visibilityState: 'hidden' });
    page.post.leave();
    await expect.poll(() => world.server.kept.size).toBe(1);
    expect(register).toHaveBeenCalledWith('outbox');
  });
});

test('a network that is away for long is left to the worker, too', async () => {
  const page = await begun();
  world.server.online = false;
  const register = vi.fn(() => Promise.resolve());
  const ready = Promise.resolve({ sync: { register } });
  vi.stubGlobal('navigator', { onLine: true, serviceWorker: { ready } });
  await page.checker.scan(good.code);
  page.post.sendSoon(ME);
  await expect.poll(() => register.mock.calls).toContainEqual(['outbox']);
});

test('a disk that is full holds nothing twice, and what was taken out stays out', async () => {
  const page = await begun();
  const outcome = await page.checker.scan(good.code);
  const put = IDBObjectStore.prototype.put;
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
    this: IDBObjectStore,
    ...all
  ) {
    if (this.name === 'rows') throw new DOMException('full', 'QuotaExceededError');
    return put.apply(this, all);
  });
  expect(await page.checker.log.undo(outcome!.scan!)).toBe(true);
  await page.checker.tick(person('P2'));
  expect(page.checker.durable).toBe(true);
  await page.checker.log.reload();
  expect(page.checker.scans.map(({ ref }) => ref)).toEqual(['P2']);
  vi.restoreAllMocks();
  const again = await open();
  await send(again);
  expect([...world.server.kept.values()].map((sent) => sent.for)).toEqual(['P2']);
});

test('what was refused stays in sight when she checks another movement', async () => {
  const page = await begun();
  world.server.refuses = good.code;
  await page.checker.scan(good.code);
  await send(page);
  const again = await open([{ ...CHECK, id: 'M2' }]);
  expect(again.checker.scans).toEqual([]);
  expect(again.checker.refused).toMatchObject([{ movement: 'M1', ref: 'P1' }]);
});
