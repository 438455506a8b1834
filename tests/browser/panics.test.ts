/** Panics at the desk: over every page, taken by one, seen by who may, read for a reason. */
import { readFileSync } from 'node:fs';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  accessibilityFaults,
  DESK,
  openBrowser,
  openScreen,
  overflow,
  untouched,
  type Screen,
} from './browser.ts';
import { asked, moveTo, phoneOf, press, setPins, takeBack, type Phone } from './field.ts';
import { Station } from './station.ts';

const GIGIRI = { lat: -1.2326, lon: 36.8145, accuracy: 40 };

let browser: Browser;
let station: Station;
/** of the area that the zone's desk sees */
let neighbour: Phone;
const screens: Screen[] = [];

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start('own')]);
  neighbour = await phoneOf(station);
});
afterEach(async () => {
  for (const { faults } of screens) expect(faults).toEqual([]);
  await Promise.all(screens.splice(0).map(({ context }) => context.close()));
  // each test begins with nobody in need
  const { items } = await asked<{ items: { id: string; state: string }[] }>(
    station,
    'GET',
    '/v1/panics?open=true',
  );
  for (const { id, state } of items) {
    const verb = state === 'cancelled' ? 'close' : 'resolve';
    await asked(station, 'POST', `/v1/panics/${id}/${verb}`, { outcome: 'false_alarm' });
  }
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

async function sit(
  who: 'duty' | 'night' | 'zone',
  options: {
    locale?: string;
    width?: number;
    height?: number;
    dark?: boolean;
    untouched?: boolean;
  } = {},
): Promise<Page> {
  const screen = await openScreen(browser, { ...DESK, ...options });
  screens.push(screen);
  if (options.untouched) await screen.page.addInitScript(untouched);
  await screen.page.goto(who === 'duty' ? station.login() : station.loginAs(who));
  await screen.page.locator('[data-line=live]').waitFor();
  return screen.page;
}

/** Is the field below what lies over the page, and within the window? */
async function isFree(field: Locator, over: Locator, height: number): Promise<boolean> {
  const [box, cover] = [(await field.boundingBox())!, (await over.boundingBox())!];
  return box.y >= cover.y + cover.height && box.y + box.height <= height;
}

const bar = (page: Page, id: string) => page.locator(`[data-bar=panic] [data-panic="${id}"]`);

test('a panic while composing keeps what is typed, and is taken by one of two operators', async () => {
  const phone = await phoneOf(station);
  const [duty, night] = [await sit('duty'), await sit('night')];
  await duty.locator('button.new').click();
  await duty.locator('input[value=exercise]').check();
  await duty.locator('input[name=title]').fill('Drill');
  const body = duty.locator('textarea[name=body]');
  await body.click();
  await duty.keyboard.type('Answer wh');

  const id = await press(station, phone);
  await Promise.all([duty, night].map((page) => bar(page, id).waitFor()));
  expect(await bar(duty, id).innerText()).toContain(phone.name);
  // said once to who listens, not at each tick of the clock
  expect(await duty.locator('p[role=alert]').filter({ hasText: phone.name }).count()).toBe(1);

  // the field keeps the keyboard, and nothing lies over it
  await duty.keyboard.type('en you read this');
  expect(await body.inputValue()).toBe('Answer when you read this');
  expect(await body.evaluate((field) => field === document.activeElement)).toBe(true);
  await expect.poll(() => isFree(body, duty.locator('[data-bar=panic]'), DESK.height)).toBe(true);

  const sounding = (page: Page) => page.locator('.sound').getAttribute('data-sounding');
  for (const page of [duty, night]) await expect.poll(() => sounding(page)).toBe('panic');
  await bar(night, id).getByRole('button', { name: 'I take it' }).click();
  for (const page of [duty, night]) {
    await bar(page, id).waitFor({ state: 'detached' });
    await expect.poll(() => sounding(page)).toBe('');
    const owner = page.locator(`[data-in-hand="${id}"]`);
    await expect.poll(() => owner.innerText()).toContain('Night officer has it');
  }
  expect(await body.inputValue()).toBe('Answer when you read this');

  // looking at it loses nothing either
  await duty.locator(`[data-in-hand="${id}"] button`).click();
  await duty.locator('[data-panic-view=acknowledged]').waitFor();
  await duty.locator('[data-page=calls]').click();
  expect(await body.inputValue()).toBe('Answer when you read this');
});

test('a sound the browser refuses is said to be off, and a click allows it', async () => {
  const page = await sit('duty', { untouched: true });
  await press(station, await phoneOf(station));
  await page.locator('[data-bar=panic]').waitFor();
  const off = page.locator('[data-bar=panic] [data-sound=off]');
  await off.waitFor();
  // any first click allows it, and does what it was meant for
  await page.locator('button.new').click();
  await page.locator('input[value=exercise]').waitFor();
  await page.locator('.sound[data-sound=on]').waitFor();
  await expect.poll(() => off.count()).toBe(0);
  await page.locator('.sound summary').click();
  for (const sound of ['panic', 'watch', 'alarm'])
    await page.locator(`[data-test-sound=${sound}]`).click();
});

test('a covert panic is no area’s business, and the desk is told not to call', async () => {
  const [duty, zone] = [await sit('duty'), await sit('zone')];
  const covert = await press(station, neighbour, { covert: true });
  await bar(duty, covert).waitFor();
  expect(await bar(duty, covert).innerText()).toContain('COVERT: do not call or text her');
  await bar(duty, covert).getByRole('button', { name: 'Show' }).click();
  await duty.locator('[data-panic-view=open]').waitFor();
  await duty.getByText('Do not call or text.').waitFor();
  expect(await duty.locator('[data-panic-view] a[href^="tel:"]').count()).toBe(0);
  expect(await accessibilityFaults(duty)).toEqual([]);

  // what comes after it shows that the zone's line was live all the while
  await zone.locator('[data-page=panics]').click();
  const open = await asked<{ items: { id: string }[] }>(station, 'GET', '/v1/panics?open=true');
  expect(open.items.map(({ id }) => id)).toEqual([covert]);
  await press(station, neighbour);
  await bar(zone, covert).waitFor();
  expect(await bar(zone, covert).innerText()).not.toContain('COVERT');
  await bar(duty, covert).waitFor();
  await expect.poll(() => bar(duty, covert).innerText()).not.toContain('COVERT');
});

test('positions are shown for a reason, and who read them is on record', async () => {
  const phone = await phoneOf(station);
  const page = await sit('duty');
  const id = await press(station, phone, { location: GIGIRI, battery: 40 });
  await bar(page, id).getByRole('button', { name: 'Show' }).click();
  const view = page.locator('[data-panic-view]');
  await view.locator('[data-access="0"]').waitFor();
  expect(await view.innerText()).not.toContain('36.814');
  await view.locator('[data-reason=respond]').click();
  await view.locator('svg[role=img]').waitFor();
  expect(await view.locator('[data-fix]').first().innerText()).toContain('-1.23260, 36.81450');
  await view.locator('[data-access="1"]').waitFor();
  expect(await view.locator('[data-access]').innerText()).toMatch(/Duty officer\s*To respond/);
  expect(await accessibilityFaults(page)).toEqual([]);
  await view.getByRole('button', { name: /^Copy/ }).first().click();

  // a newer one is not read by itself: that, too, would be a look
  await moveTo(station, phone, id, [{ lat: -1.23, lon: 36.82 }]);
  await view.getByText('There are newer positions').waitFor();
  expect(await view.locator('[data-fix]').count()).toBe(1);
  await view.locator('[data-reason=respond]').click();
  await expect.poll(() => view.locator('[data-fix]').count()).toBe(2);
  expect(await view.locator('[data-fix]').first().innerText()).toContain('not known');

  const coming = page.waitForEvent('download');
  await view.locator('[data-act=export]').click();
  const file = JSON.parse(readFileSync(await (await coming).path(), 'utf8')) as {
    format: string;
    panic: { id: string; positions: object[] };
  };
  expect([file.format, file.panic.id]).toEqual(['muster.panic/1', id]);
  expect(file.panic.positions).toHaveLength(2);
  await expect.poll(() => view.locator('[data-access]').innerText()).toContain('Export');
  await view.locator('[data-act=print]').click();
  await page.locator('[data-sheet]').waitFor();
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator('[data-sheet]').innerText()).toContain('-1.23260, 36.81450');
  expect(await page.locator('header').first().isVisible()).toBe(false);
  await page.emulateMedia({ media: 'screen' });
  expect(await accessibilityFaults(page)).toEqual([]);
});

test('what she took back by PIN waits until a human closes it', async () => {
  const phone = await phoneOf(station);
  await setPins(station, phone, '4711', '1147');
  const page = await sit('duty');
  const id = await press(station, phone);
  await bar(page, id).getByRole('button', { name: 'I take it' }).click();
  await page.locator(`[data-in-hand="${id}"]`).waitFor();
  await takeBack(station, phone, id, '4711');
  await expect
    .poll(() => page.locator(`[data-in-hand="${id}"]`).innerText())
    .toContain('She took it back');
  await page.locator(`[data-in-hand="${id}"] button`).click();
  const view = page.locator('[data-panic-view=cancelled]');
  await view.locator('[data-fact=cancelled]').waitFor();
  expect(await view.locator('[data-fact]').count()).toBe(3);
  expect(await view.locator('[data-fact=cancelled] td').count()).toBe(3);
  await view.locator('[data-act=end]').click();
  await view.getByLabel('False alarm').check();
  await view.getByLabel('Note').fill('Spoke to her and her warden');
  expect(await accessibilityFaults(page)).toEqual([]);
  await view.locator('[data-act=end-yes]').click();
  const closed = page.locator('[data-panic-view=closed]');
  await closed.locator('[data-fact=closed]').waitFor();
  expect(await closed.locator('[data-fact=closed]').innerText()).toContain('Spoke to her');
  await expect.poll(() => page.locator(`[data-in-hand="${id}"]`).count()).toBe(0);
});

test('taken back under duress, nobody calls her about either', async () => {
  const phone = await phoneOf(station);
  await setPins(station, phone, '4711', '1147');
  const page = await sit('duty');
  const id = await press(station, phone);
  await bar(page, id).waitFor();
  await takeBack(station, phone, id, '1147');
  await page.locator('[data-bar=panic] [data-mark=duress]').waitFor();
  const back = page.locator(`[data-in-hand="${id}"]`);
  await back.locator('[data-mark=silent]').waitFor();
  await back.getByRole('button').click();
  const view = page.locator('[data-panic-view=cancelled]');
  await view.getByText('Do not call or text.').waitFor();
  expect(await view.locator('a[href^="tel:"]').count()).toBe(0);
  expect(await accessibilityFaults(page)).toEqual([]);
});

test('a panic is handed over to who may have it', async () => {
  const phone = await phoneOf(station);
  const [duty, night] = [await sit('duty'), await sit('night')];
  const id = await press(station, phone, { covert: true });
  await duty.keyboard.press('Alt+Shift+P');
  const view = duty.locator('[data-panic-view]');
  await view.locator('[data-act=take]').click();
  await view.locator('[data-act=hand-over]').click();
  const heirs = view.locator('select option:not([disabled])');
  await expect.poll(() => heirs.allInnerTexts()).toEqual(['Night officer']);
  await view.locator('select').selectOption({ label: 'Night officer' });
  await view.getByRole('button', { name: 'Hand it over' }).click();
  await expect.poll(() => view.locator('[data-owner]').innerText()).toContain('Night officer');
  await view.locator('[data-fact=handed_over]').waitFor();
  expect(await view.locator('[data-fact=handed_over]').innerText()).toContain('Night officer');
  await night.locator(`[data-in-hand="${id}"]`).waitFor();
});

test('on a narrow screen in Arabic, in the dark, it covers no field and stays in its width', async () => {
  const phone = await phoneOf(station);
  const page = await sit('duty', { locale: 'ar', width: 390, height: 844, dark: true });
  await page.locator('button.new').click();
  await page.locator('input[value=exercise]').check();
  const body = page.locator('textarea[name=body]');
  await body.click();
  await page.keyboard.type('أجب');
  const id = await press(station, phone, { location: GIGIRI });
  await bar(page, id).waitFor();
  await page.keyboard.type(' الآن');
  expect(await body.inputValue()).toBe('أجب الآن');
  await expect.poll(() => isFree(body, page.locator('.over'), 844)).toBe(true);
  expect(await overflow(page)).toBe(0);
  await bar(page, id).getByRole('button').last().click();
  await page.locator('[data-reason=verify]').click();
  await page.locator('svg[role=img]').waitFor();
  expect(await overflow(page)).toBe(0);
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
  expect(await accessibilityFaults(page)).toEqual([]);
});

test('a console that hears nothing says that it cannot know of new panics', async () => {
  const page = await sit('duty');
  await station.order('kill');
  await page.locator('[data-bar=panics-unsure]').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await station.order('start');
  await page.locator('[data-line=live]').waitFor();
  await page.locator('[data-bar=panics-unsure]').waitFor({ state: 'detached' });
  const id = await press(station, await phoneOf(station));
  await bar(page, id).waitFor();
});
