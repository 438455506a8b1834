/** What the desk asks and says about watches, curfews, radio checks and areas of risk. */
import { read, readAll, type Api } from '@muster/shared/api/client.ts';
import type {
  AreaRisk,
  Curfew,
  DarkPerson,
  NewCurfew,
  NewRadioCheck,
  NewWatch,
  Page,
  PanicReason,
  PersonWatch,
  RadioCheck,
  WatchDetail,
  WatchPosition,
} from '@muster/shared/api/types.ts';

const PAGE = 500;
const PAST = 100;

const named = (id: string) => ({ path: { watch_id: id } });

/** Every watch that has not ended, by deadline. */
export function listOpenWatches(api: Api): Promise<PersonWatch[]> {
  return readAll((cursor) => {
    const query = { limit: PAGE, cursor, open: 'true' as const };
    return read<Page<PersonWatch>>(api.GET('/v1/watches', { params: { query } }));
  });
}

/** Some that have ended. */
export async function listPastWatches(api: Api): Promise<PersonWatch[]> {
  const query = { limit: PAST, open: 'false' as const };
  return (await read<Page<PersonWatch>>(api.GET('/v1/watches', { params: { query } }))).items;
}

export function readWatch(api: Api, id: string): Promise<WatchDetail> {
  return read(api.GET('/v1/watches/{watch_id}', { params: named(id) }));
}

export function beginWatch(api: Api, body: NewWatch): Promise<PersonWatch> {
  return read(api.POST('/v1/watches', { body }));
}

/** It went well. The id makes a repeated word one word. */
export function watchDone(api: Api, id: string, word: string): Promise<PersonWatch> {
  return read(api.POST('/v1/watches/{watch_id}/done', { params: named(id), body: { id: word } }));
}

export function extendWatch(
  api: Api,
  id: string,
  word: string,
  due_at: string,
): Promise<PersonWatch> {
  const body = { id: word, due_at };
  return read(api.POST('/v1/watches/{watch_id}/extend', { params: named(id), body }));
}

export function cancelWatch(api: Api, id: string): Promise<PersonWatch> {
  return read(api.POST('/v1/watches/{watch_id}/cancel', { params: named(id) }));
}

const WATCH = '/v1/watches/{watch_id}';

/** Offers a convoy to the next radio room; null: the whole operation's desk. */
export function offerConvoy(
  api: Api,
  id: string,
  body: { id: string; to_area: string | null; expect_by: string; note: string | null },
): Promise<PersonWatch> {
  return read(api.POST(`${WATCH}/hand-over`, { params: named(id), body }));
}

/** This room has heard it itself: from now on it answers for it. */
export function heardConvoy(
  api: Api,
  id: string,
  hand_over: string,
  contact: 'radio' | 'phone' | 'text' | 'satellite' | 'sight',
): Promise<PersonWatch> {
  const given = { params: named(id), body: { hand_over, contact } };
  return read(api.POST(`${WATCH}/heard`, given));
}

/** The next room refuses it, or the sender takes the offer back: the sender goes on. */
export function settleOffer(
  api: Api,
  id: string,
  hand_over: string,
  verb: 'refuse' | 'withdraw',
): Promise<PersonWatch> {
  const given = { params: named(id), body: { hand_over } };
  return read(
    verb === 'refuse' ? api.POST(`${WATCH}/refuse`, given) : api.POST(`${WATCH}/withdraw`, given),
  );
}

/** Where somebody overdue was last known to be: the server writes the reading down first. */
export function readPosition(api: Api, id: string, reason: PanicReason): Promise<WatchPosition> {
  const params = { ...named(id), query: { reason } };
  return read(api.GET('/v1/watches/{watch_id}/position', { params }));
}

export async function listCurfews(api: Api): Promise<Curfew[]> {
  return (await read<{ items: Curfew[] }>(api.GET('/v1/curfews'))).items;
}

export function setCurfew(api: Api, body: NewCurfew): Promise<Curfew> {
  return read(api.POST('/v1/curfews', { body }));
}

export async function endCurfew(api: Api, id: string): Promise<void> {
  await read(api.DELETE('/v1/curfews/{curfew_id}', { params: { path: { curfew_id: id } } }));
}

export function callRoll(api: Api, body: NewRadioCheck): Promise<RadioCheck> {
  return read(api.POST('/v1/radio-checks', { body }));
}

export function readRoll(api: Api, id: string): Promise<RadioCheck> {
  return read(api.GET('/v1/radio-checks/{roll_id}', { params: { path: { roll_id: id } } }));
}

/** Somebody answered, named by ref or callsign; twice is once. */
export function tickHeard(api: Api, id: string, ref: string): Promise<RadioCheck> {
  const params = { path: { roll_id: id } };
  return read(api.POST('/v1/radio-checks/{roll_id}/heard', { params, body: { ref } }));
}

/** Who is in an area of risk and was not heard of. */
export function listDark(api: Api): Promise<DarkPerson[]> {
  return readAll((cursor) => {
    const query = { limit: PAGE, cursor };
    return read<Page<DarkPerson>>(api.GET('/v1/watches/dark', { params: { query } }));
  });
}

export async function listRisks(api: Api): Promise<AreaRisk[]> {
  return (await read<{ items: AreaRisk[] }>(api.GET('/v1/areas/risk'))).items;
}

/** Flags an area as one of risk; null: no more. */
export async function setRisk(api: Api, area: string, dark_after_h: number | null): Promise<void> {
  const given = { params: { path: { area } }, body: { dark_after_h } };
  await read(api.PUT('/v1/areas/{area}/risk', given));
}
