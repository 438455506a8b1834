/** What people do at the desk and on the phone, in the words of the tests. */
import type { Browser, Page } from 'playwright-core';
import { DESK, openScreen, PHONE, type Screen } from './browser.ts';
import { call, type Station } from './station.ts';

export async function signIn(browser: Browser, station: Station, locale = 'en'): Promise<Screen> {
  const screen = await openScreen(browser, { ...DESK, locale });
  await screen.page.goto(station.login());
  await screen.page.locator('[data-line=live]').waitFor();
  return screen;
}

export async function linkPhone(
  browser: Browser,
  station: Station,
  options: { locale?: string; width?: number; withoutWorker?: boolean } = {},
): Promise<Screen & { ref: string }> {
  const screen = await openScreen(browser, { ...PHONE, ...options });
  const { ref, link } = station.enrol();
  await screen.page.goto(link);
  await screen.page.locator('article, .calm').first().waitFor();
  return { ...screen, ref };
}

/** A phone of one more colleague that takes push, without a page: she can be asked. */
export async function reachableBy(station: Station): Promise<{ ref: string; token: string }> {
  const { ref, link } = station.enrol();
  const code = new URLSearchParams(new URL(link).hash.slice(1)).get('enrol');
  const push = { kind: 'fcm', token: `browser-test-${ref}` };
  const answer = await fetch(`${station.url}/v1/devices`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: crypto.randomUUID(), code, platform: 'sim', push }),
  });
  const { token } = (await answer.json()) as { token: string };
  return { ref, token };
}

/** Writes a roll call to everyone and opens it, by way of preview and question. */
export async function openRollCall(
  desk: Page,
  title: string,
  nature: 'actual' | 'exercise' = 'actual',
  mode: 'broadcast' | 'cascade' = 'broadcast',
): Promise<number> {
  await desk.locator('button.new').click();
  await desk.locator(`input[value=${nature}]`).check();
  await desk.locator(`input[value=${mode}]`).check();
  await desk.locator('input[name=title]').fill(title);
  await desk.locator('textarea[name=body]').fill('Answer now, also for your family.');
  const check = desk.locator('[data-open=check]:enabled');
  await check.waitFor();
  const population = Number(await desk.locator('[data-preview=population]').innerText());
  await check.click();
  await desk.locator('[data-open=confirm]').click();
  await desk.getByRole('heading', { level: 1, name: title }).waitFor();
  return population;
}

/** A total on the board. */
export async function total(desk: Page, status: string): Promise<number> {
  return Number(await desk.locator(`[data-total=${status}] dd`).first().innerText());
}

/** The phone's page asks the server at once, as when its owner comes back to it. */
export async function look(phone: Page): Promise<void> {
  await phone.evaluate(() => window.dispatchEvent(new Event('focus')));
}

/** The phone's own answer pad, not those of the household. */
export function answer(phone: Page, status: 'safe' | 'need_help' | 'away'): Promise<void> {
  return phone.locator(`.pad:not(.small) button.${status}`).click();
}

/** Holds SOS until it has called. */
export async function holdSos(phone: Page): Promise<void> {
  const button = phone.locator('[data-sos=hold]');
  await button.hover();
  await phone.mouse.down();
  await phone.locator('[data-panic]').waitFor();
  await phone.mouse.up();
}

/** A fact that the phone on this page keeps; of its own lanes, or with its answers. */
export function kept<T>(phone: Page, key: string, base = 'muster-lanes'): Promise<T> {
  return phone.evaluate(
    ([name, fact]) =>
      new Promise<T>((done) => {
        indexedDB.open(name!).onsuccess = ({ target }) => {
          const db = (target as IDBOpenDBRequest).result;
          const get = db.transaction('facts').objectStore('facts').get(fact!);
          get.onsuccess = () => {
            db.close();
            done(get.result as T);
          };
        };
      }),
    [base, key],
  );
}

/** Both PINs of the phone's person: 471100, and 802000 under duress. */
export async function setPins(phone: Page, station: Station): Promise<void> {
  const { token } = await kept<{ token: string }>(phone, 'device', 'muster');
  const body = { pin: '471100', duress_pin: '802000' };
  await call(station.url, token, 'PUT', '/v1/self/pin', body);
}

export async function typePin(phone: Page, pin: string): Promise<void> {
  for (const digit of pin) await phone.locator('.keys button', { hasText: digit }).click();
}

/** The names of rows this phone keeps sealed, and whether any of them can be read. */
export function sealed(page: Page, name: string): Promise<{ rows: string[]; inTheClear: boolean }> {
  return page.evaluate(
    (wanted) =>
      new Promise<{ rows: string[]; inTheClear: boolean }>((done) => {
        indexedDB.open('muster-sealed').onsuccess = ({ target }) => {
          const db = (target as IDBOpenDBRequest).result;
          const store = db.transaction('rows').objectStore('rows');
          const [keys, rows] = [store.getAllKeys(), store.getAll()];
          rows.onsuccess = () => {
            const bytes = (rows.result as { text: ArrayBuffer }[]).map(({ text }) => text);
            const texts = bytes.map((one) => new TextDecoder('latin1').decode(one));
            const inTheClear = texts.some((one) => one.includes(wanted));
            db.close();
            done({ rows: keys.result as string[], inTheClear });
          };
        };
      }),
    name,
  );
}
