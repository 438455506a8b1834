/** The tree of an alert at work, arranged for the eye. Pure. */
import type { AlertNode, AlertTree } from '@muster/shared/api/types.ts';

export interface Branch extends AlertNode {
  children: Branch[];
  /** in all branches below this one */
  below: { unaccounted: number; need_help: number; people: number };
}

export interface Branches {
  roots: Branch[];
  /** whom no node answers for; null: nobody */
  desk: AlertNode | null;
}

/**
 * The nodes under their parents, in the server's order; none is left out. Whose parent is out of
 * sight is a root, and so is the first of a circle.
 */
export function branches(nodes: AlertNode[]): Branches {
  const known = new Set(nodes.map(({ node }) => node));
  const under = new Map<string | null, AlertNode[]>();
  for (const node of nodes) {
    if (!node.node) continue;
    const parent = node.parent !== null && known.has(node.parent) ? node.parent : null;
    under.set(parent, [...(under.get(parent) ?? []), node]);
  }
  const seen = new Set<string>();
  const grow = (node: AlertNode): Branch => {
    seen.add(node.node);
    const fresh = (under.get(node.node) ?? []).filter((child) => !seen.has(child.node));
    const children = fresh.map(grow);
    const below = { unaccounted: 0, need_help: 0, people: 0 };
    for (const child of children) {
      below.unaccounted += child.counts.unaccounted + child.below.unaccounted;
      below.need_help += child.counts.need_help + child.below.need_help;
      below.people += child.people + child.below.people;
    }
    return { ...node, children, below };
  };
  const desk = nodes.find(({ node, people }) => !node && people > 0) ?? null;
  const roots = (under.get(null) ?? []).map(grow);
  for (const node of nodes) if (node.node && !seen.has(node.node)) roots.push(grow(node));
  return { roots, desk };
}

export type StateCounts = Record<AlertNode['state'], number>;

/** How many branches are in which state; the duty desk's own is no branch. */
export function stateCounts(nodes: AlertNode[]): StateCounts {
  const counts: StateCounts = { asked: 0, waiting: 0, open: 0, skipped: 0 };
  for (const { node, state } of nodes) if (node) counts[state] += 1;
  return counts;
}

/**
 * Whether something will still happen by itself, so that what is shown grows old. A tree without
 * nodes may not have begun yet.
 */
export function moves({ nodes }: AlertTree): boolean {
  const due = nodes.some(
    ({ state, next }) => next !== null || state === 'asked' || state === 'waiting',
  );
  return due || nodes.length === 0;
}

/** What is left of the time until `at`, in seconds by the server's clock; never below 0. */
export function secondsUntil(at: string, serverNow: number): number {
  return Math.max(0, (Date.parse(at) - serverNow) / 1_000);
}

export function secondsSince(at: string, serverNow: number): number {
  return Math.max(0, (serverNow - Date.parse(at)) / 1_000);
}
