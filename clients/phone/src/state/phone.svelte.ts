import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type { Device, Self } from '@muster/shared/api/types.ts';
import { phoneApi } from '../transport/api.ts';
import { beginEnrolment, redeem } from '../transport/enrol.ts';
import { Outbox, type Draft } from '../transport/outbox.ts';
import { readPushKey, subscribe } from '../transport/push.ts';
import { repeater } from '../transport/repeat.ts';
import { sendCheckins } from '../transport/sending.ts';
import type { Entry, Store } from '../transport/store.ts';
import { cleanNote } from './text.ts';
import { Ward } from './ward.svelte.ts';

export type Link = 'none' | 'working' | 'waiting' | 'refused' | 'linked' | 'unlinked';

const POLL_MS = 20_000;

/** All this phone knows, as reactive state, and the verbs the screen has. */
export class Phone {
  link = $state<Link>('none');
  device = $state.raw<Device | null>(null);
  self = $state.raw<Self | null>(null);
  /** when the server last answered (this phone's clock) */
  heardAt = $state<number | null>(null);
  reachable = $state(true);
  durable = $state(true);
  entries = $state.raw<Entry[]>([]);
  /** a link opened on a phone that is already linked waits for the user's word */
  offered = $state<string | null>(null);
  /** the server's Web Push key, where push is possible at all */
  pushKey = $state<string | null>(null);

  /** the branch of a warden or alternate */
  readonly ward: Ward;

  private readonly api: Api;
  private readonly outbox: Outbox;
  private readonly others = openChannel();
  private readonly sendSoon = repeater(() => this.flush());
  private readonly redeemSoon = repeater(() => this.tryRedeem());

  constructor(private readonly store: Store) {
    this.api = phoneApi(store);
    this.ward = new Ward(store, this.api);
    this.outbox = new Outbox(
      store,
      (items) => sendCheckins(this.api, items),
      () => this.changed(),
    );
    this.others?.addEventListener('message', () => void this.reload());
  }

  /** Loads what this phone remembers, then takes up the work. */
  async start(code: string | null): Promise<void> {
    await this.reload();
    const cached = await this.store.get('self');
    if (cached) [this.self, this.heardAt] = [cached.self, cached.heardAt];
    if (code) await this.offer(code);
    else if (await this.store.get('enrolment')) this.redeemSoon();
    this.listen();
    this.refresh();
    this.pushKey = await readPushKey(this.api).catch(() => null);
  }

  /** A link was opened: a linked phone asks first, another one enrols. */
  async offer(code: string): Promise<void> {
    if (this.device) this.offered = code;
    else await this.enrol(code);
  }

  async enrol(code: string): Promise<void> {
    this.offered = null;
    this.link = 'working';
    await beginEnrolment(this.store, code);
    this.durable = this.store.durable;
    this.redeemSoon();
  }

  async answer(draft: Draft): Promise<void> {
    const author = this.device?.person.ref;
    if (!author) return;
    await this.outbox.write(author, { ...draft, note: draft.note && cleanNote(draft.note) });
    this.sendSoon();
  }

  async again(entry: Entry): Promise<void> {
    await this.outbox.again(entry);
    this.sendSoon();
  }

  async discard(entry: Entry): Promise<void> {
    await this.outbox.discard(entry);
  }

  /** Sends what is unsent and asks the server for news. */
  refresh(): void {
    if (!this.device || this.link === 'unlinked') return;
    this.sendSoon();
    void this.poll();
  }

  /** Asks the user for permission to alert this phone. */
  async allowAlerts(): Promise<NotificationPermission> {
    try {
      return this.pushKey ? await subscribe(this.api, this.pushKey) : Notification.permission;
    } catch {
      // the push service or the server is out of reach; polling and SMS go on
      return Notification.permission;
    }
  }

  /** Unlinks this phone; whether the server agreed. */
  async unlink(): Promise<boolean> {
    try {
      await read(this.api.DELETE('/v1/self'));
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (!(failure instanceof Problem && failure.status === 401)) return false;
    }
    await this.store.forget('device', 'self');
    await this.ward.forget();
    [this.device, this.self, this.heardAt, this.link] = [null, null, null, 'none'];
    this.changed();
    return true;
  }

  private listen(): void {
    const wake = () => document.visibilityState === 'visible' && this.refresh();
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('focus', wake);
    window.addEventListener('online', wake);
    window.addEventListener('offline', () => (this.reachable = false));
    setInterval(wake, POLL_MS);
  }

  private async poll(): Promise<void> {
    try {
      this.self = await read<Self>(this.api.GET('/v1/self'));
      this.heardAt = Date.now();
      this.reachable = true;
      this.link = 'linked';
      await this.store.set('self', { self: this.self, heardAt: this.heardAt });
      await (this.self.branch ? this.ward.refresh() : this.ward.forget());
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure instanceof Problem && failure.status === 401) this.link = 'unlinked';
      else this.reachable = failure instanceof Problem;
    }
  }

  /** Whether there is more to send. */
  private async flush(): Promise<boolean> {
    if (!this.device) return false;
    const outcome = await this.outbox.flush(this.device.person.ref);
    if (outcome === 'unlinked') this.link = 'unlinked';
    if (outcome === 'later') {
      this.reachable = false;
      void navigator.serviceWorker?.ready.then(wakeInBackground);
    }
    return outcome === 'later';
  }

  private async tryRedeem(): Promise<boolean> {
    const outcome = await redeem(this.store, this.api);
    if (outcome === 'linked') {
      [this.self, this.heardAt] = [null, null];
      void navigator.storage?.persist?.();
      await this.reload();
      this.changed();
      this.refresh();
    } else {
      this.link = outcome === 'later' ? 'waiting' : this.device ? 'linked' : 'refused';
    }
    return outcome === 'later';
  }

  private changed(): void {
    this.others?.postMessage('changed');
    void this.reload();
  }

  private async reload(): Promise<void> {
    this.entries = await this.store.entries();
    this.durable = this.store.durable;
    const device = await this.store.get('device');
    if (device?.token === this.device?.token) return;
    this.device = device;
    this.link = device ? 'linked' : 'none';
    if (device) await this.ward.open(device.person.ref);
  }
}

function openChannel(): BroadcastChannel | null {
  return typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('muster');
}

/** Where the browser offers it (Chromium), it may also send after the page is closed. */
async function wakeInBackground(registration: ServiceWorkerRegistration): Promise<void> {
  const { sync } = registration as { sync?: { register(tag: string): Promise<void> } };
  await sync?.register('outbox').catch(() => undefined);
}
