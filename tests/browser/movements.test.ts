/** A movement at the desk: the board moves, a conflict is decided, radio, stale, the close-out. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessibilityFaults, DESK, openBrowser, openScreen, overflow } from './browser.ts';
import { asked } from './field.ts';
import { prepare, type Moving } from './moving.ts';
import { Station } from './station.ts';

let browser: Browser;
let station: Station;
let moving: Moving;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start('own')]);
  moving = await prepare(station, 'To the coast', { exercise: true });
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

const stage = (page: Page, name: string) =>
  page.locator(`[data-stage=${name}] b`).innerText().then(Number);
const count = (page: Page, vehicle: number, name: string) =>
  page.locator(`[data-vehicle="${vehicle}"] [data-count=${name}]`).innerText().then(Number);

/** A part of the movement, and nothing axe would find in it. */
async function turnTo(page: Page, tab: string): Promise<void> {
  await page.locator(`[data-move-tab=${tab}]`).click();
  await page.locator(`[data-move-tab=${tab}][aria-current=true]`).waitFor();
}

async function clean(page: Page): Promise<void> {
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await overflow(page)).toBe(0);
}

test('a movement from its beginning to its close-out, live', async () => {
  const { page, context, faults } = await openScreen(browser, DESK);
  await page.goto(station.login());
  await page.locator('[data-line=live]').waitFor();
  await page.locator('[data-page=movements]').click();
  const link = page.locator(`[data-movement="${moving.id}"]`);
  await link.click();
  await page.locator('[data-movement-view=planned]').waitFor();
  expect(await link.innerText()).toContain('EXERCISE');
  expect(await page.title()).toContain('EXERCISE');
  const population = moving.people.length;
  expect(await stage(page, 'listed')).toBe(population);

  // begun with a question, and not without an answer
  await page.locator('[data-act=activate]').click();
  expect(await page.getByRole('alertdialog').innerText()).toContain(String(population));
  await page.locator('[data-act=steer-yes]').click();
  await page.locator('[data-movement-view=active]').waitFor();

  // the board moves by what is reported elsewhere, and is not loaded anew
  await page.evaluate(() => ((window as unknown as { kept: boolean }).kept = true));
  const [ada, ben, cleo, dan] = moving.people.map(({ ref }) => ref) as [
    string,
    string,
    string,
    string,
  ];
  await moving.say(
    [ada, ben, cleo].map((ref) => ({ ref, stage: 'boarded', vehicle: 1, ago: 900 })),
  );
  await expect.poll(() => count(page, 1, 'boarded')).toBe(3);
  await expect.poll(() => stage(page, 'boarded')).toBe(3);
  expect(await stage(page, 'listed')).toBe(population - 3);
  const bus = page.locator('[data-vehicle="1"]');
  expect(await bus.getAttribute('data-late')).toBe('arrival');
  expect(await bus.innerText()).toContain('KILO 1');
  expect(await bus.locator('[data-age]').innerText()).toMatch(/min/);
  await clean(page);

  // a word over the radio, said of a whole vehicle but for one, on the keyboard
  await page.keyboard.press('Alt+Shift+KeyR');
  await page.keyboard.type('1');
  await page.keyboard.press('Enter');
  await page.locator('[data-say=arrived]').waitFor();
  await page.keyboard.press('2');
  await page.locator(`[data-name="${cleo}"]`).uncheck();
  await clean(page);
  // what got lost is sent again, and is on record once
  await page.route(
    '**/v1/stage-reports',
    async (route) => {
      await route.fetch();
      await route.abort();
    },
    { times: 1 },
  );
  await page.locator('[data-act=radio-send]').click();
  await page.locator('[data-radio] .trouble').waitFor();
  // and until then it is asked about, wherever one looks
  await page.keyboard.press('Escape');
  await page.locator('[data-radio-waits] button').click();
  await page.locator('[data-act=radio-send]').click();
  await page.locator('[data-radio-done="2"]').waitFor();
  await expect.poll(() => count(page, 1, 'arrived')).toBe(2);
  expect(await count(page, 1, 'missing')).toBe(1);
  await page.keyboard.press('Escape');

  // from a count to its people, from a person to her reports
  await page.locator(`[data-panel=missed] [data-mover="${cleo}"]`).waitFor();
  await bus.locator('[data-count=missing]').click();
  await page.locator(`[data-panel=people] [data-mover="${cleo}"] a`).first().click();
  const reports = page.locator('[data-panel=person]');
  await reports.locator('[data-report=boarded]').waitFor();
  expect(await reports.locator('[data-time]').count()).toBe(3);
  await clean(page);

  // a contradiction is loud, waits for a human, and is decided on the keyboard
  // what is typed keeps its spaces while the list follows
  const search = page.locator('main input[type=search]');
  await search.pressSequentially('no ');
  await page.locator('[data-chip=q]').waitFor();
  expect(await search.inputValue()).toBe('no ');
  await turnTo(page, 'board');
  await moving.say([
    { ref: dan, stage: 'boarded', vehicle: 1, ago: 60 },
    { ref: dan, stage: 'boarded', vehicle: 2, ago: 30, how: 'radio' },
  ]);
  await expect.poll(() => stage(page, 'in_question')).toBe(1);
  await expect.poll(() => page.locator('[data-page=movements] b').innerText()).toBe('1');
  expect(await page.locator('[data-said=movement]').innerText()).toBe('Conflicts: 1');
  await turnTo(page, 'conflicts');
  const conflict = page.locator('[data-conflict=open]');
  await conflict.waitFor();
  expect(await conflict.locator('[data-side=second] [data-how=radio]').count()).toBe(1);
  expect(await conflict.locator('[data-time]').count()).toBe(6);
  await conflict.locator('[data-act=decide]').focus();
  await page.keyboard.press('Enter');
  await page.locator('[data-form=decide]').waitFor();
  await page.keyboard.press('ArrowDown');
  await clean(page);
  await page.keyboard.press('Tab');
  await page.keyboard.type('Seen in it by the checker.');
  await page.keyboard.press('Enter');
  await page.locator('[data-conflict=resolved]').waitFor();
  await turnTo(page, 'board');
  await expect.poll(() => stage(page, 'in_question')).toBe(0);
  await expect.poll(() => count(page, 2, 'boarded')).toBe(1);
  // one that a later report explains stays to be seen
  await moving.say([{ ref: moving.people[5]!.ref, stage: 'arrived', vehicle: 3 }]);
  await expect.poll(() => stage(page, 'in_question')).toBe(1);
  await moving.say([{ ref: moving.people[5]!.ref, stage: 'boarded', vehicle: 3, ago: 300 }]);
  await expect.poll(() => stage(page, 'arrived')).toBe(1);
  await turnTo(page, 'conflicts');
  await page.locator('[data-conflict=explained] [data-explained]').waitFor();
  expect(await page.evaluate(() => (window as unknown as { kept: boolean }).kept)).toBe(true);

  // the close-out leaves nobody out
  await turnTo(page, 'close');
  const left = page.locator('[data-unreasoned]');
  await expect.poll(() => left.getAttribute('data-unreasoned')).toBe(String(population - 1));
  await page.getByLabel('Statement that is signed').fill('All is told.');
  expect(await page.locator('[data-act=sign]').isDisabled()).toBe(true);
  for (const lot of await page.locator('[data-lot] .together').all()) {
    await lot.locator('input').fill('Not heard of.');
    await lot.locator('button').click();
  }
  await clean(page);
  // a panic, or a look at the board, takes nothing of it away
  await page.keyboard.press('Alt+Shift+KeyP');
  await page.locator('[data-page=panics][aria-current=true]').waitFor();
  await page.locator('[data-page=movements]').click();
  await page.getByLabel('Statement that is signed').waitFor();
  await turnTo(page, 'board');
  await turnTo(page, 'close');
  expect(await page.getByLabel('Statement that is signed').inputValue()).toBe('All is told.');
  await expect.poll(() => left.getAttribute('data-unreasoned')).toBe('0');
  await page.locator('[data-act=sign]').click();
  await page.locator('[data-act=sign-yes]').click();
  await page.locator('[data-movement-view=closed]').waitFor();
  await page.locator('[data-report=unresolved] li').first().waitFor();
  await moving.say([{ ref: ada, stage: 'accommodated', point: moving.points.Haven }]);
  await page.locator('[data-report=late] li').waitFor();
  for (const file of ['print', 'xlsx']) {
    const href = (await page.locator(`[data-file=${file}]`).getAttribute('href'))!;
    expect((await context.request.get(`${station.url}${href}`)).status()).toBe(200);
  }
  await clean(page);
  expect(faults).toEqual([]);
  await context.close();
});

test('a board whose server is gone says so, and comes back by itself; Arabic is mirrored', async () => {
  const other = await prepare(station, 'إلى الساحل');
  const { page, context, faults } = await openScreen(browser, {
    width: 1280,
    height: 720,
    locale: 'ar',
  });
  await page.goto(`${station.url}/console/#/movements/${other.id}/board`);
  // the page of movements cannot be fetched at first: it says so, and is there by itself
  await page.route('**/assets/part-*.js', (route) => route.abort());
  await page.goto(station.login());
  await page.locator('[data-line=live]').waitFor();
  await page.locator('[data-page=movements]').click();
  await page.locator('[data-part=missing]').waitFor();
  await page.unroute('**/assets/part-*.js');
  await page.locator(`[data-movement="${other.id}"]`).click();
  const view = page.locator('[data-movement-view]');
  await expect.poll(() => stage(page, 'listed')).toBe(other.people.length);
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
  await clean(page);
  await station.order('stop');
  await expect.poll(() => view.getAttribute('data-stale'), { timeout: 60_000 }).toBe('true');
  expect(await stage(page, 'listed')).toBe(other.people.length);
  await station.order('start');
  await asked(station, 'POST', `${other.path}/activate`);
  await expect.poll(() => view.getAttribute('data-stale'), { timeout: 60_000 }).toBe('false');
  await page.locator('[data-movement-view=active]').waitFor({ timeout: 60_000 });
  expect(faults).toEqual([]);
  await context.close();
});
