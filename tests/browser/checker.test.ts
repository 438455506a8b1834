/** A checker at a bus: a real camera's way, no network, a killed page, and what the board says then. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linkPhone, look, sealed } from './acts.ts';
import { accessibilityFaults, openBrowser, overflow } from './browser.ts';
import { Camera } from './camera.ts';
import { asked } from './field.ts';
import { Station } from './station.ts';

interface Code {
  counter: number;
  code: string;
  png: string;
}
interface Mover {
  ref: string;
  name: string;
  stage: string;
  how: string | null;
}

const camera = new Camera();
let browser: Browser;
let station: Station;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(...camera.flags), Station.start()]);
});
afterAll(async () => {
  await browser.close();
  await station.end();
  camera.end();
});

/** A movement of some people from GATE to HAVEN by vehicle 12, on which the first two have seats. */
async function move(people: string[]): Promise<string> {
  const id = crypto.randomUUID();
  const path = `/v1/movements/${id}`;
  const own = { kind: 'relocation', reach: 'inside', title: 'To the lake', authority: 'DO' };
  await station.desk('POST', '/v1/movements', { id, ...own, exercise: true, people });
  const state = () => station.desk<{ movement: { state: string } }>('GET', path);
  await expect.poll(async () => (await state()).movement.state).toBe('planned');
  const [gate, haven, leg, bus] = [1, 2, 3, 4].map(() => crypto.randomUUID());
  await station.desk('PUT', `${path}/points/${gate}`, { kind: 'concentration', name: 'GATE' });
  await station.desk('PUT', `${path}/points/${haven}`, { kind: 'safe_haven', name: 'HAVEN' });
  const ends = { kind: 'road', position: 1, from: gate, to: haven };
  await station.desk('PUT', `${path}/legs/${leg}`, ends);
  const vehicle = { leg, number: 12, label: 'Bus 12', seats: 30 };
  await station.desk('PUT', `${path}/vehicles/${bus}`, vehicle);
  const seated = { people: people.slice(0, 2), split: people.slice(0, 2) };
  await station.desk('PUT', `${path}/vehicles/${bus}/manifest`, seated);
  await station.desk('POST', `${path}/activate`);
  return path;
}

function issue(ref: string, do_ = 'issue', counter?: number): Promise<Code> {
  return station.desk<Code>('POST', `/v1/people/${ref}/code`, { do: do_, counter });
}

async function stands(path: string): Promise<Record<string, Mover>> {
  const { items } = await station.desk<{ items: Mover[] }>('GET', `${path}/people?limit=200`);
  return Object.fromEntries(items.map((one) => [one.ref, one]));
}

async function boarded(path: string): Promise<number> {
  const { vehicles } = await station.desk<{ vehicles: { boarded: number }[] }>('GET', path);
  return vehicles[0]!.boarded;
}

/** Opens the page, fetches the list, and begins to check who boards vehicle 12. */
async function begin(page: Page): Promise<void> {
  const tab = page.locator('[data-page=check]');
  await expect.poll(() => look(page).then(() => tab.count())).toBe(1);
  await tab.click();
  await page.locator('[data-list=kept]').waitFor();
  await page.locator('[data-vehicle="12"] [data-task=boarded]').click();
  await page.locator('[data-count=here]').waitFor();
}

/** Holds a code up to the camera until the page has said something of it. */
async function holdUp(page: Page, code: Code, verdict: string): Promise<void> {
  camera.show(code.png);
  await page.locator('[data-check=camera]').click();
  await page.locator(`[data-verdict=${verdict}]`).waitFor();
  await page.locator('[data-check=camera-stop]').click();
}

async function type(page: Page, code: string, verdict: string): Promise<void> {
  const field = page.getByLabel('Code (begins with M:)');
  if (!(await field.isVisible())) await page.getByText('Type a code').click();
  await field.fill(code);
  await page.locator('[data-check=typed]').click();
  await page.locator(`[data-verdict=${verdict}]`).waitFor();
}

const count = (page: Page, what: string) => page.locator(`[data-count=${what}]`).innerText();

test('codes are scanned without a network, survive a reload, and are counted once', async () => {
  const { page, context, ref: me, faults } = await linkPhone(browser, station);
  const [a, b, d] = [1, 2, 3].map(() => station.enrol().ref) as [string, string, string];
  const path = await move([a, b, d]);
  const [codeA, oldB] = [await issue(a), await issue(b)];
  const codeB = await issue(b, 'reissue', oldB.counter);
  await asked(station, 'PUT', `${path}/checkers/${me}`);
  const names = await stands(path);
  await begin(page);
  expect(await page.locator('.check').innerText()).toContain('EXERCISE');
  expect(await count(page, 'missing')).toBe('2');
  expect(await accessibilityFaults(page)).toEqual([]);
  expect(await overflow(page)).toBe(0);
  const kept = await sealed(page, names[a]!.name);
  expect(kept.rows.some((row) => row.startsWith('list '))).toBe(true);
  expect(kept.inTheClear).toBe(false);

  // no network, and the page was killed: the list, and what is checked, are there
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await context.setOffline(true);
  await page.reload();
  await page.locator('[data-page=check]').click();
  await holdUp(page, codeA, 'good');
  expect(await page.locator('[data-verdict=good]').innerText()).toContain(names[a]!.name);
  expect(await count(page, 'here')).toBe('1');
  await type(page, codeA.code, 'again');
  const forged = codeA.code.slice(0, 60) + (codeA.code[60] === 'A' ? 'B' : 'A');
  await type(page, forged + codeA.code.slice(61), 'foreign');
  expect(await count(page, 'here')).toBe('1');

  // a code that was replaced counts nobody, until the checker says who it is; and that is undone
  await type(page, oldB.code, 'revoked');
  expect(await count(page, 'here')).toBe('1');
  await page.locator('[data-check=confirm]').click();
  await expect.poll(() => count(page, 'here')).toBe('2');
  await page.locator('[data-check=undo]').click();
  await expect.poll(() => count(page, 'here')).toBe('1');
  await holdUp(page, codeB, 'good');
  await expect.poll(() => count(page, 'missing')).toBe('0');

  // another tab of the same phone knows of all of them, and of what comes next
  const tab = await context.newPage();
  await tab.goto(page.url());
  await tab.locator('[data-page=check]').click();
  await expect.poll(() => tab.locator('[data-scan=saved]').count()).toBe(2);

  // without a code, and without a seat: by name
  await page.locator('[data-check=names] summary').click();
  await page.locator('[data-check=names] input').fill(names[d]!.name.toUpperCase());
  await page.locator(`[data-listed="${d}"] button`).click();
  await page.locator('[data-verdict=unlisted]').waitFor();
  expect(await count(page, 'unlisted')).toBe('1');
  await tab.locator(`[data-scan=saved][data-ref="${d}"]`).waitFor();
  await tab.close();
  expect(await accessibilityFaults(page)).toEqual([]);

  await page.reload();
  await page.locator('[data-page=check]').click();
  await expect.poll(() => page.locator('[data-scan=saved]').count()).toBe(3);
  expect(await count(page, 'here')).toBe('3');
  expect(await boarded(path)).toBe(0);

  // the network is back: each is on record once, the codes as scanned
  await context.setOffline(false);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await expect.poll(() => page.locator('[data-scan=received]').count()).toBe(3);
  expect(await boarded(path)).toBe(3);
  const after = await stands(path);
  expect([a, b, d].map((ref) => [after[ref]!.stage, after[ref]!.how])).toEqual([
    ['boarded', 'qr'],
    ['boarded', 'qr'],
    ['boarded', 'checker'],
  ]);
  expect(await count(page, 'here')).toBe('3');

  // what the server has is not taken out, but corrected by what is true
  await page.locator(`[data-scan][data-ref="${d}"] button`).click();
  await page.locator('[data-correct=at_point]').click();
  await expect.poll(() => count(page, 'here')).toBe('2');
  await expect.poll(async () => (await stands(path))[d]!.stage).toBe('at_point');
  expect(await boarded(path)).toBe(2);
  const { items } = await station.desk<{ items: unknown[] }>('GET', `${path}/conflicts`);
  expect(items).toEqual([]);

  // relieved: no name of anybody stays
  await asked(station, 'DELETE', `${path}/checkers/${me}`);
  await expect.poll(() => look(page).then(() => page.locator('[data-list]').count())).toBe(0);
  const left = async () => (await sealed(page, '')).rows.filter((row) => row.startsWith('list '));
  await expect.poll(left).toEqual([]);
  expect(faults).toEqual([]);
});

test('the page is mirrored in Arabic and stays in 320 pixels, whatever it says', async () => {
  const { page, ref: me, faults } = await linkPhone(browser, station, { locale: 'ar', width: 320 });
  const [a] = [station.enrol().ref];
  const path = await move([a, me]);
  const code = await issue(a);
  await asked(station, 'PUT', `${path}/checkers/${me}`);
  await begin(page);
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
  for (const show of [
    () => holdUp(page, code, 'good'),
    () => page.locator('[data-check=names] summary').click(),
    () => page.locator('[data-check=undo]').click(),
    () => page.locator('[data-check=change]').click(),
  ]) {
    await show();
    expect(await overflow(page)).toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);
  }
  expect(faults).toEqual([]);
});

test('a scan goes out when its page is gone before the seconds of a second thought are over', async () => {
  const { page, context, ref: me } = await linkPhone(browser, station);
  const { ref } = station.enrol();
  const path = await move([ref, me]);
  const { code } = await issue(ref);
  await asked(station, 'PUT', `${path}/checkers/${me}`);
  await begin(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  // a browser of the tests has no background sync of its own
  const debug = await context.newCDPSession(page);
  const registered = new Promise<string>((done) =>
    debug.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: [one] }) => {
      if (one) done(one.registrationId);
    }),
  );
  await debug.send('ServiceWorker.enable');
  const sync = { origin: station.url, registrationId: await registered, tag: 'outbox' };
  await type(page, code, 'good');
  await debug.send('ServiceWorker.dispatchSyncEvent', { ...sync, lastChance: true });
  await page.goto('about:blank');
  await expect.poll(() => boarded(path)).toBe(1);
});
