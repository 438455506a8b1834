/** Where this phone goes during a call for help, at a rate that leaves it a battery. */
import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import { uuid } from '@muster/shared/ids.ts';
import type { Fix, Lanes } from './lanes.ts';
import { mayRetryLater } from './sending.ts';

const MOVING_MS = 30_000;
const STILL_MS = 120_000;
/** under it, half as often and without the satellite receiver */
export const LOW_BATTERY = 20;
const STILL_M = 25;
const BATCH = 100;
const METRES_A_DEGREE = 111_320;

type Spot = Pick<Fix, 'lat' | 'lon' | 'accuracy'>;
type Taken = Spot & { at: number };

/** Whether a new fix is worth keeping after the last one that was kept. */
export function worthKeeping(last: Taken | null, next: Taken, battery?: number): boolean {
  if (!last) return true;
  const slower = battery !== undefined && battery < LOW_BATTERY ? 2 : 1;
  const waited = next.at - last.at;
  // a clock that was set back must not end the trail
  if (waited < 0) return true;
  const far = metres(last, next) > Math.max(STILL_M, last.accuracy ?? 0, next.accuracy ?? 0);
  return waited >= (far ? MOVING_MS : STILL_MS) * slower;
}

/** Near enough for "has it moved". */
export function metres(a: Spot, b: Spot): number {
  const east = (((b.lon - a.lon + 540) % 360) - 180) * Math.cos((a.lat * Math.PI) / 180) || 0;
  return Math.hypot(b.lat - a.lat, east) * METRES_A_DEGREE;
}

/** Keeps a fix for a press; it is sent when the press is on record. */
export async function keepFix(
  lanes: Lanes,
  press_id: string,
  spot: Spot,
  at: Date,
  battery?: number,
): Promise<void> {
  const fix: Fix = { id: uuid(), press_id, at: at.toISOString(), ...spot, battery };
  await lanes.change('fixes', fix.id, () => fix);
}

/**
 * Sends what is kept for one panic. `over`: the server wants no more and what was kept is gone;
 * `later`: not all could be sent.
 */
export async function sendFixes(
  lanes: Lanes,
  api: Api,
  press_id: string,
  panic_id: string,
): Promise<'sent' | 'later' | 'over'> {
  const mine = (await lanes.all('fixes')).filter((fix) => fix.press_id === press_id);
  mine.sort((a, b) => a.at.localeCompare(b.at));
  for (let from = 0; from < mine.length; from += BATCH) {
    const outcome = await sendBatch(lanes, api, panic_id, mine.slice(from, from + BATCH));
    if (outcome !== 'sent') return outcome;
  }
  return 'sent';
}

async function sendBatch(
  lanes: Lanes,
  api: Api,
  panic_id: string,
  fixes: Fix[],
): Promise<'sent' | 'later' | 'over'> {
  const sent_at = new Date().toISOString();
  const items = fixes.map(({ press_id: _own, ...fix }) => ({ ...fix, sent_at }));
  const params = { path: { panic_id } };
  let more: boolean;
  try {
    ({ more } = await read<{ more: boolean }>(
      api.POST('/v1/panics/{panic_id}/positions', { params, body: { items } }),
    ));
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (!(failure instanceof Problem) || mayRetryLater(failure) || failure.status === 401)
      return 'later';
    more = failure.status !== 404;
  }
  for (const { id } of fixes) await lanes.change('fixes', id, () => null);
  return more ? 'sent' : 'over';
}

/** Forgets where this phone was during some call for help. */
export async function forgetFixes(lanes: Lanes, press_id: string): Promise<void> {
  for (const fix of await lanes.all('fixes'))
    if (fix.press_id === press_id) await lanes.change('fixes', fix.id, () => null);
}
