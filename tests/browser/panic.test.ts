/** Help is called from the phone: what reaches the desk, what the screen says, what it never shows. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answer, holdSos, kept, linkPhone, look, setPins, typePin } from './acts.ts';
import { accessibilityFaults, appearance, openBrowser, overflow, steady } from './browser.ts';
import { Station } from './station.ts';

interface Panic {
  id: string;
  state: string;
  covert: boolean;
  duress: boolean;
  verified: boolean;
  source: string;
  presses: number;
  person: { ref: string };
  position: object | null;
}

let browser: Browser;
let station: Station;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start('own')]);
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

async function panicsOf(ref: string): Promise<Panic[]> {
  const { items } = await station.desk<{ items: Panic[] }>('GET', '/v1/panics');
  return items.filter(({ person }) => person.ref === ref);
}

const stands = (phone: Page, how: string) => phone.locator(`[data-panic=${how}]`);

describe('a call', () => {
  test('is received, taken by a name, and ended with its outcome', async () => {
    const { page, ref, faults } = await linkPhone(browser, station);
    expect(await accessibilityFaults(page)).toEqual([]);
    await holdSos(page);
    await stands(page, 'received').getByText('Nobody has taken it yet.').waitFor();
    expect(await page.locator('[data-owner]').count()).toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);

    const [panic] = await panicsOf(ref);
    await station.desk('POST', `/v1/panics/${panic!.id}/acknowledge`);
    await look(page);
    await page.locator('[data-owner]').getByText('Duty officer is on it.').waitFor();
    await page.reload();
    await page.locator('[data-owner]').waitFor();

    await station.desk('POST', `/v1/panics/${panic!.id}/resolve`, { outcome: 'helped' });
    await look(page);
    await stands(page, 'over').getByText('help was given').waitFor();
    await page.getByRole('button', { name: 'Close this' }).click();
    await stands(page, 'over').waitFor({ state: 'detached' });
    await page.locator('[data-sos=hold]').waitFor();
    expect(faults).toEqual([]);
  });

  test('by keyboard, or by a tap that is too short, is confirmed first', async () => {
    const { page, ref } = await linkPhone(browser, station);
    const sos = page.locator('[data-sos=hold]');
    await sos.hover();
    await Promise.all([page.mouse.down(), page.mouse.up()]); // short on a slow machine, too
    const confirm = page.locator('[data-sos=confirm]');
    await confirm.waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(await panicsOf(ref)).toEqual([]);

    await sos.focus();
    await page.keyboard.press('Enter');
    await confirm.focus();
    const confirmed = async () => {
      if (await confirm.count()) await page.keyboard.press('Enter');
      return stands(page, 'received').count();
    };
    // the first presses come too soon after the question: a trembling hand confirms nothing
    await expect.poll(confirmed).toBe(1);
    expect(await panicsOf(ref)).toHaveLength(1);
  });

  test('goes its own way while an upload hangs', async () => {
    const { page, ref } = await linkPhone(browser, station, { withoutWorker: true });
    let uploads = 0;
    await page.route('**/v1/checkins', () => void uploads++);
    await answer(page, 'safe');
    await expect.poll(() => uploads).toBe(1);
    await holdSos(page);
    await stands(page, 'received').waitFor();
    expect(await panicsOf(ref)).toHaveLength(1);
  });

  test('is one panic when the server dies between press and answer', async () => {
    const { page, ref } = await linkPhone(browser, station, { withoutWorker: true });
    const ids: string[] = [];
    await page.route('**/v1/panics', async (route) => {
      ids.push((route.request().postDataJSON() as { id: string }).id);
      if (ids.length > 1) return route.continue();
      await route.fetch();
      await station.order('kill');
      return route.abort();
    });
    await holdSos(page);
    await stands(page, 'saved').waitFor();
    await page.locator('[data-sms]').waitFor();
    await station.order('start');
    await stands(page, 'received').waitFor();
    const found = await panicsOf(ref);
    expect(found).toMatchObject([{ id: ids[0], presses: 1 }]);
    expect(new Set(ids).size).toBe(1);
    expect(ids.length).toBeGreaterThan(1);
  });

  test('tells where the phone is, and stops when it has ended', async () => {
    const { page, context, ref } = await linkPhone(browser, station);
    await context.grantPermissions(['geolocation']);
    await context.setGeolocation({ latitude: -1.2921, longitude: 36.8219, accuracy: 12 });
    await holdSos(page);
    await stands(page, 'received').waitFor();
    await expect.poll(() => panicsOf(ref)).toMatchObject([{ position: { accuracy: 12 } }]);
  });
});

describe('without a network', () => {
  test('the ready text is read by the server, and with the press it is one panic', async () => {
    const { page, context, ref } = await linkPhone(browser, station);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await context.setOffline(true);
    await holdSos(page);
    await stands(page, 'saved').waitFor();
    const link = page.locator('[data-sms]');
    const href = (await link.getAttribute('href'))!;
    expect(href).toMatch(/^sms:\+99912345\?body=M1%20/);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.reload();
    await stands(page, 'saved').waitFor();
    expect(await link.getAttribute('href'), 'the same text').toBe(href);

    await station.bring('+254700999111', decodeURIComponent(href.split('body=')[1]!));
    await expect.poll(() => panicsOf(ref)).toMatchObject([{ source: 'sms', verified: true }]);
    expect(await stands(page, 'received').count(), 'nothing is confirmed offline').toBe(0);

    await context.setOffline(false);
    await stands(page, 'received').waitFor();
    expect(await panicsOf(ref)).toMatchObject([{ presses: 2 }]);
  });

  test('the service worker sends it after the page is gone', async () => {
    const { page, context, ref } = await linkPhone(browser, station);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await context.setOffline(true);
    await holdSos(page);
    await page.goto('about:blank');
    const sent = context.waitForEvent('request', (one) => one.url().endsWith('/v1/panics'));
    await context.setOffline(false);
    const debug = await context.newCDPSession(page);
    const registered = new Promise<string>((done) =>
      debug.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
        if (registrations[0]) done(registrations[0].registrationId);
      }),
    );
    await debug.send('ServiceWorker.enable');
    const about = { origin: station.url, registrationId: await registered };
    await debug.send('ServiceWorker.dispatchSyncEvent', {
      ...about,
      tag: 'panic',
      lastChance: false,
    });
    expect((await sent).serviceWorker()).not.toBeNull();
    await expect.poll(async () => (await panicsOf(ref)).length).toBe(1);
    await page.goto(`${station.url}/phone/`);
    await stands(page, 'received').waitFor();
  });

  test('an answer is offered as a text after a while', async () => {
    const { page, context } = await linkPhone(browser, station);
    await context.setOffline(true);
    await answer(page, 'need_help');
    const href = (await page.locator('[data-sms]').getAttribute('href'))!;
    await station.bring('+254700999112', decodeURIComponent(href.split('body=')[1]!));
    const state = async () => {
      type Texts = { items: { body: string; state: string }[] };
      const { items } = await station.desk<Texts>('GET', '/v1/inbound');
      return items.find(({ body }) => /^M1 .* H /.test(body))?.state;
    };
    await expect.poll(state).toBe('counted');
  });
});

describe('a covert call', () => {
  test('leaves the screen as it was, now and after a reload', async () => {
    const { page, ref } = await linkPhone(browser, station);
    await page.locator('[data-open=safety]').click();
    await page.locator('[data-safety]').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.locator('input[value=hold]').check();
    await expect.poll(() => kept(page, 'habits')).toMatchObject({ covert: 'hold' });
    await page.getByRole('button', { name: 'Back' }).click();
    const heard = 'main > p.small';
    const shows = async () => {
      await page.mouse.move(0, 400);
      await page.locator('[data-watch=new]').waitFor();
      return appearance(page, heard);
    };
    await shows();
    const before = await steady(page, heard);
    await page.locator('[data-who]').hover();
    await page.mouse.down();
    await expect.poll(() => panicsOf(ref)).toMatchObject([{ covert: true, state: 'open' }]);
    await page.mouse.up();
    await look(page);
    await expect.poll(shows).toEqual(before);
    await page.reload();
    await expect.poll(shows).toEqual(before);
    expect(await page.locator('[data-panic]').count()).toBe(0);

    const [panic] = await panicsOf(ref);
    await station.desk('POST', `/v1/panics/${panic!.id}/resolve`, { outcome: 'helped' });
    await look(page);
    await expect.poll(shows).toEqual(before);
  });
});

describe('taken back', () => {
  test('with the PIN and with the one for duress is the same on screen and on the line', async () => {
    const { page, ref } = await linkPhone(browser, station, { withoutWorker: true });
    await setPins(page, station);
    await page.clock.setFixedTime(new Date());
    const said: string[] = [];
    page.on('request', (request) => {
      const path = new URL(request.url()).pathname.replace(/[0-9a-f-]{36}/, 'ID');
      if (path.startsWith('/v1/'))
        said.push(`${request.method()} ${path} ${request.postData()?.length ?? 0}`);
    });
    const screens: string[][] = [];
    const lines: string[][] = [];
    for (const pin of ['471100', '802000']) {
      await holdSos(page);
      await stands(page, 'received').waitFor();
      await page.locator('[data-sos=back]').click();
      await typePin(page, '000000');
      await page.getByText('This is not the PIN.').waitFor();
      said.length = 0;
      await typePin(page, pin);
      await stands(page, 'over').getByText('Somebody at the SOC still looks at it.').waitFor();
      await look(page);
      await page.mouse.move(0, 400);
      const screen = await steady(page, '[data-panic] b');
      // the phone asks how things stand when it likes, and no more often after the one than the other
      lines.push(said.filter((line) => !line.startsWith('GET /v1/self')));
      // but for the minute it was
      const words = await page.locator('main').innerText();
      screens.push([...screen, words.replaceAll(/\d\d:\d\d/g, 'HH:MM')]);
      await page.getByRole('button', { name: 'Close this' }).click();
    }
    expect(lines[0]).toEqual(lines[1]);
    expect(lines[0]!.join()).toContain('POST /v1/panics/ID/cancel');
    expect(screens[0]).toEqual(screens[1]);
    await expect
      .poll(async () => (await panicsOf(ref)).map((one) => one.duress).sort())
      .toEqual([false, false, true]);
  });

  test('the lock opens to either PIN; help and the answer need none', async () => {
    const { page, ref, context } = await linkPhone(browser, station);
    await setPins(page, station);
    await look(page);
    await page.locator('[data-open=safety]').click();
    await page.locator('input[name=lock]:enabled').check();
    await expect.poll(() => kept(page, 'habits')).toMatchObject({ lock: true });
    for (const pin of ['471100', '802000']) {
      await page.reload();
      await page.locator('[data-lock]').waitFor();
      expect(await page.locator('[data-open=safety]').count()).toBe(0);
      expect(await accessibilityFaults(page)).toEqual([]);
      await answer(page, 'safe');
      await page.locator('[data-state=received]').first().waitFor();
      await typePin(page, '123456');
      await page.getByText('This is not the PIN.').waitFor();
      await typePin(page, pin);
      await page.locator('[data-open=safety]').waitFor();
    }
    await page.reload();
    await page.locator('[data-lock]').waitFor();
    await context.setOffline(true);
    await typePin(page, '471100');
    await page.getByText('the PIN cannot be checked').waitFor();
    await holdSos(page);
    await stands(page, 'saved').waitFor();
    await context.setOffline(false);
    await page.locator('[data-open=safety]').waitFor();
    await stands(page, 'received').waitFor();
    await expect.poll(async () => (await panicsOf(ref)).length).toBe(2);
  });
});
