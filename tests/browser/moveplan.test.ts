/** A movement made, planned, filled, sealed and amended by the pages alone; a ticked list entered. */
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  accessibilityFaults,
  DESK,
  openBrowser,
  openScreen,
  overflow,
  type Screen,
} from './browser.ts';
import { asked, phoneOf, type Phone } from './field.ts';
import { Station } from './station.ts';

interface List {
  mark: string;
  seats: { seat: number; person: { ref: string; name: string } }[];
}

let browser: Browser;
let station: Station;
const screens: Screen[] = [];

beforeAll(async () => {
  [browser, station] = await Promise.all([openBrowser(), Station.start()]);
});
afterEach(async () => {
  for (const { faults } of screens) expect(faults).toEqual([]);
  await Promise.all(screens.splice(0).map(({ context }) => context.close()));
});
afterAll(async () => {
  await browser.close();
  await station.end();
});

async function sit(options: { locale?: string; width?: number; height?: number } = {}) {
  const screen = await openScreen(browser, { ...DESK, ...options });
  screens.push(screen);
  await screen.page.goto(station.login());
  await screen.page.locator('[data-line=live]').waitFor();
  return screen.page;
}

async function pick(place: Locator, { ref, name }: Pick<Phone, 'ref' | 'name'>): Promise<void> {
  await place.locator('input[type=search]').fill(ref);
  await place.getByRole('button', { name: `Take ${name}` }).click();
}

async function save(form: Locator): Promise<void> {
  await form.locator('[data-act=save]').click();
}

const part = (page: Page, name: string) => page.locator(`[data-part=${name}]`).click();
const tab = (page: Page, name: string) => page.locator(`[data-move-tab=${name}]`).click();

async function addPoint(page: Page, kind: string, name: string, capacity?: number): Promise<void> {
  await page.locator('[data-act=new-points]').click();
  const form = page.locator('[data-form=point]');
  await form.locator(`input[value=${kind}]`).check();
  await form.locator('input[name=name]').fill(name);
  if (capacity) await form.locator('input[name=capacity]').fill(String(capacity));
  await save(form);
  await form.waitFor({ state: 'detached' });
}

async function addVehicle(page: Page, number: number, label: string, seats: number) {
  await page.locator('[data-act=new-vehicles]').click();
  const form = page.locator('[data-form=vehicle]');
  await form.locator('input[name=number]').fill(String(number));
  await form.locator('input[name=label]').fill(label);
  await form.locator('input[name=seats]').fill(String(seats));
  await save(form);
  return form;
}

test('a movement is made, planned and filled, its list sealed, amended and ticked', async () => {
  const colleagues = [await phoneOf(station), await phoneOf(station), await phoneOf(station)];
  const [late, keeper, deputy] = colleagues as [Phone, Phone, Phone];
  const page = await sit();
  await page.locator('[data-page=movements]').click();
  await page.locator('a[href^="#/movements/new"]').first().click();
  const nature = page.locator('input[value=exercise]');
  await nature.waitFor();
  // nothing else is asked before it is said whether this is real
  expect(await page.locator('[data-form=movement]').count()).toBe(0);
  await nature.check();
  const wish = page.locator('[data-form=movement]');
  await wish.locator('input[value=evacuation]').check();
  await wish.locator('input[value=outside]').check();
  await wish.locator('input[name=title]').fill('North to the border');
  await wish.locator('input[name=authority]').fill('Designated Official');
  expect(await wish.locator('[data-act=save]').isEnabled()).toBe(false);
  await wish.locator('input[name=area][value=NBO-GIG]').check();
  expect(await accessibilityFaults(page)).toEqual([]);
  await save(wish);

  // its people are listed by themselves
  await page.locator('[data-move-tab=plan][aria-current=true]').waitFor();
  const id = /movements\/([^/]+)\/plan/.exec(page.url())![1]!;
  await part(page, 'people');
  const population = async () => Number(await page.locator('[data-population]').innerText());
  await expect.poll(population, { timeout: 30_000 }).toBeGreaterThan(0);
  const before = await population();
  const adding = page.locator('[data-pick=people]');
  for (const one of colleagues) await pick(adding, one);
  await adding.getByRole('status').waitFor();
  await page.locator('input[type=search]').last().fill(late.ref);
  const row = page.locator(`[data-traveller="${late.ref}"]`);
  await row.locator('[data-act=change]').click();
  await row.locator('select[name=papers]').selectOption('yes');
  await row.locator('input[name=last_day]').fill('2020-01-31');
  await row.locator('input[name=medical]').check();
  await save(row.locator('[data-form=traveller]'));
  await row.getByText('2020-01-31').waitFor();
  await expect.poll(population).toBeGreaterThanOrEqual(before);
  expect(await accessibilityFaults(page)).toEqual([]);

  await part(page, 'route');
  await addPoint(page, 'concentration', 'Gate');
  await addPoint(page, 'safe_haven', 'Border camp', 40);
  await page.locator('[data-act=new-legs]').click();
  const leg = page.locator('[data-form=leg]');
  await leg.locator('select[name=from]').selectOption({ label: 'Gate' });
  await leg.locator('select[name=to]').selectOption({ label: 'Border camp' });
  await leg.locator('input[name=departs]').fill('2031-05-04T06:30');
  await save(leg);
  await leg.waitFor({ state: 'detached' });
  // as the wall of the operation's zone shows it, whatever clock the browser has
  expect(await page.locator('[data-planned=leg]').innerText()).toContain('06:30');
  await (await addVehicle(page, 1, 'Coach', 5)).waitFor({ state: 'detached' });
  const twice = await addVehicle(page, 1, 'Minibus', 3);
  const number = twice.locator('input[name=number][aria-invalid=true]');
  await number.waitFor();
  expect(await twice.getByRole('alert').innerText()).toContain('has this number');
  await number.fill('2');
  await save(twice);
  await twice.waitFor({ state: 'detached' });
  // what reports are read by is shown, and cannot be typed over
  await page.locator('[data-planned=vehicle][data-id="1"] [data-act=change]').click();
  const fixed = page.locator('[data-form=vehicle]');
  await fixed.locator('[data-fixed]').first().waitFor();
  expect(await fixed.locator('input[name=number], select[name=leg]').count()).toBe(0);
  expect(await accessibilityFaults(page)).toEqual([]);
  await fixed.getByRole('button', { name: 'Cancel' }).click();

  await part(page, 'work');
  await page.locator('[data-act=new-work]').click();
  const work = page.locator('[data-form=work]');
  await work.locator('input[name=name]').fill('Radio room');
  await pick(work.locator('[data-pick=keeper]'), keeper);
  await pick(work.locator('[data-pick=deputies]'), deputy);
  expect(await accessibilityFaults(page)).toEqual([]);
  await save(work);
  await page.locator('[data-planned=work] [data-cover=covered]').waitFor();

  await tab(page, 'vehicles');
  await page.locator('[data-fill]').click();
  const filling = page.locator('[data-filling]');
  await filling.locator('[data-act=apply]:enabled').waitFor();
  expect(await filling.locator('[data-gets]').first().getAttribute('data-gets')).toBe(late.ref);
  await filling.locator('[data-need=zone] [data-act=sooner]').click();
  await expect
    .poll(() => filling.locator('[data-need]').nth(1).getAttribute('data-need'))
    .toBe('zone');
  await filling.locator('[data-act=apply]:enabled').waitFor();
  expect(await filling.locator('[data-waits]').count()).toBeGreaterThan(0);
  expect(await accessibilityFaults(page)).toEqual([]);
  // somebody's need changes meanwhile: nothing is given that was not seen
  const about = { items: [{ ref: late.ref, medical: false }] };
  const need = { items: [{ ref: deputy.ref, medical: true }] };
  await asked(station, 'PUT', `/v1/movements/${id}/travellers`, about);
  await asked(station, 'PUT', `/v1/movements/${id}/travellers`, need);
  await filling.locator('[data-act=apply]').click();
  await page.locator('[data-filling=overtaken]').getByRole('alert').waitFor();
  await filling.locator('[data-act=apply]:enabled').click();
  await page.locator('[data-filling=applied]').waitFor();

  await page.locator('[data-vehicle="1"]').click();
  const view = page.locator('[data-vehicle-view="1"]');
  await view.locator('[data-seat="1"]').waitFor();
  expect(await view.locator('[data-seat]').count()).toBe(5);
  expect(await view.locator('[data-fact=none]').count()).toBe(5);
  await view.locator('[data-step=departed]').click();
  await save(view.locator('[data-form=step]'));
  await view.locator('[data-sealed]').waitFor();
  await view.locator('[data-time=departed]').waitFor();
  const { vehicles } = await asked<{ vehicles: { id: string; number: number }[] }>(
    station,
    'GET',
    `/v1/movements/${id}`,
  );
  const list = `/v1/movements/${id}/vehicles/${vehicles.find((one) => one.number === 1)!.id}/manifest`;
  const sealed = await asked<List>(station, 'GET', list);
  const off = sealed.seats.at(-1)!.person;
  await view.locator('[data-tool=amend]').click();
  const amend = view.locator('[data-form=amend]');
  await amend.locator('input[name=reason]').fill('Missed it');
  await amend.locator(`input[name=off][value="${off.ref}"]`).check();
  await save(amend);
  await view.locator('[data-amended=taken_off]').getByText('Missed it').waitFor();

  // the paper that was printed before the amendment is not this list any more
  await view.locator('[data-tool=ticked]').click();
  const ticked = view.locator('[data-form=ticked]');
  await ticked.locator('input[name=mark]').fill(sealed.mark);
  await ticked.locator('[data-changed]').waitFor();
  const now = await asked<List>(station, 'GET', list);
  await ticked.locator('input[name=mark]').fill(now.mark.toLowerCase());
  await ticked.locator('input[name=numbers]').fill('1-2 9');
  await ticked.locator('[data-ticked="9"]').getByText('nobody has this number').waitFor();
  expect(await ticked.locator('[data-act=save]').isEnabled()).toBe(false);
  await ticked.locator('input[name=numbers]').fill('1-2');
  await pick(ticked.locator('[data-pick=below]'), off);
  expect(await accessibilityFaults(page)).toEqual([]);
  await save(ticked);
  await expect.poll(() => view.locator('[data-fact=aboard]').count()).toBe(2);
  await view.locator(`[data-unlisted="${off.ref}"]`).waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  const printed = await page.request.get(
    `${station.url}${await view.locator('[data-file=print]').getAttribute('href')}`,
  );
  expect(await printed.text()).toContain(now.mark);

  await tab(page, 'plan');
  await part(page, 'checkers');
  await pick(page.locator('[data-pick=checker]'), keeper);
  const checker = page.locator(`[data-checker="${keeper.ref}"]`);
  await checker.waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await checker.getByRole('button').click();
  await checker.waitFor({ state: 'detached' });
  await part(page, 'people');
  await page.locator('input[type=search]').last().fill(keeper.ref);
  await page.locator(`[data-traveller="${keeper.ref}"] [data-act=code]`).click();
  await page.locator('[data-code=good] [data-counter="1"]').waitFor();
  await page.locator('[data-act=reissue]').click();
  await page.locator('[data-act=sure]').click();
  await page.locator('[data-code=good] [data-counter="2"]').waitFor();
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.locator('[data-act=revoke]').click();
  await page.locator('[data-act=sure]').click();
  await page.locator('[data-code=none] [data-act=issue]').waitFor();

  // the same in Arabic on a small screen: mirrored, and no wider than it
  const small = await sit({ locale: 'ar', width: 360, height: 780 });
  for (const path of ['plan', 'plan?part=people', 'vehicles', 'vehicles?vehicle=1']) {
    await small.goto(`${station.url}/console/#/movements/${id}/${path}`);
    await small.locator('[data-planned], [data-traveller], [data-vehicle]').first().waitFor();
    if (path.endsWith('=1')) await small.locator('[data-seat="1"]').waitFor();
    expect([path, await overflow(small)]).toEqual([path, 0]);
    expect(await accessibilityFaults(small)).toEqual([]);
  }
});
