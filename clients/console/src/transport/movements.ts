/** What the desk asks and says about movements. */
import { cursorOf, read, readAll, type Api } from '@muster/shared/api/client.ts';
import type {
  CloseOut,
  CriticalWork,
  Decision,
  Manifest,
  Movement,
  MovementBoard,
  MovementFact,
  MovementReport,
  Mover,
  MoverInFull,
  Page,
  SplitHousehold,
  StageConflict,
  StageReport,
  StageResult,
} from '@muster/shared/api/types.ts';

const PAGE = 100;
const LONG = 500;
const MOST = 10_000;
const ONE = '/v1/movements/{movement_id}';

export const named = (id: string) => ({ path: { movement_id: id } });

/** Movements, newest first. */
export function listMovements(api: Api): Promise<Movement[]> {
  return readAll((cursor) => {
    const query = { limit: PAGE, cursor };
    return read<Page<Movement>>(api.GET('/v1/movements', { params: { query } }));
  }, PAGE);
}

export function readBoard(api: Api, id: string): Promise<MovementBoard> {
  return read(api.GET(ONE, { params: named(id) }));
}

/** What the people of a movement are narrowed to, by the API's own names. */
export type MoverFilters = Readonly<Record<string, string>>;

export async function listMovers(
  api: Api,
  id: string,
  filters: MoverFilters,
  limit: number,
): Promise<{ items: Mover[]; more: boolean }> {
  const params = { ...named(id), query: { ...filters, limit } as object };
  const page = await read<Page<Mover>>(api.GET(`${ONE}/people`, { params }));
  return { items: page.items, more: cursorOf(page.next) !== undefined };
}

/** All of them, however many pages. */
export function allMovers(api: Api, id: string, filters: MoverFilters): Promise<Mover[]> {
  return readAll((cursor) => {
    const params = { ...named(id), query: { ...filters, limit: LONG, cursor } as object };
    return read<Page<Mover>>(api.GET(`${ONE}/people`, { params }));
  }, MOST);
}

export function readMover(api: Api, id: string, ref: string): Promise<MoverInFull> {
  const params = { path: { movement_id: id, ref } };
  return read(api.GET(`${ONE}/people/{ref}`, { params }));
}

/** Households in more than one place, at most this many. */
export async function listSplit(api: Api, id: string, limit: number): Promise<SplitHousehold[]> {
  const params = { ...named(id), query: { limit } };
  return (await read<Page<SplitHousehold>>(api.GET(`${ONE}/households`, { params }))).items;
}

export async function listCritical(api: Api, id: string): Promise<CriticalWork[]> {
  const call = api.GET(`${ONE}/functions`, { params: named(id) });
  return (await read<{ items: CriticalWork[] }>(call)).items;
}

export async function readTimeline(api: Api, id: string): Promise<MovementFact[]> {
  const call = api.GET(`${ONE}/timeline`, { params: named(id) });
  return (await read<{ items: MovementFact[] }>(call)).items;
}

/** Contradictions: every one that is open, and the newest that are over; `more`: of those. */
export async function listConflicts(
  api: Api,
  id: string,
): Promise<{ items: StageConflict[]; more: boolean }> {
  const page = (state: StageConflict['state'], cursor?: string) => {
    const params = { ...named(id), query: { state, limit: PAGE, cursor } };
    return read<Page<StageConflict>>(api.GET(`${ONE}/conflicts`, { params }));
  };
  const [open, explained, resolved] = await Promise.all([
    readAll((cursor) => page('open', cursor)),
    page('explained'),
    page('resolved'),
  ]);
  // settled between two of these answers it is in both: the later word holds
  const all = [...open, ...explained.items, ...resolved.items].map((one) => [one.id, one] as const);
  const more = [explained, resolved].some(({ next }) => cursorOf(next) !== undefined);
  return { items: [...new Map(all).values()], more };
}

/** A human's decision; said again under its id it is one. */
export function resolveConflict(
  api: Api,
  id: string,
  conflict: string,
  body: Decision,
): Promise<StageConflict> {
  const params = { path: { movement_id: id, conflict_id: conflict } };
  return read(api.POST(`${ONE}/conflicts/{conflict_id}/resolve`, { params, body }));
}

export function readManifest(api: Api, id: string, vehicle: string): Promise<Manifest> {
  const params = { path: { movement_id: id, vehicle_id: vehicle } };
  return read(api.GET(`${ONE}/vehicles/{vehicle_id}/manifest`, { params }));
}

/** At most 500 reports; what became of each, in their order. */
export async function sendReports(api: Api, items: StageReport[]): Promise<StageResult[]> {
  const call = api.POST('/v1/stage-reports', { body: { items } });
  return (await read<{ items: StageResult[] }>(call)).items;
}

export function steerMovement(
  api: Api,
  id: string,
  verb: 'activate' | 'cancel',
): Promise<Movement> {
  const params = named(id);
  return read(
    verb === 'activate'
      ? api.POST(`${ONE}/activate`, { params })
      : api.POST(`${ONE}/cancel`, { params }),
  );
}

export function closeMovement(api: Api, id: string, body: CloseOut): Promise<Movement> {
  return read(api.POST(`${ONE}/close`, { params: named(id), body }));
}

export function readReport(api: Api, id: string): Promise<MovementReport> {
  return read(api.GET(`${ONE}/report`, { params: named(id) }));
}
