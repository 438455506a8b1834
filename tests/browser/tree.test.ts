/** The communication tree on screen: a cascade at work, and what a desk may do about it. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRollCall, reachableBy, signIn } from './acts.ts';
import { accessibilityFaults, openBrowser, overflow } from './browser.ts';
import { Station } from './station.ts';

let browser: Browser;
let station: Station;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start()]);
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

test('a cascade is shown in words, and the desk opens a branch after a question', async () => {
  await reachableBy(station);
  const { page, faults } = await signIn(browser, station);
  await openRollCall(page, 'Down the tree', 'exercise', 'cascade');
  const top = page.locator('[data-node=DO] > .row');
  await expect.poll(() => top.innerText()).toContain('Not acknowledged');
  expect(await top.innerText()).toMatch(/Opens by itself\s+in \d+ min/);
  const below = page.locator('[data-node=DO] ul .row').first();
  expect(await below.innerText()).toContain('until Designated Official opens');
  expect(await page.locator('.exercise strong').innerText()).toBe('EXERCISE');
  expect(await accessibilityFaults(page)).toEqual([]);

  await top.getByRole('button', { name: 'Open now' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Open it' }).click();
  await expect.poll(() => top.innerText()).toContain('Opened by the duty desk, without an answer');
  expect(await top.innerText()).not.toMatch(/^Acknowledged/m);
  // nobody below has a phone, so the branches do not wait for anybody
  await expect.poll(() => below.innerText()).toContain('Nobody who leads it can be told');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await overflow(page)).toBe(0);
  expect(faults).toEqual([]);
});
