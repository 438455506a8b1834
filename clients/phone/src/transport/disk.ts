import type { DBSchema, IDBPDatabase } from 'idb';

/**
 * A database of the browser that may fail at any time. What is asked of it is tried on a connection
 * opened anew once, then given up: `durable` turns false and the caller keeps things in memory.
 */
export class Disk<S extends DBSchema> {
  durable = true;
  private db: Promise<IDBPDatabase<S>> | null = null;

  /** @param open opens it; calls what it is given when the browser has ended the connection */
  constructor(private readonly open: (ended: () => void) => Promise<IDBPDatabase<S>>) {}

  /** What the work returned; undefined: the disk refused it. */
  async attempt<T>(work: (db: IDBPDatabase<S>) => Promise<T>): Promise<T | undefined> {
    // some browsers let go of the disk while a page is in the background: it is opened once more
    for (let tries = 0; tries < 2; tries++)
      try {
        this.db ??= this.open(() => (this.db = null));
        return await work(await this.db);
      } catch {
        this.db = null;
      }
    this.durable = false;
    return undefined;
  }
}
