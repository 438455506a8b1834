/** What the desk's other pages ask: calls for help, texts, ways out, the tree before a crisis. */
import { read, readAll, type Api } from '@muster/shared/api/client.ts';
import type {
  Alarm,
  Channels,
  Exercises,
  HelpCall,
  HelpOutcome,
  HelpPosition,
  NodeEdit,
  Page,
  PanicReason,
  Person,
  SilentPhones,
  TextIn,
  TreeHealth,
  TreeNode,
  TreeVersion,
} from '@muster/shared/api/types.ts';

const MANY = 100;

/** Calls for help, newest first: the open ones, or those closed. */
export async function listHelpCalls(api: Api, open: boolean): Promise<HelpCall[]> {
  const query = { limit: MANY, open: open ? ('true' as const) : ('false' as const) };
  return (await read<Page<HelpCall>>(api.GET('/v1/help-calls', { params: { query } }))).items;
}

/** Where a call for help was made; the reading and its reason are put on record. */
export function readHelpPosition(api: Api, id: string, reason: PanicReason): Promise<HelpPosition> {
  const params = { path: { help_id: id }, query: { reason } };
  return read(api.GET('/v1/help-calls/{help_id}/position', { params }));
}

export async function closeHelpCall(
  api: Api,
  id: string,
  outcome: HelpOutcome,
  note: string,
): Promise<void> {
  const params = { path: { help_id: id } };
  const body = { outcome, note: note || null };
  await read(api.POST('/v1/help-calls/{help_id}/close', { params, body }));
}

/** Texts that came in, newest first; `unverified`: those that count for nothing yet. */
export async function listTexts(api: Api, unverified: boolean): Promise<TextIn[]> {
  const query = { limit: MANY, unverified: unverified ? ('true' as const) : undefined };
  return (await read<Page<TextIn>>(api.GET('/v1/inbound', { params: { query } }))).items;
}

export function readChannels(api: Api): Promise<Channels> {
  return read(api.GET('/v1/channels'));
}

/** Alarms that are not over. */
export async function listAlarms(api: Api): Promise<Alarm[]> {
  const query = { limit: MANY, state: 'open' as const };
  return (await read<Page<Alarm>>(api.GET('/v1/alarms', { params: { query } }))).items;
}

export function readSilentPhones(api: Api): Promise<SilentPhones> {
  return read(api.GET('/v1/phones/silent', { params: { query: { limit: 1 } } }));
}

export interface Tree {
  version: number;
  nodes: TreeNode[];
}

/** The tree as it is, how each node stands, and the version to name when one is changed. */
export async function readTree(api: Api): Promise<Tree> {
  let version = 0;
  const nodes = await readAll(async (cursor) => {
    const params = { query: { limit: 500, cursor } };
    const page = await read<Page<TreeNode> & { version: number }>(api.GET('/v1/tree', { params }));
    // an edit between two pages is refused by the older of their versions
    version = version ? Math.min(version, page.version) : page.version;
    return page;
  });
  return { version, nodes };
}

export function readHealth(api: Api): Promise<TreeHealth> {
  return read(api.GET('/v1/tree/health'));
}

export async function listVersions(api: Api): Promise<TreeVersion[]> {
  const query = { limit: 20 };
  return (await read<Page<TreeVersion>>(api.GET('/v1/tree/versions', { params: { query } }))).items;
}

/** Writes a node as it shall be; it is refused where the tree has changed since it was read. */
export async function putNode(api: Api, node: string, body: NodeEdit): Promise<void> {
  await read(api.PUT('/v1/tree/nodes/{node}', { params: { path: { node } }, body }));
}

export async function findPeople(api: Api, q: string): Promise<Person[]> {
  const query = { limit: 8, q };
  return (await read<Page<Person>>(api.GET('/v1/people', { params: { query } }))).items;
}

/** Exercises that have ended, newest first, with their scores and how each zone went. */
export function readExercises(api: Api): Promise<Exercises> {
  return read(api.GET('/v1/exercises', { params: { query: { limit: 10 } } }));
}
