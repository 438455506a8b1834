/** A new build comes while a page of the one before is open: nobody is stranded. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdSos, linkPhone } from './acts.ts';
import { openBrowser } from './browser.ts';
import { Station } from './station.ts';

const WORKER = new URL('../../server/static/phone/sw.js', import.meta.url);

let browser: Browser;
let station: Station;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start()]);
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

/** A worker of another version is served and has taken over. */
async function updated(page: Page): Promise<void> {
  const before = readFileSync(WORKER, 'utf8');
  try {
    // another version, which no longer knows the parts that the open page has not loaded yet
    const after = before
      .replace(/(version:\W*)[0-9a-f]{12}/g, '$1123456789abc')
      .replace(/\/phone\/assets\/(Safety|WatchForm)-[\w-]+\.\w+\W/g, '');
    expect(after).not.toBe(before);
    writeFileSync(WORKER, after);
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      const changed = new Promise((done) =>
        navigator.serviceWorker.addEventListener('controllerchange', done),
      );
      await registration.update();
      await changed;
    });
  } finally {
    writeFileSync(WORKER, before);
  }
}

test('the page that is open loads its own parts, also without a network, and calls for help', async () => {
  const { page, context, faults } = await linkPhone(browser, station);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await expect
    .poll(() => page.evaluate(() => Boolean(navigator.serviceWorker.controller)))
    .toBe(true);
  await updated(page);
  await expect.poll(() => page.evaluate(() => caches.keys())).toHaveLength(2);
  await context.setOffline(true);
  await page.locator('[data-watch=new]').click();
  await page.locator('[name=route]').waitFor();
  await page.locator('[data-open=safety]').click();
  await page.locator('[data-safety]').waitFor();
  await holdSos(page);
  await page.locator('[data-panic=saved]').waitFor();
  await context.setOffline(false);
  await page.locator('[data-panic=received]').waitFor();
  await page.reload();
  await page.locator('[data-panic=received]').waitFor();
  expect(faults).toEqual([]);
});
