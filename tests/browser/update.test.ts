/** A new build comes while a page of the one before is open: nobody is stranded. */
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdSos } from './acts.ts';
import { openBrowser, openScreen, PHONE } from './browser.ts';
import { Station } from './station.ts';

let browser: Browser;
let station: Station;
let front: Server;
/** what stands before the server serves another worker than it does */
let isNew = false;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start()]);
  front = createServer((asked, reply) => {
    // of another worker, "as you have it" is no answer
    const { 'if-modified-since': _since, 'if-none-match': _match, ...headers } = asked.headers;
    const { method } = asked;
    const onward = request(new URL(asked.url!, station.url), { method, headers }, (answer) => {
      if (asked.url === '/phone/sw.js') void newer(answer).then((worker) => reply.end(worker));
      else answer.pipe(reply);
      const { 'content-length': _length, etag: _etag, ...kept } = answer.headers;
      reply.writeHead(answer.statusCode!, kept);
    });
    asked.pipe(onward);
  });
  await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  await browser.close();
  front.close();
  await station.end();
});

/** The worker; of another version, it no longer knows what the open page has not loaded yet. */
async function newer(answer: IncomingMessage): Promise<string> {
  const worker = await text(answer);
  if (!isNew) return worker;
  const other = worker
    .replace(/(version:\W*)[0-9a-f]{12}/g, '$1123456789abc')
    .replace(/\/phone\/assets\/(Safety|WatchForm)-[\w-]+\.\w+\W/g, '');
  expect(other).not.toBe(worker);
  return other;
}

/** A worker of another version is served and has taken over. */
async function updated(page: Page): Promise<void> {
  isNew = true;
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const changed = new Promise((done) =>
      navigator.serviceWorker.addEventListener('controllerchange', done),
    );
    await registration.update();
    await changed;
  });
}

test('the page that is open loads its own parts, also without a network, and calls for help', async () => {
  const { page, context, faults } = await openScreen(browser, PHONE);
  const { port } = front.address() as AddressInfo;
  await page.goto(station.enrol().link.replace(station.url, `http://127.0.0.1:${port}`));
  await page.locator('article, .calm').first().waitFor();
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
