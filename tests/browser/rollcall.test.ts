/** One roll call from its opening to its close, at the desk and on the phones. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answer, linkPhone, look, openRollCall, signIn, total } from './acts.ts';
import { openBrowser, openScreen, PHONE } from './browser.ts';
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

test('a roll call is opened, answered and followed live', async () => {
  const desk = await signIn(browser, station);
  expect(desk.page.url()).not.toContain('login');
  const phone = await linkPhone(browser, station);
  expect(phone.page.url()).not.toContain('enrol');

  const population = await openRollCall(desk.page, 'Are you safe?');
  expect(population).toBeGreaterThan(50);
  await expect.poll(() => total(desk.page, 'unaccounted')).toBe(population);

  await look(phone.page);
  await phone.page.getByRole('heading', { name: 'Are you safe?' }).waitFor();
  await answer(phone.page, 'safe');
  await phone.page.locator('[data-state=received]').first().waitFor();

  await expect.poll(() => total(desk.page, 'safe')).toBe(1);
  await expect.poll(() => total(desk.page, 'unaccounted')).toBe(population - 1);
  const row = desk.page.locator(`[data-list=unaccounted] [data-person="${phone.ref}"]`);
  await expect.poll(() => row.count()).toBe(0);

  await answer(phone.page, 'need_help');
  const help = desk.page.locator(`[data-list=need_help] [data-person="${phone.ref}"]`);
  await help.waitFor();
  await expect.poll(() => total(desk.page, 'safe')).toBe(0);

  await desk.page.getByRole('button', { name: 'Close roll call' }).click();
  await desk.page.getByRole('button', { name: 'Close it' }).click();
  await desk.page.getByText('At close').first().waitFor();
  expect([...desk.faults, ...phone.faults]).toEqual([]);
});

test('one answers for family, and the note reaches the desk', async () => {
  const desk = await signIn(browser, station);
  await openRollCall(desk.page, 'Second call');
  for (let i = 0; i < 6; i++) {
    const phone = await linkPhone(browser, station);
    const child = phone.page.locator('.pad.small button.away').first();
    if (!(await child.count())) continue;
    await child.click();
    await phone.page.locator('li [data-state=received]').waitFor();
    await phone.page.locator('textarea').fill('Third floor, with two children');
    await answer(phone.page, 'need_help');
    await expect.poll(() => total(desk.page, 'away')).toBe(1);
    const row = desk.page.locator(`[data-list=need_help] [data-person="${phone.ref}"]`);
    await row.getByText('Third floor, with two children').waitFor();
    return;
  }
  throw new Error('none of the enrolled colleagues has family to answer for');
});

test('an exercise says so on every screen', async () => {
  const desk = await signIn(browser, station);
  await openRollCall(desk.page, 'Quarterly drill', 'exercise');
  await desk.page.locator('main .exercise').first().waitFor();
  const phone = await linkPhone(browser, station);
  await phone.page.getByRole('button', { name: /Quarterly drill/ }).click();
  await phone.page.getByText('This is an exercise.').waitFor();
  expect(await phone.page.getByRole('button', { name: 'Add my place' }).count()).toBe(0);
  await expect.poll(() => phone.page.title()).toContain('EXERCISE');
});

test('a wrong code is refused in words, and nothing is kept', async () => {
  const { page } = await openScreen(browser, PHONE);
  await page.goto(`${station.url}/phone/#enrol=WRONG-CODE`);
  await page.getByText('This code was not accepted').waitFor();
  await page.reload();
  await page.getByLabel('Code').waitFor();
  expect(await page.getByText('This code was not accepted').count()).toBe(0);
});
