/** The desk's other pages: calls for help by text, the ways out, the tree before a crisis. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRollCall, signIn, total } from './acts.ts';
import { accessibilityFaults, openBrowser, overflow } from './browser.ts';
import { Station } from './station.ts';

let browser: Browser;
let station: Station;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start('own')]);
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

/** A text as the station's gateway brings it. */
async function bring(sender: string, text: string): Promise<void> {
  const answer = await fetch(`${station.url}/v1/inbound/sms/texts`, {
    method: 'POST',
    headers: { Authorization: 'Bearer browser' },
    body: new URLSearchParams({ from: sender, to: '1234', text, id: crypto.randomUUID() }),
  });
  expect(answer.status).toBe(200);
}

test('a call for help by text shows on every page, UNVERIFIED, until it is closed', async () => {
  const { page, faults } = await signIn(browser, station);
  await bring('+254700111222', 'HELP they are at the gate -1.286412,36.817273');
  const bar = page.locator('[data-bar=help]');
  await bar.waitFor();
  expect(await bar.innerText()).toContain('UNVERIFIED');
  await bar.getByRole('button').click();
  const card = page.locator('[data-help]');
  await card.waitFor();
  expect(await card.innerText()).toMatch(/UNVERIFIED[\s\S]*HELP they are at the gate/);
  await page.locator('[data-text=unverified]').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await overflow(page)).toBe(0);

  expect(await card.innerText()).not.toContain('1.286412');
  await card.getByRole('button', { name: 'Show the place' }).click();
  await card.getByText('-1.286412,36.817273').waitFor();
  await card.getByText('To respond').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);

  await card.getByRole('button', { name: 'Close this call' }).click();
  await card.getByLabel('Passed on to others').check();
  expect(await accessibilityFaults(page)).toEqual([]);
  await card.getByRole('button', { name: 'Close it' }).click();
  await bar.waitFor({ state: 'detached' });
  await page.getByText('Nobody calls for help by text.').waitFor();
  expect(faults).toEqual([]);
});

test('the ways out are shown with what waits, and whether a worker runs', async () => {
  const { page, faults } = await signIn(browser, station, 'ar');
  await page.locator('[data-page=channels]').click();
  await page.locator('[data-workers="1"]').waitFor();
  await page.locator('[data-way=sms]').first().waitFor();
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
  expect(await overflow(page)).toBe(0);
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});

test('the tree says what to mend, and a mended node is a new version', async () => {
  const { page, faults } = await signIn(browser, station);
  await page.locator('[data-page=tree]').click();
  const issue = page.locator('[data-issue=warden_unreachable], [data-issue=warden_not_fresh]');
  await issue.first().waitFor();
  await page.locator('[data-score] b').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);

  const node = page.locator('[data-tree-node=DO]');
  await node.getByRole('button', { name: /^Edit/ }).click();
  await node.getByLabel('Minutes to answer').fill('3');
  await node.getByLabel('Why (kept').fill('She sits by her phone');
  expect(await accessibilityFaults(page)).toEqual([]);
  await node.getByRole('button', { name: 'Save as a new version' }).click();
  await node.locator('form').waitFor({ state: 'detached' });
  await page.getByText('Versions', { exact: true }).click();
  await page.getByText('She sits by her phone').waitFor();
  expect(await overflow(page)).toBe(0);
  expect(faults).toEqual([]);
});

test('an exercise that has ended is scored, and is marked as one', async () => {
  const { page, faults } = await signIn(browser, station, 'ar');
  await openRollCall(page, 'Quarterly drill', 'exercise');
  await expect.poll(() => total(page, 'unaccounted')).toBeGreaterThan(0);
  const close = page.locator('.head button');
  await close.click();
  await page.locator('.question .primary').click();
  await page.locator('.question').waitFor({ state: 'detached' });
  await expect.poll(() => close.count()).toBe(0);
  await page.locator('[data-page=tree]').click();
  const scored = page.locator('[data-exercise]').first();
  await scored.waitFor();
  expect(await scored.innerText()).toContain('تمرين');
  expect(await overflow(page)).toBe(0);
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});
