import { read, type Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem } from '@muster/shared/api/problem.ts';
import type { Device, PublicConfig, Self } from '@muster/shared/api/types.ts';
import { phoneApi } from '../transport/api.ts';
import { beginEnrolment, redeem } from '../transport/enrol.ts';
import { Outbox, type Draft } from '../transport/outbox.ts';
import { mayPush, subscribe } from '../transport/push.ts';
import { repeater } from '../transport/repeat.ts';
import { checkins } from '../transport/sending.ts';
import type { Entry, Store } from '../transport/store.ts';
import { Help, leaveToWorker, lockWhenLeft } from './help.svelte.ts';
import type { Moves } from './movement.svelte.ts';
import { own } from './present.ts';
import { cleanNote } from './text.ts';
import type { Post } from './checker/post.svelte.ts';
import { Ward } from './ward.svelte.ts';
import type { Watches } from './watches.svelte.ts';

export type Link = 'none' | 'working' | 'waiting' | 'refused' | 'linked' | 'unlinked';

const POLL_MS = 20_000;
/** while a call for help lasts, who has it must soon be known */
const LIVE_MS = 5_000;

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

  /** by how many milliseconds the server's clock is ahead of this phone's */
  skew = $state(0);
  /** numbers that texts to the server go to */
  numbers = $state.raw<string[]>([]);
  /** loaded after the first screen */
  watches = $state.raw<Watches | null>(null);
  moves = $state.raw<Moves | null>(null);
  scans = $state.raw<Post | null>(null);

  /** calls for help */
  readonly help: Help;
  /** the branch of a warden or alternate */
  readonly ward: Ward;
  readonly api: Api;

  private readonly outbox: Outbox;
  private readonly others = openChannel();
  private readonly sendSoon = repeater(() => this.flush());
  private readonly redeemSoon = repeater(() => this.tryRedeem());
  private followSoon: () => void = () => undefined;
  private polling = false;
  private listening = false;

  constructor(private readonly store: Store) {
    this.api = phoneApi(store);
    this.help = new Help(store, () => {
      this.others?.postMessage('changed');
      this.followSoon();
    });
    this.ward = new Ward(store, this.api);
    this.outbox = new Outbox(store, checkins(this.api), () => this.changed());
    this.others?.addEventListener('message', () => void this.reload());
  }

  /** Loads what this phone remembers, then takes up the work. */
  async start(code: string | null): Promise<void> {
    await this.help.load();
    await this.reload();
    const cached = await this.store.get('self');
    if (cached) [this.self, this.heardAt] = [cached.self, cached.heardAt];
    if (code) await this.offer(code);
    else if (await this.store.get('enrolment')) this.redeemSoon();
    this.listen();
    this.refresh();
    await this.loadMore();
  }

  private async readConfig(): Promise<void> {
    try {
      const config = await read<PublicConfig>(this.api.GET('/v1/config'));
      this.pushKey = mayPush() ? config.vapid_public_key : null;
      this.numbers = config.sms_numbers;
      await this.help.lanes.set('numbers', [...this.numbers]);
    } catch {
      this.pushKey = null;
    }
  }

  /** What is not needed for the first screen, before the network may go. */
  private async loadMore(): Promise<void> {
    const later = await import('./later.ts').catch(() => null);
    if (!later || this.watches) return;
    const { openLines, Watches, followOn } = later;
    const told = () => this.others?.postMessage('changed');
    this.watches = new Watches(this.help.lanes, this.api, told, () => void this.poll());
    this.followSoon = repeater(() => followOn(this.help, this.api, () => this.followSoon()));
    // nothing of a call for help waits for this
    void openLines(this.api, told, () => void this.poll()).then((lines) => {
      [this.moves, this.scans] = lines;
      if (this.device) for (const line of lines) line.sendSoon(this.device.person.ref);
    });
    this.skew = (await this.help.lanes.get('skew')) ?? 0;
    this.numbers = (await this.help.lanes.get('numbers')) ?? this.device?.sms.numbers ?? [];
    await this.watches.reload();
    this.refresh();
    await this.readConfig();
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
    if (!this.device) return;
    this.help.urge();
    if (this.link === 'unlinked') return;
    this.sendSoon();
    this.followSoon();
    if (this.watches) this.watches.sendSoon(this.device.person.ref);
    else if (this.listening) void this.loadMore();
    this.moves?.sendSoon(this.device.person.ref);
    this.scans?.sendSoon(this.device.person.ref);
    void this.poll();
  }

  /** Opens what the PIN locks. */
  unlock(): void {
    this.help.locked = false;
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
    // what is still being asked for is nobody's from here on
    [this.device, this.self, this.heardAt, this.link] = [null, null, null, 'none'];
    await this.store.forget('device', 'self');
    for (const one of [this.help, this.ward, this.moves, this.scans]) await one?.forget();
    this.changed();
    return true;
  }

  private listen(): void {
    this.listening = true;
    const wake = () => (document.visibilityState === 'visible' ? this.refresh() : this.leave());
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('focus', wake);
    window.addEventListener('online', wake);
    window.addEventListener('offline', () => (this.reachable = false));
    setInterval(wake, POLL_MS);
    const current = () => this.help.current?.answer && !this.help.current.over;
    setInterval(() => current() && !this.polling && void this.poll(), LIVE_MS);
    lockWhenLeft(this.help);
  }

  /** The app is left, perhaps for good: a request that is under way may end with the page. */
  private leave(): void {
    this.scans?.leave();
    const unsent = [this.entries, this.moves?.entries ?? [], this.watches?.words ?? []].flat();
    if (unsent.some(({ state }) => state === 'saved')) leaveToWorker();
  }

  private async poll(): Promise<void> {
    this.polling = true;
    const [asked, askedAt, device] = [this.help.onRecord(), Date.now(), this.device];
    try {
      const self = await read<Self>(this.api.GET('/v1/self'));
      // unlinked, or linked anew, while the answer was on its way
      if (device !== this.device) return;
      [this.self, this.heardAt] = [self, Date.now()];
      this.noteSkew((askedAt + this.heardAt) / 2);
      await this.help.heard(this.self, asked);
      this.reachable = true;
      this.link = 'linked';
      await this.store.set('self', { self: this.self, heardAt: this.heardAt });
      await (this.self.branch ? this.ward.refresh() : this.ward.forget());
      await this.scans?.heard(this.help.me, this.self);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (device !== this.device) return;
      if (failure instanceof Problem && failure.status === 401) {
        this.link = 'unlinked';
        await this.ward.forget();
        await this.scans?.heard(this.help.me, null);
      } else this.reachable = failure instanceof Problem;
    } finally {
      this.polling = false;
    }
  }

  private noteSkew(now: number): void {
    const skew = Date.parse(this.self!.server_time) - now;
    if (Math.abs(skew - this.skew) > 1_000) void this.help.lanes.set('skew', skew);
    this.skew = skew;
  }

  /** Whether there is more to send. */
  private async flush(): Promise<boolean> {
    if (!this.device) return false;
    const outcome = await this.outbox.flush(this.device.person.ref);
    if (outcome === 'unlinked') this.link = 'unlinked';
    if (outcome === 'later') {
      this.reachable = false;
      leaveToWorker();
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
    await Promise.all(
      [this.help, this.watches, this.moves, this.scans].map((one) => one?.reload()),
    );
    this.entries = own(await this.store.entries(), this.help.me);
    const lines = [this.store, this.help.lanes, this.moves, this.scans];
    this.durable = lines.every((one) => one?.durable ?? true);
    const device = await this.store.get('device');
    if (device?.token === this.device?.token) return;
    // another tab may have linked this phone to somebody else
    if (device?.person.ref !== this.device?.person.ref) [this.self, this.heardAt] = [null, null];
    this.device = device;
    this.link = device ? 'linked' : 'none';
    if (!device) return;
    void this.ward.open(device.person.ref);
    // what another wrote must not go out under this one's token
    for (const one of [this.watches, this.moves, this.scans]) one?.sendSoon(device.person.ref);
  }
}

function openChannel(): BroadcastChannel | null {
  return typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('muster');
}
