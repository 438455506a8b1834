import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { Disk } from './disk.ts';

interface Schema extends DBSchema {
  keys: { key: string; value: CryptoKey };
  rows: { key: string; value: Sealed };
}

interface Sealed {
  iv: Uint8Array<ArrayBuffer>;
  text: ArrayBuffer;
}

const KIND = { name: 'AES-GCM', length: 256 } as const;

/**
 * What names people, under a key of this phone that no script can read out: AES-GCM, a nonce a row, a
 * row bound to its name. Wiped by forgetting the key with the rows. Where the browser has no cryptography
 * or no disk it is held in memory alone, never on disk in the clear, and `durable` turns false.
 */
export class SealedStore {
  private readonly disk: Disk<Schema>;
  private readonly loose = new Map<string, unknown>();

  constructor(name = 'muster-sealed') {
    this.disk = new Disk((ended) => {
      // without cryptography nothing may lie on the disk
      if (!globalThis.crypto?.subtle) throw new Error('no cryptography');
      return openDB<Schema>(name, 1, {
        upgrade(db) {
          db.createObjectStore('keys');
          db.createObjectStore('rows');
        },
        blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
        terminated: ended,
      });
    });
  }

  get durable(): boolean {
    return this.disk.durable;
  }

  async put(row: string, value: unknown): Promise<void> {
    const kept = await this.disk.attempt(async (db) => {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const plain = new TextEncoder().encode(JSON.stringify(value));
      const how = { name: KIND.name, iv, additionalData: new TextEncoder().encode(row) };
      const text = await crypto.subtle.encrypt(how, await this.key(db), plain);
      const tx = db.transaction('rows', 'readwrite', { durability: 'strict' });
      await tx.store.put({ iv, text }, row);
      await tx.done;
      return true;
    });
    if (kept) this.loose.delete(row);
    else this.loose.set(row, value);
  }

  async get<T>(row: string): Promise<T | null> {
    if (this.loose.has(row)) return this.loose.get(row) as T;
    const found = await this.disk.attempt(async (db) =>
      this.opened<T>(db, row, await db.get('rows', row)),
    );
    return found ?? null;
  }

  /** All rows whose name begins so; what cannot be opened is not there. */
  async all<T>(prefix: string): Promise<T[]> {
    const found = await this.disk.attempt(async (db) => {
      const tx = db.transaction('rows');
      const range = within(prefix);
      const [names, rows] = await Promise.all([tx.store.getAllKeys(range), tx.store.getAll(range)]);
      const values = await Promise.all(rows.map((row, n) => this.opened<T>(db, names[n]!, row)));
      // what the disk refused to take anew is older there
      return values.filter((value, n) => value !== null && !this.loose.has(names[n]!));
    });
    const loose = [...this.loose].filter(([row]) => row.startsWith(prefix));
    return [...((found ?? []) as T[]), ...loose.map(([, value]) => value as T)];
  }

  /** The names of rows that begin so; nothing is opened for them. */
  async names(prefix: string): Promise<string[]> {
    const kept = await this.disk.attempt(async (db) => db.getAllKeys('rows', within(prefix)));
    const loose = [...this.loose.keys()].filter((row) => row.startsWith(prefix));
    return [...new Set([...(kept ?? []), ...loose])];
  }

  async remove(...rows: string[]): Promise<void> {
    for (const row of rows) {
      this.loose.delete(row);
      await this.disk.attempt(async (db) => db.delete('rows', row));
    }
  }

  /** Nothing stays that could be opened. */
  async wipe(): Promise<void> {
    this.loose.clear();
    await this.disk.attempt(async (db) => {
      const tx = db.transaction(['keys', 'rows'], 'readwrite', { durability: 'strict' });
      await Promise.all([tx.objectStore('keys').clear(), tx.objectStore('rows').clear()]);
      await tx.done;
    });
  }

  private async opened<T>(
    db: IDBPDatabase<Schema>,
    name: string,
    row: Sealed | undefined,
  ): Promise<T | null> {
    if (!row) return null;
    const how = { name: KIND.name, iv: row.iv, additionalData: new TextEncoder().encode(name) };
    const key = await this.key(db);
    const plain = await crypto.subtle.decrypt(how, key, row.text).catch(() => null);
    return plain && (JSON.parse(new TextDecoder().decode(plain)) as T);
  }

  /** This phone's key; of two tabs that make one at once the first stays. */
  private async key(db: IDBPDatabase<Schema>): Promise<CryptoKey> {
    const kept = await db.get('keys', 'own');
    if (kept) return kept;
    const fresh = await crypto.subtle.generateKey(KIND, false, ['encrypt', 'decrypt']);
    const tx = db.transaction('keys', 'readwrite', { durability: 'strict' });
    const first = await tx.store.get('own');
    if (!first) await tx.store.put(fresh, 'own');
    await tx.done;
    return first ?? fresh;
  }
}

function within(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound(prefix, `${prefix}\uffff`);
}
