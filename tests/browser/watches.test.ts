/** Watches at the desk: what is overdue, journeys begun by hand, rolls by radio, curfews, risk. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  accessibilityFaults,
  DESK,
  openBrowser,
  openScreen,
  overflow,
  type Screen,
} from './browser.ts';
import { asked, phoneOf, said, type Phone } from './field.ts';
import { Station } from './station.ts';

let browser: Browser;
let station: Station;
/** of the area that the zone's desk sees */
let neighbour: Phone;
const screens: Screen[] = [];

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start()]);
  neighbour = await phoneOf(station);
});
afterEach(async () => {
  for (const { faults } of screens) expect(faults).toEqual([]);
  await Promise.all(screens.splice(0).map(({ context }) => context.close()));
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

async function sit(
  options: { locale?: string; width?: number; height?: number; as?: 'zone' } = {},
): Promise<Page> {
  const screen = await openScreen(browser, { ...DESK, ...options });
  screens.push(screen);
  await screen.page.goto(options.as ? station.loginAs(options.as) : station.login());
  await screen.page.locator('[data-line=live]').waitFor();
  return screen.page;
}

test('an overdue watch is on every page, and goes when she says that she has arrived', async () => {
  const phone = neighbour;
  const page = await sit();
  const id = crypto.randomUUID();
  const due_at = new Date(Date.now() + 2_000).toISOString();
  await said(station, phone, 'POST', '/v1/watches', { id, kind: 'journey', due_at, grace_s: 0 });
  const bar = page.locator('[data-bar=watch]');
  await bar.waitFor();
  expect(await bar.innerText()).toContain(phone.name);
  await expect.poll(() => page.locator('.sound').getAttribute('data-sounding')).toBe('watch');
  await bar.getByRole('button').click();
  const view = page.locator('[data-watch-view=overdue]');
  await view.locator('[data-fact=overdue]').waitFor();
  expect(await view.innerText()).toMatch(/Battery\s*not known/);
  // where she was is shown for a reason, which stays
  await view.locator('[data-reason=respond]').click();
  await view.getByText('No position is known.').waitFor();
  await view.locator('[data-fact=position_read]').waitFor();
  const row = page.locator(`[data-watch="${id}"]`);
  expect(await row.innerText()).toContain('OVERDUE');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await overflow(page)).toBe(0);

  await said(station, phone, 'POST', `/v1/watches/${id}/done`, { id: crypto.randomUUID() });
  await bar.waitFor({ state: 'detached' });
  await row.waitFor({ state: 'detached' });
  await page.locator('[data-watch-view=done] [data-fact=done]').waitFor();
});

test('a journey is begun for a person, extended, and ended', async () => {
  const { ref, name } = await phoneOf(station);
  const page = await sit();
  await page.locator('[data-page=watches]').click();
  await page.locator('[data-act=begin]').click();
  const form = page.locator('[data-form=watch]');
  await form.locator('input[type=search]').first().fill(ref);
  await form.getByRole('button', { name: `Take ${name}` }).click();
  await form.getByLabel('Due in how many minutes?').fill('45');
  await form.getByLabel('Route').fill('Gigiri – Runda');
  expect(await accessibilityFaults(page)).toEqual([]);
  await form.locator('[data-act=begin-yes]').click();
  const view = page.locator('[data-watch-view=running]');
  await view.getByText('Gigiri – Runda').waitFor();
  expect(await view.locator('.due').innerText()).toMatch(/due in\s+4\d:\d\d/);
  await view.locator('[data-extend="120"]').click();
  await view.locator('[data-fact=extended]').waitFor();
  await expect.poll(() => view.locator('.due').innerText()).toMatch(/due in\s+(1:5\d|2:00):\d\d/);
  const kinds = page.getByLabel('Kind');
  const row = page.locator('[data-watch]', { hasText: name });
  await kinds.selectOption('interval');
  await row.waitFor({ state: 'detached' });
  await kinds.selectOption('journey');
  await row.waitFor();
  await view.locator('[data-act=cancel]').click();
  await page.locator('[data-watch-view=cancelled]').waitFor();
  await row.waitFor({ state: 'detached' });
});

test('a roll is called by radio on the keyboard alone', async () => {
  const page = await sit();
  await page.locator('[data-page=watches]').click();
  await page.locator('[data-watch-tab=radio]').focus();
  await page.keyboard.press('Enter');
  const form = page.locator('[data-form=roll]');
  await form.locator('textarea').focus();
  await page.keyboard.type('KILO 1\nKILO 2\nLIMA 7\nKILO 2');
  await form.locator('[data-act=call]').focus();
  await page.keyboard.press('Enter');
  const screen = page.locator('[data-roll-screen]');
  await screen.waitFor();
  const calling = (sign: string) =>
    expect.poll(() => page.locator('[data-calling]').getAttribute('data-calling')).toBe(sign);
  const heard = (sign: string) => page.locator(`[data-name="${sign}"]`).getAttribute('data-heard');
  await calling('KILO 1');
  await page.keyboard.press('h');
  await calling('KILO 2');
  await page.keyboard.press('j');
  await calling('LIMA 7');
  await page.keyboard.press('Enter');
  await expect.poll(() => screen.getAttribute('data-roll-screen')).toBe('2');
  expect(await Promise.all(['KILO 1', 'KILO 2', 'LIMA 7'].map(heard))).toEqual([
    'true',
    'false',
    'true',
  ]);
  // the unheard last, and she is whom the call comes back to
  const order = await page
    .locator('[data-name]')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-name')));
  expect(order).toEqual(['KILO 1', 'LIMA 7', 'KILO 2']);
  await calling('KILO 2');
  expect(await accessibilityFaults(page)).toEqual([]);

  // a tick that gets lost is no tick, and is said to be none
  await page.route('**/heard', (route) => route.abort(), { times: 1 });
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('h');
  await page.locator('[data-calling]').getByText('NOT on record').waitFor();
  expect(await heard('KILO 2')).toBe('false');
  await page.keyboard.press('h');
  await page.getByText('All were heard').waitFor();
  await page.keyboard.press('Escape');
  await form.waitFor();
  expect(await page.locator('[data-roll]').count()).toBe(0);
});

test('what another desk ticks shows, and a late tick is shown as late', async () => {
  const id = crypto.randomUUID();
  const due_at = new Date(Date.now() + 1_500).toISOString();
  await asked(station, 'POST', '/v1/radio-checks', { id, due_at, callsigns: ['MIKE 3', 'MIKE 4'] });
  const page = await sit({ locale: 'ar', width: 390, height: 844 });
  await page.locator('[data-page=watches]').click();
  await page.locator('[data-watch-tab=radio]').click();
  await page.locator(`[data-roll="${id}"]`).click();
  await page.locator('[data-calling="MIKE 3"] .overdue').waitFor();
  expect(await overflow(page)).toBe(0);
  expect(await accessibilityFaults(page)).toEqual([]);
  await asked(station, 'POST', `/v1/radio-checks/${id}/heard`, { ref: 'MIKE 3' });
  const row = page.locator('[data-name="MIKE 3"][data-heard=true]');
  await row.waitFor();
  expect(await row.innerText()).toContain('متأخر');
  await asked(station, 'POST', `/v1/radio-checks/${id}/heard`, { ref: 'MIKE 4' });
  await page.locator('[data-bar=watch]').waitFor({ state: 'detached' });
});

test('a curfew is set and ended; an area of risk lists who was not heard of', async () => {
  const page = await sit();
  await page.locator('[data-page=watches]').click();
  await page.locator('[data-watch-tab=curfew]').click();
  const form = page.locator('[data-form=curfew]');
  await form.getByLabel('Area', { exact: true }).selectOption('NBO-GIG');
  await form.getByLabel(/^Must have reported by/).fill('21:30');
  await form.getByLabel(/^Phone dark/).fill('6');
  await form.getByRole('button', { name: 'Set it' }).click();
  const curfew = page.locator('[data-curfew=NBO-GIG]');
  await curfew.waitFor();
  expect(await curfew.innerText()).toMatch(
    /21:30[\s\S]*Gigiri[\s\S]*Every day[\s\S]*dark after 6 h/,
  );
  expect(await accessibilityFaults(page)).toEqual([]);
  await curfew.getByRole('button', { name: /^End/ }).click();
  await curfew.getByRole('button', { name: 'End it' }).click();
  await curfew.waitFor({ state: 'detached' });

  await page.locator('[data-watch-tab=dark]').click();
  await page.getByText('No area is flagged').waitFor();
  const risk = page.locator('[data-form=risk]');
  await risk.getByLabel('Area').selectOption('NBO-GIG');
  await risk.getByRole('button', { name: 'Flag it' }).click();
  await page.locator('[data-risk=NBO-GIG]').waitFor();
  await page.locator('[data-dark]').first().waitFor();
  expect(await page.locator('[data-dark]').first().innerText()).toContain('Last report: never');
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.locator('[data-risk=NBO-GIG] button').click();
  await expect.poll(() => page.locator('[data-dark]').count()).toBe(0);
});

test('a convoy is the sender’s until the next radio room has heard it', async () => {
  type Placed = { area: { code: string; name: string } };
  const areaOf = async (ref: string) =>
    (await asked<Placed>(station, 'GET', `/v1/people/${ref}`)).area;
  const next = await areaOf(neighbour.ref);
  let driver = await phoneOf(station);
  while ((await areaOf(driver.ref)).code === next.code) driver = await phoneOf(station);
  const id = crypto.randomUUID();
  const due_at = new Date(Date.now() + 7_200_000).toISOString();
  await said(station, driver, 'POST', '/v1/watches', { id, kind: 'journey', due_at, grace_s: 600 });
  const [sender, zone] = [await sit(), await sit({ as: 'zone' })];
  await Promise.all([sender, zone].map((page) => page.locator('[data-page=watches]').click()));
  await sender.locator(`[data-watch="${id}"]`).click();
  await sender.locator('[data-act=offer]').click();
  await sender.getByLabel('To which room?').selectOption(next.code);
  expect(await accessibilityFaults(sender)).toEqual([]);
  await sender.getByRole('button', { name: 'Offer it' }).click();
  await sender.locator('[data-offer]').waitFor();

  await zone.locator(`[data-awaited="${id}"]`).click();
  await zone.locator('[data-heard=radio]').waitFor();
  // it answers for nothing yet
  expect(await zone.locator('[data-room]').getAttribute('data-room')).not.toBe(next.code);
  expect(await accessibilityFaults(zone)).toEqual([]);
  await zone.locator('[data-heard=radio]').click();
  for (const page of [zone, sender]) {
    await page.locator('[data-fact=heard]').waitFor();
    expect(await page.locator('[data-room]').getAttribute('data-room')).toBe(next.code);
  }
  await zone.locator(`[data-awaited="${id}"]`).waitFor({ state: 'detached' });
});
