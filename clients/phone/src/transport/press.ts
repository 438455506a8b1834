import type { Device } from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import type { Lanes, Press } from './lanes.ts';

export type Trouble = 'unreachable' | 'busy' | 'unlinked' | 'refused';
/** What one try came to. `afterMs`: the server asked for so long a pause. */
export type Tried =
  | { kind: 'answered'; panic_id: string }
  | { kind: 'not_now'; why: Trouble; afterMs: number | null };
export type Post = (token: string, press: Press) => Promise<Tried>;

/** A phone that hears nothing for so long takes another way. */
export const PATIENCE_MS = 5_000;
const PAUSES_MS = [1_000, 2_000, 3_000];
const LONGEST_MS = 4_000;
const UNLINKED_MS = 15_000;

/** How a press stands on this phone: null while its first try is under way. */
export type Tries = ReadonlyMap<string, Trouble | null>;

/**
 * Calls for help, past everything else: saved under an id made at the press, then sent at once, each
 * in a request of its own, again and again until the server has it. Nothing here waits for a lock:
 * two tabs that send the same press do no harm, a tab that sleeps with the lock would.
 */
export class PanicLane {
  private readonly tries = new Map<string, Trouble | null>();
  private failures = 0;

  constructor(
    private readonly lanes: Lanes,
    private readonly device: () => Promise<Device | null>,
    private readonly post: Post = postPress,
    private readonly onChange: (tries: Tries) => void = () => undefined,
    private readonly now: () => Date = () => new Date(),
  ) {}

  /** Saves a press. While one like it has no answer yet, pressing again only hurries that one. */
  async raise(covert: boolean, battery?: number): Promise<Press> {
    const author = (await this.device())?.person.ref ?? '';
    const fresh: Press = { id: uuid(), author, at: this.now().toISOString(), covert };
    if (battery !== undefined) fresh.battery = battery;
    let waiting: Press | undefined;
    await this.lanes.change('presses', fresh.id, (_none, all) => {
      waiting = all.find((one) => isWaiting(one, author) && one.covert === covert);
      return waiting ? undefined : fresh;
    });
    this.failures = 0;
    this.changed();
    return waiting ?? fresh;
  }

  /**
   * One try for each press that has no answer. How long to wait before the next; null: none is left.
   */
  async flush(): Promise<number | null> {
    const device = await this.device();
    const all = await this.lanes.all('presses');
    const waiting = all.filter((one) => isWaiting(one, device?.person.ref ?? one.author));
    if (!waiting.length) return null;
    if (!device) return UNLINKED_MS;
    waiting.sort((a, b) => a.at.localeCompare(b.at));
    const pauses = await Promise.all(waiting.map((press) => this.once(device.token, press)));
    const longest = Math.max(...pauses.map((pause) => pause ?? 0));
    return longest || null;
  }

  /** The pause before the next try; null: it is answered. */
  private async once(token: string, press: Press): Promise<number | null> {
    if (!this.tries.has(press.id)) this.note(press.id, null);
    const tried = await this.post(token, press);
    if (tried.kind === 'not_now') {
      this.note(press.id, tried.why);
      return this.pauseAfter(tried);
    }
    const answer = { panic_id: tried.panic_id, at: this.now().toISOString() };
    await this.lanes.change(
      'presses',
      press.id,
      (old) => old && { ...old, answer: old.answer ?? answer },
    );
    this.tries.delete(press.id);
    this.failures = 0;
    this.changed();
    return null;
  }

  private pauseAfter({ why, afterMs }: Tried & { kind: 'not_now' }): number {
    if (why === 'unlinked') return UNLINKED_MS;
    const own = PAUSES_MS[this.failures++] ?? LONGEST_MS;
    return afterMs === null ? own : Math.min(LONGEST_MS, Math.max(own, afterMs));
  }

  private note(id: string, trouble: Trouble | null): void {
    this.tries.set(id, trouble);
    this.changed();
  }

  private changed(): void {
    this.onChange(new Map(this.tries));
  }
}

/** Whether it still has to reach the server, in the name of this author. */
export function isWaiting(press: Press, author: string): boolean {
  return !press.answer && !press.over && (press.author === author || press.author === '');
}

/** Sends one press by a request of its own, which outlives the page; never throws. */
export async function postPress(token: string, press: Press): Promise<Tried> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  try {
    const response = await fetch('/v1/panics', {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: bodyOf(press),
      keepalive: true,
      priority: 'high',
      signal: stop.signal,
    });
    return await read(response);
  } catch {
    return { kind: 'not_now', why: 'unreachable', afterMs: null };
  } finally {
    clearTimeout(timer);
  }
}

function bodyOf({ id, at, covert, battery }: Press): string {
  const sent_at = new Date().toISOString();
  return JSON.stringify({ id, at, sent_at, battery, covert: covert || undefined });
}

/** Only what our own server says counts: a portal in between answers 200 to anything. */
async function read(response: Response): Promise<Tried> {
  const body = (await response.json().catch(() => null)) as {
    panic_id?: unknown;
    code?: unknown;
  } | null;
  if (response.ok && typeof body?.panic_id === 'string')
    return { kind: 'answered', panic_id: body.panic_id };
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  const afterMs = Number.isFinite(seconds) ? seconds * 1_000 : null;
  if (typeof body?.code !== 'string') return { kind: 'not_now', why: 'unreachable', afterMs };
  if (response.status === 401) return { kind: 'not_now', why: 'unlinked', afterMs };
  const why = response.status >= 500 || response.status === 429 ? 'busy' : 'refused';
  return { kind: 'not_now', why, afterMs };
}
