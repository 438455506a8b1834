/** What the desk asks and says when it plans a movement; all throw Problem or Unreachable. */
import { cursorOf, read, type Api } from '@muster/shared/api/client.ts';
import type {
  Amending,
  Checker,
  CodeWish,
  Fill,
  FillWish,
  FunctionWish,
  LegWish,
  ListFile,
  Manifest,
  ManifestWish,
  NewMovement,
  PersonCode,
  PointWish,
  TickedDone,
  TickedForm,
  Traveller,
  TravellerWish,
  VehicleWish,
} from '@muster/shared/api/moveplan.ts';
import type { CriticalWork, Movement, Page } from '@muster/shared/api/types.ts';

const ONE = '/v1/movements/{movement_id}';
const LIST = `${ONE}/vehicles/{vehicle_id}/manifest` as const;
const FEW = 50;

const one = (movement_id: string) => ({ path: { movement_id } });
const list = (movement_id: string, vehicle_id: string) => ({ path: { movement_id, vehicle_id } });

export function prepareMovement(api: Api, body: NewMovement): Promise<Movement> {
  return read(api.POST('/v1/movements', { body }));
}

export function activateMovement(api: Api, id: string): Promise<Movement> {
  return read(api.POST(`${ONE}/activate`, { params: one(id) }));
}

/** Brings people with their family into it; the refs of those who joined. */
export async function addPeople(api: Api, id: string, people: string[]): Promise<string[]> {
  const call = api.POST(`${ONE}/people`, { params: one(id), body: { people } });
  return (await read<{ people: string[] }>(call)).people;
}

export async function putPoint(api: Api, id: string, point_id: string, body: PointWish) {
  const params = { path: { movement_id: id, point_id } };
  await read(api.PUT(`${ONE}/points/{point_id}`, { params, body }));
}

export async function putLeg(api: Api, id: string, leg_id: string, body: LegWish) {
  const params = { path: { movement_id: id, leg_id } };
  await read(api.PUT(`${ONE}/legs/{leg_id}`, { params, body }));
}

export async function putVehicle(api: Api, id: string, vehicle: string, body: VehicleWish) {
  const params = list(id, vehicle);
  await read(api.PUT(`${ONE}/vehicles/{vehicle_id}`, { params, body }));
}

export async function listWork(api: Api, id: string): Promise<CriticalWork[]> {
  const call = api.GET(`${ONE}/functions`, { params: one(id) });
  return (await read<{ items: CriticalWork[] }>(call)).items;
}

export async function putWork(api: Api, id: string, function_id: string, body: FunctionWish) {
  const params = { path: { movement_id: id, function_id } };
  await read(api.PUT(`${ONE}/functions/{function_id}`, { params, body }));
}

export function readManifest(api: Api, id: string, vehicle: string): Promise<Manifest> {
  return read(api.GET(LIST, { params: list(id, vehicle) }));
}

export function putManifest(
  api: Api,
  id: string,
  vehicle: string,
  body: ManifestWish,
): Promise<Manifest> {
  return read(api.PUT(LIST, { params: list(id, vehicle), body }));
}

export function sealManifest(api: Api, id: string, vehicle: string): Promise<Manifest> {
  return read(api.POST(`${LIST}/seal`, { params: list(id, vehicle) }));
}

export function amendManifest(
  api: Api,
  id: string,
  vehicle: string,
  body: Amending,
): Promise<Manifest> {
  return read(api.POST(`${LIST}/amendments`, { params: list(id, vehicle), body }));
}

export function importManifest(
  api: Api,
  id: string,
  vehicle: string,
  body: ListFile,
): Promise<Manifest> {
  return read(api.POST(`${LIST}/import`, { params: list(id, vehicle), body }));
}

export function enterTicked(
  api: Api,
  id: string,
  vehicle: string,
  body: TickedForm,
): Promise<TickedDone> {
  return read(api.POST(`${LIST}/ticked`, { params: list(id, vehicle), body }));
}

/** Where a list is had as a file, or as a page to print. */
export function listAddress(
  id: string,
  vehicle: string,
  form: 'csv' | 'xlsx' | 'pdf' | 'print',
): string {
  return `/v1/movements/${id}/vehicles/${vehicle}/manifest/${form}`;
}

export function fillLeg(api: Api, id: string, body: FillWish): Promise<Fill> {
  return read(api.POST(`${ONE}/fill`, { params: one(id), body }));
}

/** The first of them by name; `unsaid`: of whose papers nobody has said anything. */
export async function listTravellers(
  api: Api,
  id: string,
  q: string,
  unsaid: boolean,
): Promise<{ items: Traveller[]; more: boolean }> {
  const query = { limit: FEW, q: q || undefined, unsaid: unsaid ? ('true' as const) : undefined };
  const params = { ...one(id), query };
  const page = await read<Page<Traveller>>(api.GET(`${ONE}/travellers`, { params }));
  return { items: page.items, more: cursorOf(page.next) !== undefined };
}

export async function putTraveller(api: Api, id: string, item: TravellerWish): Promise<Traveller> {
  const call = api.PUT(`${ONE}/travellers`, { params: one(id), body: { items: [item] } });
  return (await read<{ items: [Traveller] }>(call)).items[0];
}

export async function listCheckers(api: Api, id: string): Promise<Checker[]> {
  const call = api.GET(`${ONE}/checkers`, { params: one(id) });
  return (await read<{ items: Checker[] }>(call)).items;
}

export async function setChecker(api: Api, id: string, ref: string, on: boolean) {
  const params = { path: { movement_id: id, checker: ref } };
  const call = on
    ? api.PUT(`${ONE}/checkers/{checker}`, { params })
    : api.DELETE(`${ONE}/checkers/{checker}`, { params });
  return (await read<{ items: Checker[] }>(call)).items;
}

export function changeCode(api: Api, ref: string, body: CodeWish): Promise<PersonCode> {
  return read(api.POST('/v1/people/{ref}/code', { params: { path: { ref } }, body }));
}
