/** A checker's phone over reloads, dead networks and second thoughts: no scan is lost, none is twice. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Problem, Unreachable } from '@muster/shared/api/problem.ts';
import { BOARD, begun, good, ME, open, person, reset, send, states, world } from './checkpoint.ts';
import vectors from './codes.json';

beforeEach(reset);

describe('without a network', () => {
  test('the list, the task and every scan are there after the page was killed', async () => {
    const { checker } = await begun();
    expect((await checker.scan(good.code))?.judged.verdict).toBe('good');
    await checker.tick(person('P2'));
    world.list = () => Promise.reject(new Unreachable('offline'));
    const again = await open();
    await again.checker.refresh();
    expect(again.checker.trouble).toBe('offline');
    expect(again.checker.task).toEqual(BOARD);
    expect(again.checker.index?.byRef.size).toBe(2);
    expect(states(again)).toEqual(['saved', 'saved']);
    expect((await again.checker.scan(good.code))?.judged.verdict).toBe('again');
    await send(again);
    expect([...world.server.kept.values()].map((one) => [one.for, one.code])).toEqual([
      ['P1', good.code],
      ['P2', undefined],
    ]);
    expect(states(again)).toEqual(['received', 'received']);
    expect(await again.post.read()).toEqual([]);
  });

  test('killed between the scan and its report, it is sent all the same, once', async () => {
    const { checker, post } = await begun();
    post.write = () => Promise.reject(new Error('killed'));
    await expect(checker.scan(good.code)).rejects.toThrow('killed');
    const again = await open();
    expect(await again.post.read()).toHaveLength(1);
    await send(again);
    expect(world.server.kept.size).toBe(1);
    expect(states(again)).toEqual(['received']);
  });

  test('nothing that names anybody is on the disk in the clear', async () => {
    await begun();
    const db = await new Promise<IDBDatabase>((done) => {
      const asked = indexedDB.open('muster-sealed');
      asked.onsuccess = () => done(asked.result);
    });
    const rows = await new Promise<{ text: ArrayBuffer }[]>((done) => {
      const asked = db.transaction('rows').objectStore('rows').getAll();
      asked.onsuccess = () => done(asked.result);
    });
    expect(rows.length).toBeGreaterThan(0);
    for (const { text } of rows) expect(new TextDecoder('latin1').decode(text)).not.toContain('P1');
  });
});

describe('a second thought', () => {
  test('before anything was sent takes the scan out', async () => {
    const page = await begun();
    const outcome = await page.checker.scan(good.code);
    expect(await page.checker.log.undo(outcome!.scan!)).toBe(true);
    const again = await open();
    await send(again);
    expect(world.server.kept.size).toBe(0);
    expect((await again.checker.scan(good.code))?.judged.verdict).toBe('good');
  });

  test('after it was tried to be sent is a further report: the answer may have been lost', async () => {
    const page = await begun();
    const outcome = await page.checker.scan(good.code);
    world.server.deaf = true;
    page.post.sendSoon(ME);
    await expect.poll(() => world.server.kept.size).toBe(1);
    expect(await page.checker.log.undo(outcome!.scan!)).toBe(false);
    world.server.deaf = false;
    const place = { ...BOARD, stage: 'at_point', vehicle: null, point: 'GATE' } as const;
    await page.checker.correct(outcome!.scan!, place);
    await send(page);
    expect([...world.server.kept.values()].map(({ stage }) => stage)).toEqual([
      'boarded',
      'at_point',
    ]);
    expect(page.checker.standings?.get('P1')).toMatchObject({ stage: 'at_point', point: 'GATE' });
  });
});

describe('what the server says', () => {
  test('names whom a code was that this list did not know', async () => {
    const page = await begun();
    const stranger = vectors.good.find(({ handle }) => handle !== good.handle)!.code;
    expect((await page.checker.scan(stranger))?.judged.verdict).toBe('unknown');
    await send(page);
    expect([...world.server.kept.values()]).toMatchObject([{ code: stranger }]);
    expect(page.checker.scans).toMatchObject([{ ref: 'P9', state: 'received' }]);
  });

  test('a refusal stays until somebody has seen to it, and counts nobody', async () => {
    const page = await begun();
    world.server.refuses = good.code;
    await page.checker.scan(good.code);
    await send(page);
    const again = await open();
    expect(again.checker.refused).toMatchObject([{ problem: { code: 'code_invalid' } }]);
    expect(again.checker.standings?.get('P1')?.stage).toBe('ready');
    world.server.refuses = '';
    await again.checker.log.retry(again.checker.refused[0]!);
    await send(again);
    expect(states(again)).toEqual(['received']);
  });

  test('that she checks it no more takes the list away, and not what is unsent', async () => {
    const page = await begun();
    await page.checker.scan(good.code);
    await page.post.heard(ME, null);
    const again = await open([]);
    expect(again.checker.kept).toBeNull();
    expect(states(again)).toEqual(['saved']);
    await send(again);
    expect(world.server.kept.size).toBe(1);
    const problem = { status: 404, code: 'not_found', title: '', type: '', detail: '' };
    world.list = () => Promise.reject(new Problem({ ...problem, retryable: false }));
    const late = await open();
    await late.checker.refresh();
    expect(late.checker.trouble).toBe('not_hers');
  });
});
