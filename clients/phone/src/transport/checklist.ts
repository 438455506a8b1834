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
  movement: string;
  state: string;
}

/** After so long a list says too little of who is where to stay on a phone that may be lost. */
const GONE_MS = 7 * 24 * 3_600_000;

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

/**
 * Puts away what is not hers to keep: lists of movements she does not check (any more), and what she
 * scanned there once the server has it. `checks` null: the server knows this phone no more, so that
 * every list goes; what is unsent stays.
 */
export async function tidy(
  sealed: SealedStore,
  author: string,
  checks: readonly SelfCheck[] | null,
  serverNow: number,
): Promise<void> {
  const hers = new Set(checks?.map(({ id }) => id));
  for (const kept of await sealed.all<KeptList>('list '))
    if (!hers.has(kept.list.movement) || isGone(kept, author, serverNow))
      await sealed.remove(listRow(kept.list.movement));
  for (const row of await sealed.all<Row & { id: string }>('scan ')) {
    const settled = row.state === 'received' || row.author !== author;
    if (settled && !hers.has(row.movement)) await sealed.remove(scanRow(row.movement, row.id));
  }
}
