/** A checker's list: fetched, and kept sealed until she checks no more or it is too old. */
import { read, type Api } from '@muster/shared/api/client.ts';
import type { CheckList, SelfCheck } from '@muster/shared/api/types.ts';
import type { SealedStore } from './sealed.ts';

/** A list as it is kept; `author`: whose phone it was then. */
export interface KeptList {
  author: string;
  list: CheckList;
  /** of the vehicle with this number only; null: of everybody */
  only: number | null;
  /** by this phone's clock */
  heardAt: number;
  /** the how manieth list that was asked for */
  epoch: number;
}

interface Row {
  author: string;
  state: string;
}

/** After so long a list says too little of who is where to stay on a phone that may be lost. */
const GONE_MS = 7 * 24 * 3_600_000;
const LOOK_MS = 3_600_000;

export const listRow = (movement: string) => `list ${movement}`;
export const scanRow = (movement: string, id: string) => `scan ${movement} ${id}`;

/** Throws Problem or Unreachable. */
export function readList(api: Api, movement: string, only: number | null): Promise<CheckList> {
  const params = { path: { movement_id: movement }, query: only === null ? {} : { vehicle: only } };
  return read<CheckList>(api.GET('/v1/movements/{movement_id}/bundle', { params }));
}

/** Whether a list must not stay on this phone. */
export function isGone(kept: KeptList, author: string, serverNow: number): boolean {
  return kept.author !== author || serverNow - Date.parse(kept.list.as_of) > GONE_MS;
}

/** Puts away what is not hers to keep, as often as the server is heard. */
export class Tidy {
  private looked = { author: '', at: -Infinity };

  constructor(private readonly sealed: SealedStore) {}

  /**
   * Lists of movements she does not check (any more) go, and what she scanned there once the server has
   * it. `checks` null: the server knows this phone no more, so that every list goes; what is unsent stays.
   */
  async heard(
    author: string,
    checks: readonly SelfCheck[] | null,
    serverNow: number,
  ): Promise<void> {
    const hers = new Set(checks?.map(({ id }) => id));
    const named = (row: string) => hers.has(row.split(' ')[1]!);
    const lists = await this.sealed.names('list ');
    await this.sealed.remove(...lists.filter((row) => !named(row)));
    if (lists.some(named)) await this.look(author, serverNow);
    for (const row of await this.sealed.names('scan ')) {
      if (named(row)) continue;
      const scan = await this.sealed.get<Row>(row);
      const settled = scan && (scan.state === 'received' || scan.author !== author);
      if (settled) await this.sealed.remove(row);
    }
  }

  /** What is too old, or another's: a list of a hundred thousand is not opened every time. */
  private async look(author: string, serverNow: number): Promise<void> {
    const now = performance.now();
    if (this.looked.author === author && now - this.looked.at < LOOK_MS) return;
    this.looked = { author, at: now };
    for (const kept of await this.sealed.all<KeptList>('list '))
      if (isGone(kept, author, serverNow)) await this.sealed.remove(listRow(kept.list.movement));
  }
}
