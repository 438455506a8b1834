import type { Device, Self } from '@muster/shared/api/types.ts';
import { batteryLevel, followBattery } from '../transport/battery.ts';
import { Lanes, type Habits, type Press } from '../transport/lanes.ts';
import { PanicLane, type Tries } from '../transport/press.ts';
import type { Store } from '../transport/store.ts';
import { currentPress, endOf } from './standing.ts';

const HABITS: Habits = { covert: 'off', lock: false };
const BUZZ_MS = 200;
const SOON_MS = 3_000;
/** who leaves the app for so long must give the PIN again, where that is wished */
const LEFT_MS = 60_000;

/** Calls for help of this phone, as reactive state. It works before anything else is loaded. */
export class Help {
  presses = $state.raw<Press[]>([]);
  tries = $state.raw<Tries>(new Map());
  habits = $state.raw<Habits>(HABITS);
  /** the PIN must be given before anything but help and the three answers is shown */
  locked = $state(false);
  me = $state('');

  readonly current = $derived(currentPress(this.presses, this.me));
  /** presses that are on record and have not ended, covert ones too */
  readonly live = $derived(this.presses.filter((one) => one.answer && !one.over));

  readonly lanes = new Lanes();
  private readonly lane: PanicLane;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly store: Store,
    private readonly told: () => void,
  ) {
    const device = (): Promise<Device | null> => store.get('device');
    this.lane = new PanicLane(this.lanes, device, undefined, (tries) => this.changed(tries));
    followBattery();
  }

  /** What this phone remembers; a lock that is set is closed before anything is shown. */
  async load(): Promise<void> {
    this.habits = { ...HABITS, ...(await this.lanes.get('habits')) };
    this.locked = this.habits.lock;
    await this.reload();
    this.urge();
  }

  async reload(): Promise<void> {
    this.me = (await this.store.get('device'))?.person.ref ?? '';
    this.presses = await this.lanes.all('presses');
  }

  /** Calls for help: saved, then sent at once. A covert call gives no sign of itself. */
  async raise(covert = false): Promise<void> {
    if (!covert) navigator.vibrate?.(BUZZ_MS);
    const press = await this.lane.raise(covert, batteryLevel());
    this.urge();
    void navigator.serviceWorker?.ready.then((registration) => wakeInBackground(registration));
    // it goes without its position where that part could not be loaded
    const following = await import('./following.ts').catch(() => null);
    await following?.follow(this.lanes, press);
  }

  /** Tries at once to send what has no answer, and again until it has one. */
  urge(): void {
    clearTimeout(this.timer);
    void this.lane
      .flush()
      .catch(() => SOON_MS)
      .then((pause) => {
        clearTimeout(this.timer);
        if (pause !== null) this.timer = setTimeout(() => this.urge(), pause);
      });
  }

  /** Whether a press of hers still calls; one that another owner of this phone left behind does not. */
  isLive(press: Press): boolean {
    return !press.over && Boolean(press.answer || !press.author || press.author === this.me);
  }

  /** Presses that were on record before the server was asked how things stand. */
  onRecord(): ReadonlySet<string> {
    return new Set(this.presses.filter(({ answer }) => answer).map(({ id }) => id));
  }

  /** Takes up the server's word; of presses it may not have known yet it says nothing. */
  async heard(self: Self, asked: ReadonlySet<string>): Promise<void> {
    for (const press of this.presses.filter(({ id }) => asked.has(id))) {
      const over = endOf(press, self);
      if (!over || JSON.stringify(over) === JSON.stringify(press.over)) continue;
      await this.end(press, over);
    }
  }

  /** It was taken back, with whichever PIN. */
  async takenBack(panic_id: string): Promise<void> {
    const at = new Date().toISOString();
    for (const press of this.presses)
      if (press.answer?.panic_id === panic_id) await this.end(press, { state: 'cancelled', at });
  }

  async change(press: Press, more: Partial<Press>): Promise<void> {
    await this.lanes.change('presses', press.id, (old) => old && { ...old, ...more });
    this.changed();
  }

  /** What has ended, or was not hers to send, is put away at her wish. */
  async putAway(): Promise<void> {
    for (const press of this.presses)
      if (press.over || (!press.answer && press.author && press.author !== this.me))
        await this.lanes.change('presses', press.id, () => null);
    this.changed();
  }

  /** The phone is nobody's any more: what has reached the server, and its lock, go. */
  async forget(): Promise<void> {
    for (const press of this.presses)
      if (press.answer)
        await this.end({ ...press, covert: true }, { state: 'unknown', at: press.at });
    await this.keep(HABITS);
    this.locked = false;
  }

  async keep(habits: Partial<Habits>): Promise<void> {
    const wanted = { ...this.habits, ...habits };
    await this.lanes.set('habits', wanted);
    this.habits = wanted;
  }

  /** Of a covert one nothing stays. */
  private async end(press: Press, over: NonNullable<Press['over']>): Promise<void> {
    await this.lanes.change('presses', press.id, (old) => {
      if (!old || press.covert) return null;
      return { ...old, over, text: undefined };
    });
    const trail = await import('../transport/trail.ts').catch(() => null);
    await trail?.forgetFixes(this.lanes, press.id);
    this.changed();
  }

  private changed(tries?: Tries): void {
    if (tries) this.tries = tries;
    void this.reload().then(this.told);
  }
}

/** Where the browser offers it (Chromium), it may also send after the page is closed. */
export async function wakeInBackground(
  registration: ServiceWorkerRegistration,
  tag = 'panic',
): Promise<void> {
  const { sync } = registration as { sync?: { register(tag: string): Promise<void> } };
  await sync?.register(tag).catch(() => undefined);
}

/** What is saved goes on without the page. */
export function leaveToWorker(): void {
  void navigator.serviceWorker?.ready.then((one) => wakeInBackground(one, 'outbox'));
}

/** Whoever comes back after a while is asked for the PIN again, if that is wished. */
export function lockWhenLeft(help: Help): void {
  let left = Date.now();
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') left = Date.now();
    else if (help.habits.lock && Math.abs(Date.now() - left) > LEFT_MS) help.locked = true;
  });
}
