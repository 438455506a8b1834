/** A colleague near somebody who calls for help: what her page tells her, and what it does not. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linkPhone, look } from './acts.ts';
import { accessibilityFaults, openBrowser } from './browser.ts';
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

describe('a colleague nearby', () => {
  test('is told who calls and how far off she was, and no place', async () => {
    const { page, ref, faults } = await linkPhone(browser, station);
    const other = station.enrol().ref;
    const here = { lat: -1.3, lon: 36.8, accuracy: 20 };
    const { code } = await station.desk<{ code: string }>('POST', '/v1/enrolments', {
      person_ref: ref,
    });
    const push = { kind: 'fcm', token: `nearby-${ref}` };
    const device = { id: crypto.randomUUID(), code, platform: 'sim', push };
    await fetch(`${station.url}/v1/devices`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(device),
    });
    const settings = { nearby_m: 2_000, desk_phone: '+254700000999' };
    await station.desk('PUT', '/v1/panic-settings', settings);
    const at = new Date().toISOString();
    const report = { id: crypto.randomUUID(), status: 'safe', at, for: ref, location: here };
    await station.desk('POST', '/v1/checkins', report);
    const place = { ...here, lat: here.lat + 0.003 };
    const press = { id: crypto.randomUUID(), at, for: other, location: place };
    await station.desk('POST', '/v1/panics', press);
    const told = page.locator('[data-nearby]');
    await expect.poll(() => look(page).then(() => told.count())).toBe(1);
    expect(await told.textContent()).toContain('300 m away');
    expect(await told.getByRole('link').getAttribute('href')).toBe('tel:+254700000999');
    expect(await told.textContent()).not.toContain('36.8');
    expect(await accessibilityFaults(page)).toEqual([]);
    await station.desk('POST', `/v1/panics/${press.id}/resolve`, { outcome: 'helped' });
    await station.desk('PUT', '/v1/panic-settings', { nearby_m: null, desk_phone: null });
    expect(faults).toEqual([]);
  });
});
