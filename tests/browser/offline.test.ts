/** What the pages do when the network or the server is away. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answer, linkPhone, look, openRollCall, signIn, total } from './acts.ts';
import { openBrowser, openScreen, PHONE } from './browser.ts';
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

test('an answer given without a network is saved, kept over a restart, then received', async () => {
  const desk = await signIn(browser, station);
  await openRollCall(desk.page, 'Are you safe?');
  const phone = await linkPhone(browser, station);
  await phone.page.getByRole('heading', { name: 'Are you safe?' }).waitFor();
  await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));

  await phone.context.setOffline(true);
  await answer(phone.page, 'safe');
  await phone.page.locator('[data-state=saved]').waitFor();
  await phone.page.reload();
  await phone.page.locator('[data-state=saved]').waitFor();
  expect(await phone.page.locator('[data-state=received]').count()).toBe(0);
  expect(await total(desk.page, 'safe')).toBe(0);

  await phone.context.setOffline(false);
  await phone.page.locator('[data-state=received]').waitFor();
  await expect.poll(() => total(desk.page, 'safe')).toBe(1);
  expect(phone.faults).toEqual([]);
});

test('an answer the server took but could not confirm is counted once', async () => {
  const desk = await signIn(browser, station);
  await openRollCall(desk.page, 'Lost answers');
  const phone = await linkPhone(browser, station, { withoutWorker: true });
  let lost = 0;
  await phone.page.route('**/v1/checkins', async (route) => {
    if (lost++) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await phone.page.getByRole('button', { name: /Lost answers/ }).click();
  await answer(phone.page, 'away');
  await expect.poll(() => total(desk.page, 'away')).toBe(1);
  await phone.page.locator('[data-state=received]').waitFor();
  expect(lost).toBeGreaterThan(1);
  expect(await total(desk.page, 'away')).toBe(1);
});

test('a lost enrolment answer does not strand a phone', async () => {
  const { page } = await openScreen(browser, { ...PHONE, withoutWorker: true });
  let tries = 0;
  await page.route('**/v1/devices', async (route) => {
    if (tries++) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await page.goto(station.enrol().link);
  await page.getByText('No answer yet').waitFor();
  await page.locator('.pad').first().waitFor();
  expect(tries).toBe(2);
});

test('a refused answer stays in sight until its owner decides', async () => {
  const phone = await linkPhone(browser, station, { withoutWorker: true });
  await phone.page.route('**/v1/checkins', async (route) => {
    const { items } = route.request().postDataJSON() as { items: { id: string }[] };
    const error = { code: 'not_found', detail: 'No such person.', status: 404, retryable: false };
    await route.fulfill({ json: { items: items.map(({ id }) => ({ id, error })) } });
  });
  await answer(phone.page, 'safe');
  const refused = phone.page.locator('[data-state=refused]');
  await refused.getByText('No such person.').waitFor();
  await phone.page.reload();
  await refused.waitFor();
  await refused.getByRole('button', { name: 'Remove' }).click();
  await expect.poll(() => refused.count()).toBe(0);
});

test('a killed server makes the board say it is not live, then it catches up', async () => {
  const desk = await signIn(browser, station);
  await openRollCall(desk.page, 'Through a crash');
  const phone = await linkPhone(browser, station);
  await phone.page.getByRole('button', { name: /Through a crash/ }).click();
  await station.order('kill');
  await desk.page.locator('[data-line=stale]').waitFor();
  await desk.page.getByText('These figures are from').waitFor();
  await answer(phone.page, 'safe');
  await phone.page.locator('[data-state=saved]').waitFor();

  await station.order('start');
  await desk.page.locator('[data-line=live]').waitFor();
  await look(phone.page);
  await phone.page.locator('[data-state=received]').waitFor();
  await expect.poll(() => total(desk.page, 'safe')).toBe(1);
});
