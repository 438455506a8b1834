/** One function a call the console makes; all throw Problem or Unreachable. */
import { cursorOf, read, readAll, type Api } from '@muster/shared/api/client.ts';
import type {
  Agency,
  Alert,
  AlertBody,
  AlertTree,
  Area,
  BoardPerson,
  Headcount,
  NewAlert,
  Page,
  Preview,
  Session,
  Status,
  TreeNode,
} from '@muster/shared/api/types.ts';

export function signIn(api: Api, token: string): Promise<Session> {
  return read(api.POST('/v1/sessions', { body: { token } }));
}

export function restoreSession(api: Api): Promise<Session> {
  return read(api.GET('/v1/sessions'));
}

export async function signOut(api: Api): Promise<void> {
  await read(api.DELETE('/v1/sessions'));
}

/** The newest roll calls and messages, open and ended. */
export async function listAlerts(api: Api): Promise<Alert[]> {
  const query = { limit: 50 };
  return (await read<Page<Alert>>(api.GET('/v1/alerts', { params: { query } }))).items;
}

export function readHeadcount(api: Api, id: string): Promise<Headcount> {
  return read(api.GET('/v1/alerts/{alert_id}/headcount', { params: { path: { alert_id: id } } }));
}

export interface PeopleQuery {
  status: Status;
  q?: string;
  limit: number;
}

export async function listPeople(
  api: Api,
  id: string,
  query: PeopleQuery,
): Promise<{ items: BoardPerson[]; more: boolean }> {
  const params = { path: { alert_id: id }, query: { ...query, q: query.q || undefined } };
  const page = await read<Page<BoardPerson>>(api.GET('/v1/alerts/{alert_id}/people', { params }));
  return { items: page.items, more: cursorOf(page.next) !== undefined };
}

export function closeAlert(api: Api, id: string): Promise<Alert> {
  return read(api.POST('/v1/alerts/{alert_id}/close', { params: { path: { alert_id: id } } }));
}

/** The tree of an alert at work: who is asked, who chases whom, what is next. */
export function readAlertTree(api: Api, id: string): Promise<AlertTree> {
  return read(api.GET('/v1/alerts/{alert_id}/tree', { params: { path: { alert_id: id } } }));
}

/** Opens a branch that waits for its warden; the branches that this call opened. */
export async function openBranch(api: Api, id: string, node: string): Promise<string[]> {
  const params = { path: { alert_id: id, node } };
  const call = api.POST('/v1/alerts/{alert_id}/nodes/{node}/open', { params });
  return (await read<{ opened: string[] }>(call)).opened;
}

export function previewAlert(api: Api, body: NewAlert): Promise<Preview> {
  return read(api.POST('/v1/alerts/preview', { body: body as AlertBody }));
}

export function openAlert(api: Api, body: NewAlert): Promise<Alert> {
  return read(api.POST('/v1/alerts', { body: body as AlertBody }));
}

export interface Places {
  areas: Area[];
  agencies: Agency[];
  tree: TreeNode[];
}

/** Areas, agencies and the communication tree: what an audience is chosen from. */
export async function readPlaces(api: Api): Promise<Places> {
  const params = (cursor?: string) => ({ params: { query: { limit: 500, cursor } } });
  const [areas, agencies, tree] = await Promise.all([
    readAll((cursor) => read<Page<Area>>(api.GET('/v1/areas', params(cursor)))),
    readAll((cursor) => read<Page<Agency>>(api.GET('/v1/agencies', params(cursor)))),
    readAll((cursor) => read<Page<TreeNode>>(api.GET('/v1/tree', params(cursor)))),
  ]);
  return { areas, agencies, tree };
}
