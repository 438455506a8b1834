/** What the desk asks and says about panics. */
import { read, readAll, type Api } from '@muster/shared/api/client.ts';
import type {
  Operator,
  Page,
  Panic,
  PanicDetail,
  PanicExport,
  PanicOutcome,
  PanicReason,
  PersonInFull,
} from '@muster/shared/api/types.ts';

const PAGE = 200;
const PAST = 50;
const ONE = '/v1/panics/{panic_id}';

const named = (id: string) => ({ path: { panic_id: id } });

/** Every panic a human must still see to, those that were taken back included. */
export function listOpenPanics(api: Api): Promise<Panic[]> {
  return readAll((cursor) => {
    const query = { limit: PAGE, cursor, open: 'true' as const };
    return read<Page<Panic>>(api.GET('/v1/panics', { params: { query } }));
  });
}

/** The newest of those that are over. */
export async function listPastPanics(api: Api): Promise<Panic[]> {
  const query = { limit: PAST, open: 'false' as const };
  return (await read<Page<Panic>>(api.GET('/v1/panics', { params: { query } }))).items;
}

/** One with its timeline; with a reason its positions too, which is written down. */
export function readPanic(api: Api, id: string, reason?: PanicReason): Promise<PanicDetail> {
  return read(api.GET(ONE, { params: { ...named(id), query: { reason } } }));
}

/** All that is known of it; that its positions were read is written down. */
export function exportPanic(api: Api, id: string): Promise<PanicExport> {
  return read(api.GET(`${ONE}/export`, { params: named(id) }));
}

export function takePanic(api: Api, id: string): Promise<Panic> {
  return read(api.POST(`${ONE}/acknowledge`, { params: named(id) }));
}

export function handOverPanic(api: Api, id: string, operator: number): Promise<Panic> {
  return read(api.POST(`${ONE}/hand-over`, { params: named(id), body: { operator } }));
}

/** Ends one; of one that was taken back, `close` says that a human has seen to it. */
export function endPanic(
  api: Api,
  id: string,
  verb: 'resolve' | 'close',
  outcome: PanicOutcome,
  note: string,
): Promise<Panic> {
  const given = { params: named(id), body: { outcome, note: note || null } };
  return read(
    verb === 'resolve' ? api.POST(`${ONE}/resolve`, given) : api.POST(`${ONE}/close`, given),
  );
}

export async function listOperators(api: Api): Promise<Operator[]> {
  return (await read<{ items: Operator[] }>(api.GET('/v1/operators'))).items;
}

export function readPerson(api: Api, ref: string): Promise<PersonInFull> {
  return read(api.GET('/v1/people/{ref}', { params: { path: { ref } } }));
}
