/** What a warden's phone asks the server about her branch; all throw Problem or Unreachable. */
import { cursorOf, read, type Api } from '@muster/shared/api/client.ts';
import type { AlertTree, BranchAlert, BranchList } from '@muster/shared/api/types.ts';
import type { Ask } from './store.ts';

/** The whole call-down list; a branch of up to 2,000 people comes at once. */
export async function readBranch(api: Api): Promise<BranchList> {
  const part = (cursor?: string) =>
    read<BranchList>(api.GET('/v1/self/branch', { params: { query: { cursor } } }));
  const list = await part();
  let cursor = cursorOf(list.next);
  while (cursor) {
    const more = await part(cursor);
    list.items.push(...more.items);
    cursor = cursorOf(more.next);
  }
  return list;
}

/**
 * The branches of open cascades that wait for this person. `settled` remembers the alerts whose
 * branches are all open: those need not be asked about again.
 */
export async function readAsks(
  api: Api,
  alerts: BranchAlert[],
  ref: string,
  settled: Set<string>,
): Promise<Ask[]> {
  const asks: Ask[] = [];
  for (const { id, exercise } of alerts) {
    if (settled.has(id)) continue;
    const params = { path: { alert_id: id } };
    const tree = await read<AlertTree>(api.GET('/v1/alerts/{alert_id}/tree', { params }));
    asks.push(...asksOf(tree, exercise, ref));
    if (isSettled(tree)) settled.add(id);
  }
  return asks;
}

/** Whether nobody will be asked (any more). A tree without nodes has not begun yet. */
export function isSettled({ nodes }: AlertTree): boolean {
  return nodes.length > 0 && nodes.every(({ state }) => state === 'open' || state === 'skipped');
}

export function asksOf(tree: AlertTree, exercise: boolean, ref: string): Ask[] {
  return tree.nodes
    .filter(({ state, in_charge }) => state === 'asked' && in_charge?.ref === ref)
    .map(({ label, next }) => ({
      alert_id: tree.alert_id,
      exercise,
      label,
      opens_at: next?.act === 'open_branch' ? next.due_at : null,
    }));
}

/** She takes it up: her branches of this alert open at once. */
export async function acknowledge(api: Api, alertId: string): Promise<void> {
  const params = { path: { alert_id: alertId } };
  await read(api.POST('/v1/alerts/{alert_id}/acknowledge', { params }));
}
