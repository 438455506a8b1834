/** A movement on the phone: a family that moves, without a network half of the way. */
import jsqr from 'jsqr';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kept, linkPhone, look } from './acts.ts';
import { accessibilityFaults, openBrowser, overflow } from './browser.ts';
import { call, Station } from './station.ts';

interface Mover {
  ref: string;
  stage: string;
  vehicle_no: number | null;
  how: string | null;
  reported_by: string | null;
}

let browser: Browser;
let station: Station;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start()]);
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

/** A movement of some people from GATE to HAVEN by vehicles 12 and 14, where `seated` have seats. */
async function move(people: string[], seated: string[], exercise = false): Promise<string> {
  const id = crypto.randomUUID();
  const path = `/v1/movements/${id}`;
  const own = { kind: 'relocation', reach: 'inside', title: 'To the lake', authority: 'DO' };
  await station.desk('POST', '/v1/movements', { id, ...own, exercise, people });
  const listed = () => station.desk<{ movement: { state: string } }>('GET', path);
  await expect.poll(async () => (await listed()).movement.state).toBe('planned');
  const [gate, haven, leg] = [1, 2, 3].map(() => crypto.randomUUID());
  const points = { [gate!]: ['concentration', 'GATE'], [haven!]: ['safe_haven', 'HAVEN'] } as const;
  for (const [point, [kind, name]] of Object.entries(points))
    await station.desk('PUT', `${path}/points/${point}`, { kind, name });
  const at = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
  const ends = { from: gate, to: haven, departs_at: at(2), arrives_at: at(6) };
  await station.desk('PUT', `${path}/legs/${leg}`, { kind: 'road', position: 1, ...ends });
  for (const number of [12, 14]) {
    const vehicle = crypto.randomUUID();
    const body = { leg, number, label: `Bus ${number}`, seats: 30 };
    await station.desk('PUT', `${path}/vehicles/${vehicle}`, body);
    if (number === 12 && seated.length)
      await station.desk('PUT', `${path}/vehicles/${vehicle}/manifest`, {
        people: seated,
        split: seated.length < people.length ? seated : [],
      });
  }
  await station.desk('POST', `${path}/activate`);
  return path;
}

async function stands(path: string): Promise<Record<string, Mover>> {
  const { items } = await station.desk<{ items: Mover[] }>('GET', `${path}/people?limit=200`);
  return Object.fromEntries(items.map((one) => [one.ref, one]));
}

async function family(page: Page): Promise<string[]> {
  interface Kept {
    self: { household: { ref: string; may_report: boolean }[] };
  }
  const self = () => kept<Kept | undefined>(page, 'self', 'muster');
  await expect.poll(self).toBeTruthy();
  const { household } = (await self())!.self;
  return household.filter(({ may_report }) => may_report).map(({ ref }) => ref);
}

/** A phone whose owner has a family that she may report. */
async function sponsor(locale = 'en', width = 360) {
  for (;;) {
    const phone = await linkPhone(browser, station, { locale, width });
    const relatives = await family(phone.page);
    if (relatives.length) return { ...phone, relatives };
    await phone.context.close();
  }
}

/** What a camera reads of the code on the screen, a few dots a module. */
async function scanned(page: Page): Promise<string> {
  const { dots, size } = await page.locator('[data-code] canvas').evaluate((node) => {
    const canvas = node as HTMLCanvasElement;
    const { width } = canvas;
    const seen = canvas.getContext('2d')!.getImageData(0, 0, width, width).data;
    const places = Array.from({ length: width / 4 }, (_, n) => n * 4 + 2);
    const dots = places.flatMap((y) => places.map((x) => seen[(y * width + x) * 4]!));
    return { dots, size: places.length };
  });
  const picture = Uint8ClampedArray.from(dots.flatMap((light) => [light, light, light, 255]));
  return jsqr(picture, size, size)?.data ?? '';
}

test('a family is ready, boards without a network over a reload, and is received once', async () => {
  const { page, context, ref, relatives, faults } = await sponsor();
  const path = await move([ref, ...relatives], [ref, ...relatives], true);
  const card = page.locator('[data-movement]');
  await expect.poll(() => look(page).then(() => card.count())).toBe(1);
  expect(await card.innerText()).toContain('EXERCISE');
  await card.getByText(/Come to GATE before \d\d:\d\d/).waitFor();
  const mine = card.locator(`[data-mover="${ref}"]`);
  await mine.getByText(/Vehicle 12, seat \d+/).waitFor();
  expect(await mine.getAttribute('data-stand')).toBe('listed');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await overflow(page)).toBe(0);

  // online: one word for all of them
  await card.locator('[data-say=ready]').click();
  await mine.locator('[data-state=received]').waitFor();
  for (const one of [ref, ...relatives])
    await expect.poll(async () => (await stands(path))[one]?.stage).toBe('ready');
  expect((await stands(path))[relatives[0]!]).toMatchObject({ how: 'family' });
  await expect.poll(() => mine.getAttribute('data-stand')).toBe('ready');
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));

  // offline: for herself and the first of her family; the others are not meant
  await context.setOffline(true);
  for (const one of relatives.slice(1))
    await card.locator(`[data-mover="${one}"] input[type=checkbox]`).uncheck();
  await card.locator('[data-say=at_point]').click();
  await card.locator('[data-asked=at_point]').waitFor();
  await card.locator('[data-say=boarded]').click();
  await mine.getByText('On board vehicle 12 Saved on this phone').waitFor();
  await page.reload();
  await mine.getByText('On board vehicle 12 Saved on this phone').waitFor();
  expect(await mine.getAttribute('data-stand')).toBe('ready');
  expect((await stands(path))[ref]).toMatchObject({ stage: 'ready' });

  await context.setOffline(false);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await mine.locator('[data-state=received]').getByText('On board vehicle 12').waitFor();
  await expect.poll(() => mine.getAttribute('data-stand')).toBe('boarded');
  await card.getByText('You are on the way to HAVEN').waitFor();
  const after = await stands(path);
  for (const one of [ref, relatives[0]!])
    expect(after[one]).toMatchObject({ stage: 'boarded', vehicle_no: 12 });
  for (const one of relatives.slice(1)) expect(after[one]!.stage).toBe('ready');
  const vehicles = (
    await station.desk<{ vehicles: { number: number; boarded: number }[] }>('GET', path)
  ).vehicles;
  expect(vehicles.map(({ number, boarded }) => [number, boarded])).toEqual([
    [12, 2],
    [14, 0],
  ]);
  expect(faults).toEqual([]);
});

test('one that stays says why; what the server refuses or doubts is loud', async () => {
  const { page, context, ref, relatives, faults } = await sponsor();
  const path = await move([ref, ...relatives], []);
  const card = page.locator('[data-movement]');
  await expect.poll(() => look(page).then(() => card.count())).toBe(1);
  const mover = (one: string) => card.locator(`[data-mover="${one}"]`);
  for (const one of [ref, ...relatives.slice(1)])
    await mover(one).locator('input[type=checkbox]').uncheck();
  await card.locator('[data-say=staying]').click();
  await card.locator('[name=reason]').fill('Her mother cannot travel');
  await card.locator('[data-form=staying] .primary').click();
  await expect.poll(async () => (await stands(path))[relatives[0]!]?.stage).toBe('staying');
  expect((await stands(path))[ref]!.stage).toBe('listed');

  await mover(relatives[0]!).locator('input[type=checkbox]').uncheck();
  await mover(ref).locator('input[type=checkbox]').check();
  await card.locator('[data-say=other]').click();
  await card.locator('[name=vehicle]').fill('99');
  await page.keyboard.press('Enter');
  const refused = mover(ref).locator('[data-state=refused]');
  await refused.getByText('no such vehicle').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await refused.getByRole('button', { name: 'Remove' }).click();
  await refused.waitFor({ state: 'detached' });

  // the desk says something else of her: a contradiction that no phone decides
  const said = (vehicle: number) => ({ stage: 'boarded', vehicle, for: ref });
  const [movement, at] = [path.split('/').at(-1), new Date().toISOString()];
  const items = [12, 14].map((vehicle) => ({
    id: crypto.randomUUID(),
    movement,
    at,
    ...said(vehicle),
  }));
  await station.desk('POST', '/v1/stage-reports', { items });
  await expect
    .poll(() => look(page).then(() => mover(ref).getAttribute('data-stand')))
    .toBe('in_question');
  await card.locator('[data-asked=in_question]').getByText('Two reports disagree.').waitFor();
  await mover(ref).locator('[data-question=two_vehicles]').getByText('On two vehicles').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);

  // it ends while she has no network: what she says then comes late, and says so
  await context.setOffline(true);
  await card.locator('[data-say=arrived]').click();
  await mover(ref).locator('[data-state=saved]').waitFor();
  await station.desk('POST', `${path}/cancel`);
  await context.setOffline(false);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await page.locator('[data-left] [data-late]').waitFor();
  expect(faults).toEqual([]);
});

test('her codes are drawn without a network, read by a camera, and taken by the server', async () => {
  const { page, context, ref, relatives, faults } = await sponsor('ar', 320);
  const path = await move([ref, ...relatives], [ref]);
  const checker = await linkPhone(browser, station);
  await station.desk('PUT', `${path}/checkers/${checker.ref}`);
  const card = page.locator('[data-movement]');
  await expect.poll(() => look(page).then(() => card.count())).toBe(1);
  await card.locator('[data-codes]').click();
  await card.locator('[data-code] canvas').waitFor();
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await context.setOffline(true);
  await page.reload();
  await card.locator('[data-codes]').click();
  const codes: Record<string, string> = {};
  const shown = () => card.locator('[data-code]').getAttribute('data-code');
  await card.locator(`[data-code="${ref}"] canvas`).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await overflow(page)).toBe(0);
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
  codes[ref] = await scanned(page);
  for (let before = ref, n = 0; n < relatives.length; n++) {
    await card.locator('[data-code-next]').click();
    await expect.poll(shown).not.toBe(before);
    before = (await shown())!;
    codes[before] = await scanned(page);
  }
  expect(Object.keys(codes).sort()).toEqual([ref, ...relatives].sort());
  const { token } = await kept<{ token: string }>(checker.page, 'device', 'muster');
  const [movement, at] = [path.split('/').at(-1), new Date().toISOString()];
  const items = Object.values(codes).map((code) => ({
    id: crypto.randomUUID(),
    movement,
    at,
    stage: 'boarded',
    vehicle: 12,
    code,
  }));
  const { items: results } = await call<{ items: { person: string }[] }>(
    station.url,
    token,
    'POST',
    '/v1/stage-reports',
    { items },
  );
  expect(results.map(({ person }) => person)).toEqual(Object.keys(codes));
  expect((await stands(path))[relatives[0]!]).toMatchObject({ how: 'qr', vehicle_no: 12 });

  // revoked at the desk: the phone says so as soon as it hears of it
  await station.desk('POST', `/v1/people/${ref}/code`, { do: 'revoke', counter: 1 });
  await context.setOffline(false);
  await page.reload();
  await card.locator('[data-codes]').click();
  await card.locator('[data-code] .revoked').waitFor();
  expect(faults).toEqual([]);
});
