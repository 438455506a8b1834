import { openDB, type DBSchema } from 'idb';
import type { BranchList, Checkin, Device, Self } from '@muster/shared/api/types.ts';
import { Disk } from './disk.ts';

/** One thing the user wrote, from the tap until the server has it. */
export interface Entry<B = Checkin> {
  /** the order in which it was written; given by the store */
  seq: number;
  /** who was linked to this phone when it was written */
  author: string;
  body: B;
  state: 'saved' | 'received' | 'refused';
  event_at?: string;
  received_at?: string;
  /** of a stage: it came after the movement had ended */
  late?: boolean;
  problem?: { code: string; detail: string };
  /** it was tried to be sent: the server may have it, whatever became of the answer */
  tried?: true;
}

/** out: it is sent no more; sent: the server may have it; gone: nothing of it lies here */
export type TakenBack = 'out' | 'sent' | 'gone';

/** Small facts this phone keeps. */
export interface Facts {
  device: Device;
  enrolment: { id: string; code: string };
  self: { self: Self; heardAt: number };
  language: string;
  /** a warden's call-down list, as a build of before left it in the clear */
  branch: Branch;
  /** the alerts in which she takes up her branch; not yet received */
  takes: string[];
}

/** A branch of a cascade that waits for this phone's person. */
export interface Ask {
  alert_id: string;
  exercise: boolean;
  label: string;
  /** when it opens without her (the server's clock); null: not known */
  opens_at: string | null;
}

export interface Branch {
  author: string;
  list: BranchList;
  asks: Ask[];
  heardAt: number;
}

interface Schema<F, B> extends DBSchema {
  facts: { key: string; value: F[keyof F] };
  outbox: { key: number; value: Entry<B> };
}

/**
 * What this phone remembers, in IndexedDB: facts `F`, and what it writes to the server, `B`. Where
 * that is refused (private windows, a full disk) it is held in memory and `durable` turns false,
 * which the screen must say.
 */
export class Store<F extends object = Facts, B = Checkin> {
  private readonly disk: Disk<Schema<F, B>>;
  private readonly facts = new Map<keyof F, F[keyof F]>();
  /** what the disk refused; it may have an older form of the same */
  private readonly loose = new Map<number, Entry<B>>();
  private looseSeq = Number.MAX_SAFE_INTEGER / 2;

  private constructor(name: string) {
    this.disk = new Disk((ended) =>
      openDB<Schema<F, B>>(name, 1, {
        upgrade(db) {
          db.createObjectStore('facts');
          db.createObjectStore('outbox', { keyPath: 'seq', autoIncrement: true });
        },
        terminated: ended,
      }),
    );
  }

  get durable(): boolean {
    return this.disk.durable;
  }

  static async open<F extends object = Facts, B = Checkin>(name = 'muster'): Promise<Store<F, B>> {
    const store = new Store<F, B>(name);
    await store.disk.attempt(() => Promise.resolve());
    return store;
  }

  async get<K extends keyof F & string>(key: K): Promise<F[K] | null> {
    const held = this.facts.get(key) ?? (await this.disk.attempt((db) => db.get('facts', key)));
    return (held as F[K] | undefined) ?? null;
  }

  async set<K extends keyof F & string>(key: K, value: F[K]): Promise<void> {
    const kept = await this.disk.attempt((db) => db.put('facts', value, key));
    if (kept === undefined) this.facts.set(key, value);
    else this.facts.delete(key);
  }

  async forget(...keys: (keyof F & string)[]): Promise<void> {
    for (const key of keys) {
      this.facts.delete(key);
      await this.disk.attempt((db) => db.delete('facts', key));
    }
  }

  /**
   * Saves new entries, all or none; when this returns they are on disk, as far as the browser can
   * promise.
   */
  async add(...entries: Omit<Entry<B>, 'seq'>[]): Promise<Entry<B>[]> {
    const keys = await this.disk.attempt(async (db) => {
      const tx = db.transaction('outbox', 'readwrite', { durability: 'strict' });
      const made = [];
      for (const entry of entries) made.push(await tx.store.add(entry as Entry<B>));
      await tx.done;
      return made;
    });
    return entries.map((entry, n) => {
      const seq = keys?.[n];
      if (seq !== undefined) return { ...entry, seq };
      const held = { ...entry, seq: this.looseSeq++ };
      this.loose.set(held.seq, held);
      return held;
    });
  }

  async put(entry: Entry<B>): Promise<void> {
    const kept =
      !this.loose.has(entry.seq) && (await this.disk.attempt((db) => db.put('outbox', entry)));
    if (!kept) this.loose.set(entry.seq, entry);
  }

  async remove(seq: number): Promise<void> {
    this.loose.delete(seq);
    await this.disk.attempt((db) => db.delete('outbox', seq));
  }

  /** Marks what is about to be sent, or was not after all; what was taken back meanwhile is left out. */
  async mark(entries: Entry<B>[], tried: true | undefined): Promise<Entry<B>[]> {
    const marked = await this.disk.attempt(async (db) => {
      const tx = db.transaction('outbox', 'readwrite', { durability: 'strict' });
      const found: Entry<B>[] = [];
      for (const { seq } of entries) {
        const held = await tx.store.get(seq);
        if (!held || this.loose.has(seq)) continue;
        found.push({ ...held, tried });
        if (held.tried !== tried) await tx.store.put({ ...held, tried });
      }
      await tx.done;
      return found;
    });
    if (marked) return [...marked, ...entries.filter(({ seq }) => this.loose.has(seq))];
    for (const entry of entries) this.loose.set(entry.seq, { ...entry, tried });
    return entries;
  }

  /** Takes an entry out, if it was never tried to be sent. */
  async takeBack(wanted: (body: B) => boolean): Promise<TakenBack> {
    const done = await this.disk.attempt(async (db) => {
      const tx = db.transaction('outbox', 'readwrite', { durability: 'strict' });
      const found = (await tx.store.getAll()).filter(({ body }) => wanted(body));
      const sent = found.some(({ state, tried }) => tried || state !== 'saved');
      if (!sent) for (const { seq } of found) await tx.store.delete(seq);
      await tx.done;
      return sent ? 'sent' : found.length ? 'out' : 'gone';
    });
    // what is in memory alone may have been sent: nothing marks it
    if ([...this.loose.values()].some(({ body }) => wanted(body))) return 'sent';
    return done ?? 'sent';
  }

  /** All entries in the order they were written. */
  async entries(): Promise<Entry<B>[]> {
    const kept = (await this.disk.attempt((db) => db.getAll('outbox'))) ?? [];
    return [...kept.filter(({ seq }) => !this.loose.has(seq)), ...this.loose.values()].sort(
      (a, b) => a.seq - b.seq,
    );
  }
}
