/** A warden's phone: her branch of a cascade, her people, and a report that outlives the network. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kept, linkPhone, look, openRollCall, sealed, signIn, total } from './acts.ts';
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

/** A browser of the tests takes no push: an address of its own makes its owner one to be asked. */
async function takesPush(phone: Page): Promise<void> {
  const status = await phone.evaluate(async () => {
    const token = await new Promise<string>((done) => {
      indexedDB.open('muster').onsuccess = ({ target }) => {
        const db = (target as IDBOpenDBRequest).result;
        const get = db.transaction('facts').objectStore('facts').get('device');
        get.onsuccess = () => done((get.result as { token: string }).token);
      };
    });
    const answer = await fetch('/v1/self/push', {
      method: 'PUT',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ kind: 'fcm', token: 'browser-test-warden' }),
    });
    return answer.status;
  });
  expect(status).toBe(204);
}

test('she opens her branch, sees her people without a network, and reports for one', async () => {
  const phone = await linkPhone(browser, station);
  await takesPush(phone.page);
  const desk = await signIn(browser, station);
  await openRollCall(desk.page, 'Down the tree', 'exercise', 'cascade');

  const ask = phone.page.locator('[data-ask]');
  await expect.poll(() => look(phone.page).then(() => ask.count())).toBe(1);
  expect(await ask.innerText()).toContain('EXERCISE');
  expect(await accessibilityFaults(phone.page)).toEqual([]);
  await ask.getByRole('button').click();
  await ask.waitFor({ state: 'detached' });
  const top = desk.page.locator('[data-node=DO] > .row');
  await expect.poll(() => top.innerText()).toMatch(/^Acknowledged/m);

  await phone.page.locator('[data-page=people]').click();
  const silent = phone.page.locator('details.unaccounted [data-person]');
  await expect.poll(() => look(phone.page).then(() => silent.count())).toBeGreaterThan(5);
  expect(await phone.page.locator('.exercise-bar strong').innerText()).toBe('EXERCISE');
  expect(await phone.page.locator('a.call').first().getAttribute('href')).toMatch(/^tel:\+\d+$/);
  expect(await accessibilityFaults(phone.page)).toEqual([]);
  expect(await overflow(phone.page)).toBe(0);

  const name = await phone.page.locator('[data-person] h3').first().innerText();
  await expect.poll(async () => (await sealed(phone.page, name)).rows).toContain('branch');
  expect((await sealed(phone.page, name)).inTheClear).toBe(false);
  expect(await kept(phone.page, 'branch', 'muster')).toBeUndefined();

  await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await phone.context.setOffline(true);
  await phone.page.reload();
  await phone.page.locator('[data-page=people]').click();
  const first = silent.first();
  const ref = await first.getAttribute('data-person');
  await first.locator('.report').click();
  await first.locator('.choices button.safe').click();
  expect(await first.locator('.question').innerText()).toContain('EXERCISE:');
  await first.locator('.question .primary').click();
  // she is not safe before the server has it
  const card = phone.page.locator(`[data-person="${ref}"]`);
  await card.locator('[data-state=saved]').waitFor();
  expect(await silent.first().getAttribute('data-person')).toBe(ref);

  await phone.context.setOffline(false);
  await phone.page.evaluate(() => window.dispatchEvent(new Event('online')));
  await phone.page.locator('details.safe summary').click();
  await phone.page.locator(`details.safe [data-person="${ref}"]`).waitFor();
  await expect.poll(() => total(desk.page, 'safe')).toBe(1);
  expect(phone.faults).toEqual([]);
});

test('her page is mirrored in Arabic and stays in 360 pixels', async () => {
  const { page, faults } = await linkPhone(browser, station, { locale: 'ar' });
  await page.locator('[data-page=people]').click();
  await page.locator('[data-person]').first().waitFor();
  expect(await overflow(page)).toBe(0);
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(faults).toEqual([]);
});
