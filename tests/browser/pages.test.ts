/** What holds for both pages whatever they show: access, directions, width, policy, the document. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answer, linkPhone, openRollCall, signIn } from './acts.ts';
import { accessibilityFaults, openBrowser, openScreen, overflow, PHONE } from './browser.ts';
import { Station } from './station.ts';

/** The document without its prose and its address. */
function wordless(document: unknown): object {
  const prose = ['description', 'summary', 'servers', 'version'];
  const text = JSON.stringify(document, (key, value: unknown) =>
    prose.includes(key) && typeof value !== 'object' ? undefined : value,
  );
  return { ...(JSON.parse(text) as object), servers: undefined };
}

let browser: Browser;
let station: Station;

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start()]);
  const desk = await signIn(browser, station);
  await openRollCall(desk.page, 'Are you safe?');
  await openRollCall(desk.page, 'Quarterly drill', 'exercise');
  await desk.context.close();
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

describe('the phone', () => {
  test('has no accessibility fault before, while and after answering', async () => {
    const { page, faults } = await openScreen(browser, PHONE);
    await page.goto(`${station.url}/phone/`);
    await page.getByLabel('Code').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.goto(station.enrol().link);
    await page.locator('.pad').first().waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('button', { name: /Quarterly drill/ }).click();
    await answer(page, 'safe');
    await page.locator('[data-state=received]').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('is answered by keyboard alone', async () => {
    const { page } = await linkPhone(browser, station);
    const safe = page.locator('.pad:not(.small) button.safe');
    for (let i = 0; i < 20; i++) {
      await page.keyboard.press('Tab');
      if (await safe.evaluate((button) => button === document.activeElement)) break;
    }
    await page.keyboard.press('Enter');
    await page.locator('[data-state=received]').waitFor();
  });

  test.each(['en', 'fr', 'es', 'ar', 'ru', 'zh'])('%s fits into 320 pixels', async (locale) => {
    const { page } = await openScreen(browser, { ...PHONE, width: 320, locale });
    await page.goto(`${station.url}/phone/`);
    await page.locator('#code').waitFor();
    expect(await overflow(page)).toBe(0);
    expect(await page.locator('html').getAttribute('lang')).toBe(locale);
    expect(await page.locator('html').getAttribute('dir')).toBe(locale === 'ar' ? 'rtl' : 'ltr');
  });

  test('is mirrored in Arabic and stays in its width with a roll call', async () => {
    const { page } = await linkPhone(browser, station, { locale: 'ar', width: 320 });
    await page.locator('nav button').first().waitFor();
    expect(await overflow(page)).toBe(0);
    const icon = await page.locator('.pad:not(.small) button.safe svg').boundingBox();
    expect(icon!.x).toBeGreaterThan(160);
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});

describe('the console', () => {
  test('has no accessibility fault at sign-in, on the board and while composing', async () => {
    const door = await openScreen(browser, PHONE);
    await door.page.goto(`${station.url}/console/`);
    await door.page.getByLabel('Token or one-time code').waitFor();
    expect(await accessibilityFaults(door.page)).toEqual([]);
    const { page, faults } = await signIn(browser, station);
    await page.locator('[data-person]').first().waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.locator('button.new').click();
    await page.locator('input[value=exercise]').check();
    for (const kind of ['areas', 'agencies', 'tree_node', 'polygon']) {
      await page.locator(`input[value=${kind}]`).check();
      expect(await accessibilityFaults(page), kind).toEqual([]);
    }
    expect(faults).toEqual([]);
  });

  test('has no accessibility fault in the dark', async () => {
    const dark = await openScreen(browser, { width: 1920, height: 1080, dark: true });
    await dark.page.goto(station.login());
    await dark.page.locator('[data-person]').first().waitFor();
    expect(await accessibilityFaults(dark.page)).toEqual([]);
  });

  test('is mirrored in Arabic', async () => {
    const { page } = await signIn(browser, station, 'ar');
    await page.locator('[data-total=safe]').waitFor();
    expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
    const first = await page.locator('[data-total=unaccounted]').boundingBox();
    const last = await page.locator('[data-total=safe]').boundingBox();
    expect(first!.x).toBeGreaterThan(last!.x);
    expect(await overflow(page)).toBe(0);
  });

  test('counts who stands in a polygon that is drawn or pasted', async () => {
    const { page } = await signIn(browser, station);
    await page.locator('button.new').click();
    await page.locator('input[value=actual]').check();
    await page.locator('input[value=polygon]').check();
    const box = (await page.locator('.plan svg').boundingBox())!;
    for (const [x, y] of [
      [0.02, 0.02],
      [0.85, 0.02],
      [0.98, 0.98],
      [0.02, 0.98],
    ] as const)
      await page.mouse.click(box.x + box.width * x, box.y + box.height * y);
    const population = page.locator('[data-preview=population]');
    await expect.poll(async () => Number(await population.innerText())).toBeGreaterThan(10);
    await page.locator('textarea[name=polygon]').fill('60, 10\n60, 11\n61, 11');
    await expect.poll(async () => Number(await population.innerText())).toBe(0);
    expect(await page.locator('[data-open=check]').isDisabled()).toBe(true);
  });

  test('keeps its session over a reload, and ends it', async () => {
    const { page } = await signIn(browser, station);
    await page.reload();
    await page.locator('[data-line=live]').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token or one-time code').waitFor();
    await page.reload();
    await page.getByLabel('Token or one-time code').waitFor();
  });
});

describe('what is served', () => {
  test.each(['phone', 'console'])(
    '%s: hashed names, a strict policy, nothing inline',
    async (name) => {
      const response = await fetch(`${station.url}/${name}/`);
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain('unsafe');
      const html = await response.text();
      expect(html).toMatch(/src="\/\w+\/assets\/[\w-]+-[\w-]{8}\.js"/);
      expect(html).not.toMatch(/<style|style=|<script(?![^>]*src=)|\son\w+=/);
    },
  );

  test('the phone is there after 60 kB', async () => {
    const address = `${station.url}/phone/`;
    const html = await (await fetch(address)).text();
    const files = [...html.matchAll(/(?:src|href)="(\/phone\/assets\/[^"]+)"/g)].map(
      ([, path]) => path!,
    );
    expect(files.length).toBeGreaterThan(1);
    const bodies = [html];
    for (const path of files) bodies.push(await (await fetch(new URL(path, address))).text());
    const kilobytes = bodies.reduce((sum, body) => sum + gzipSync(body).length, 0) / 1000;
    expect(kilobytes).toBeLessThan(60);
  });

  test('what the clients were built against still holds', async () => {
    const served: unknown = await (await fetch(`${station.url}/v1/openapi.json`)).json();
    const address = new URL('../../clients/shared/openapi.json', import.meta.url);
    const kept = wordless(JSON.parse(readFileSync(address, 'utf8')));
    // the server may add freely; what changed or went away shows here
    expect(wordless(served), 'the API changed: run `npm run api`').toMatchObject(kept);
  });
});
