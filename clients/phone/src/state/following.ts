/** Follows where the phone goes while a call for help lasts and the page is open. */
import type { Api } from '@muster/shared/api/client.ts';
import { batteryLevel } from '../transport/battery.ts';
import type { Lanes, Press } from '../transport/lanes.ts';
import { forgetFixes, keepFix, LOW_BATTERY, sendFixes, worthKeeping } from '../transport/trail.ts';

interface Followed {
  watch: number;
  last: { lat: number; lon: number; accuracy?: number; at: number } | null;
}

const followed = new Map<string, Followed>();
/** presses whose trail the server wants no more of */
const ended = new Set<string>();
let sendSoon: () => void = () => undefined;

/** Whether a position can be read: `asks` where that would show a question. */
export async function permission(): Promise<'granted' | 'asks' | 'denied'> {
  if (!('geolocation' in navigator)) return 'denied';
  try {
    const { state } = await navigator.permissions.query({ name: 'geolocation' });
    return state === 'prompt' ? 'asks' : state;
  } catch {
    return 'asks';
  }
}

/** Begins to follow for a press. A covert one asks nothing: no question may light up. */
export async function follow(lanes: Lanes, press: Press): Promise<void> {
  if (followed.has(press.id) || ended.has(press.id) || press.over) return;
  const may = await permission();
  if (may === 'denied' || (press.covert && may !== 'granted') || followed.has(press.id)) return;
  const state: Followed = { watch: 0, last: null };
  followed.set(press.id, state);
  const low = (batteryLevel() ?? 100) < LOW_BATTERY;
  state.watch = navigator.geolocation.watchPosition(
    ({ coords: { latitude: lat, longitude: lon, accuracy }, timestamp }) => {
      const next = { lat, lon, accuracy, at: timestamp };
      if (!worthKeeping(state.last, next, batteryLevel())) return;
      state.last = next;
      const spot = { lat, lon, accuracy };
      void keepFix(lanes, press.id, spot, new Date(timestamp), batteryLevel()).then(sendSoon);
    },
    () => undefined,
    { enableHighAccuracy: !low, maximumAge: 30_000 },
  );
}

/** Where this phone is by its own trail, for the text; null: not known. */
export function lastSpot(press_id: string): { lat: number; lon: number } | null {
  return followed.get(press_id)?.last ?? null;
}

/** Sends what is kept, and follows those presses that last; others are followed no more. */
export async function followOn(
  lanes: Lanes,
  api: Api,
  presses: Press[],
  again: () => void,
): Promise<void> {
  sendSoon = again;
  for (const id of followed.keys())
    if (!presses.some((press) => press.id === id && !press.over)) stop(id);
  for (const press of presses.filter(({ over }) => !over)) {
    await follow(lanes, press);
    if (!press.answer) continue;
    if ((await sendFixes(lanes, api, press.id, press.answer.panic_id)) !== 'over') continue;
    stop(press.id);
    ended.add(press.id);
    await forgetFixes(lanes, press.id);
  }
}

function stop(id: string): void {
  const state = followed.get(id);
  if (state) navigator.geolocation.clearWatch(state.watch);
  followed.delete(id);
}
