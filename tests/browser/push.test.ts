/**
 * What the phone's service worker does with a push, delivered to it by the browser's own debugger.
 * The browser of the tests has no notifications, so what would be shown is written down instead.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linkPhone } from './acts.ts';
import { openBrowser } from './browser.ts';
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

async function push(page: Page, payload: string): Promise<void> {
  const debug = await page.context().newCDPSession(page);
  const registered = new Promise<string>((done) =>
    debug.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      if (registrations[0]) done(registrations[0].registrationId);
    }),
  );
  await debug.send('ServiceWorker.enable');
  const registrationId = await registered;
  const origin = station.url;
  await debug.send('ServiceWorker.deliverPushMessage', { origin, registrationId, data: payload });
}

interface Watched {
  registration: { showNotification: (title: string, options: { body?: string }) => Promise<void> };
  shown: string[];
}

async function watchNotifications(context: BrowserContext): Promise<() => Promise<string[]>> {
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
  await worker.evaluate(() => {
    const scope = self as unknown as Watched;
    scope.shown = [];
    scope.registration.showNotification = async (title, { body }) => {
      scope.shown.push(title + (body ?? ''));
    };
  });
  return () => worker.evaluate(() => (self as unknown as Watched).shown);
}

test('a push shows a neutral line and is receipted; an exercise says so; rubbish still shows', async () => {
  const { page, context } = await linkPhone(browser, station, { locale: 'fr' });
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  const shown = await watchNotifications(context);
  const receipt = context.waitForEvent('request', (one) => one.url().endsWith('/v1/receipts'));

  const delivery_id = crypto.randomUUID();
  await push(page, JSON.stringify({ kind: 'alert', alert_id: 'x', delivery_id, exercise: '0' }));
  await expect.poll(shown).toEqual(['Un message pour vous. Ouvrez Muster.']);
  const request = await receipt;
  expect(request.postDataJSON()).toMatchObject({ items: [{ delivery_id, kind: 'delivered' }] });
  expect(request.headers()['authorization']).toMatch(/^Bearer ./);

  await push(page, JSON.stringify({ delivery_id: crypto.randomUUID(), exercise: '1' }));
  await expect.poll(shown).toContain('EXERCICE : un message pour vous. Ouvrez Muster.');
  await push(page, JSON.stringify({ kind: 'branch', delivery_id: crypto.randomUUID() }));
  await expect.poll(shown).toContain('Un message sur vos gens. Ouvrez Muster.');
  await push(page, JSON.stringify({ kind: 'branch', exercise: '1' }));
  await expect.poll(shown).toContain('EXERCICE : un message sur vos gens. Ouvrez Muster.');
  await push(page, 'not JSON');
  await expect.poll(async () => (await shown()).length).toBe(5);
});

test('a push also carries out what was saved without a network', async () => {
  const { page, context } = await linkPhone(browser, station);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await context.setOffline(true);
  await page.locator('.pad:not(.small) button.safe').click();
  await page.locator('[data-state=saved]').waitFor();
  // the page is gone, so it is not the page that sends
  await page.goto('about:blank');
  const sent = context.waitForEvent('request', (one) => one.url().endsWith('/v1/checkins'));
  await context.setOffline(false);
  await push(page, '{}');
  expect((await sent).serviceWorker()).not.toBeNull();
  await page.goto(`${station.url}/phone/`);
  await page.locator('[data-state=received]').waitFor();
});
