import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { Extension, Farewell, NewWatch } from '@muster/shared/api/types.ts';

/** One call for help, from the press until its end was seen. */
export interface Press {
  /** made at the press; every try goes out under it */
  id: string;
  /** who was linked to this phone; empty where that could not be read */
  author: string;
  at: string;
  covert: boolean;
  battery?: number;
  /** it is on record as this panic; when this phone learned of it */
  answer?: { panic_id: string; at: string };
  /** it has ended, as the server said; unknown: it is open no more, and that is all it said */
  over?: { state: 'cancelled' | 'resolved' | 'closed' | 'unknown'; outcome?: string; at: string };
  /** the signed text, once it was made, and when it was handed to the phone's own messages */
  text?: string;
  textedAt?: string;
}

/** Where this phone was during a call for help. */
export interface Fix {
  id: string;
  press_id: string;
  at: string;
  lat: number;
  lon: number;
  accuracy?: number;
  battery?: number;
}

/** Something said about a watch: begun, another deadline, arrived. */
export type Said =
  | { verb: 'begin'; body: NewWatch }
  | { verb: 'extend'; watch_id: string; body: Extension }
  | { verb: 'done'; watch_id: string; body: Farewell };

export type Word = Said & {
  seq: number;
  author: string;
  at: string;
  state: 'saved' | 'refused';
  problem?: { code: string; detail: string };
};

/** How this phone is to behave. */
export interface Habits {
  /** the gesture that calls for help without a sign */
  covert: 'off' | 'hold' | 'taps';
  /** the PIN is asked for when the app is opened */
  lock: boolean;
}

interface Facts {
  habits: Habits;
  /** numbers that texts to the server go to, as it said last */
  numbers: string[];
  /** of the last signed text; each counts once */
  counter: number;
  /** of the last word */
  seq: number;
  /** by how many milliseconds the server's clock is ahead of this phone's */
  skew: number;
}

interface Schema extends DBSchema {
  presses: { key: string; value: Press };
  fixes: { key: string; value: Fix };
  words: { key: number; value: Word };
  facts: { key: string; value: Facts[keyof Facts] };
}
type Name = 'presses' | 'fixes' | 'words' | 'facts';
type Value<N extends Name> = Schema[N]['value'];

const NAMES: readonly Name[] = ['presses', 'fixes', 'words', 'facts'];
/** A call for help does not wait longer for a disk, and does not ask a silent one again for a while. */
const LONGEST_MS = 1_500;
const REST_MS = 30_000;

/**
 * What must not wait for anything else, in a database of its own: no upgrade of another one, no old
 * page that holds it open stands in its way. What the disk refuses is held in memory.
 */
export class Lanes {
  durable = true;
  private db: Promise<IDBPDatabase<Schema>> | null = null;
  private silentUntil = 0;
  private readonly loose = new Map<string, unknown>();

  constructor(private readonly name = 'muster-lanes') {}

  /** All values of one kind, in the order of their keys. */
  async all<N extends Name>(name: N): Promise<Value<N>[]> {
    const kept = await this.attempt(async (db) => {
      const tx = db.transaction(name);
      const [keys, values] = await Promise.all([tx.store.getAllKeys(), tx.store.getAll()]);
      return keys.map((key, n) => [key, values[n]] as const);
    });
    const found = new Map<unknown, unknown>(kept ?? []);
    for (const [key, value] of this.looseOf(name)) found.set(key, value);
    return [...found.values()].filter((value) => value !== null) as Value<N>[];
  }

  /**
   * Changes one value in a transaction of its own: `step` gets what is there and gives what shall be
   * there; null takes it away, undefined leaves it. Returns what is there then.
   */
  async change<N extends Name>(
    name: N,
    key: Schema[N]['key'],
    step: (old: Value<N> | undefined, all: Value<N>[]) => Value<N> | null | undefined,
  ): Promise<Value<N> | undefined> {
    const done = await this.attempt(async (db) => {
      const tx = db.transaction(name, 'readwrite', { durability: 'strict' });
      const [keys, values] = await Promise.all([tx.store.getAllKeys(), tx.store.getAll()]);
      const old = values[keys.indexOf(key as never)] as Value<N> | undefined;
      const wanted = step(old, values as Value<N>[]);
      if (wanted === null) await tx.store.delete(key as never);
      else if (wanted !== undefined) await tx.store.put(wanted as never, key as never);
      await tx.done;
      return [wanted === undefined ? old : (wanted ?? undefined)];
    });
    if (done) {
      this.loose.delete(`${name} ${key}`);
      return done[0];
    }
    return this.changeLoose(name, key, step);
  }

  async get<K extends keyof Facts>(key: K): Promise<Facts[K] | undefined> {
    return (await this.change('facts', key, () => undefined)) as Facts[K] | undefined;
  }

  async set<K extends keyof Facts>(key: K, value: Facts[K]): Promise<void> {
    await this.change('facts', key, () => value);
  }

  /** The next number of a row: never the same twice, not even in two tabs at once. */
  async next(key: 'counter' | 'seq', least = 1): Promise<number> {
    const made = await this.change('facts', key, (last) =>
      Math.max(least, ((last as number | undefined) ?? 0) + 1),
    );
    return made as number;
  }

  private changeLoose<N extends Name>(
    name: N,
    key: Schema[N]['key'],
    step: (old: Value<N> | undefined, all: Value<N>[]) => Value<N> | null | undefined,
  ): Value<N> | undefined {
    const held = this.looseOf(name).filter(([, value]) => value !== null) as [unknown, Value<N>][];
    const old = held.find(([one]) => one === key)?.[1];
    const wanted = step(
      old,
      held.map(([, value]) => value),
    );
    if (wanted !== undefined) this.loose.set(`${name} ${key}`, wanted);
    return wanted === undefined ? old : (wanted ?? undefined);
  }

  private looseOf(name: Name): [unknown, unknown][] {
    return [...this.loose]
      .filter(([key]) => key.startsWith(`${name} `))
      .map(([key, value]) => {
        const own = key.slice(name.length + 1);
        return [name === 'words' ? Number(own) : own, value];
      });
  }

  private async attempt<T>(work: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T | undefined> {
    if (performance.now() < this.silentUntil) return undefined;
    try {
      this.db ??= this.open();
      return await within(this.db.then(work));
    } catch (thrown) {
      if (thrown instanceof Silent) this.silentUntil = performance.now() + REST_MS;
      this.durable = false;
      this.db = null;
      return undefined;
    }
  }

  private open(): Promise<IDBPDatabase<Schema>> {
    return openDB<Schema>(this.name, 1, {
      upgrade(db) {
        for (const name of NAMES) db.createObjectStore(name);
      },
      // a newer page wants to change it: it must not wait for this one
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
      terminated: () => (this.db = null),
    });
  }
}

/** The disk does not answer. */
class Silent extends Error {}

function within<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Silent()), LONGEST_MS);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
