/** A node of the tree while it is edited. Pure. */
import type { NodeEdit, TreeNode } from '@muster/shared/api/types.ts';

export interface NodeDraft {
  label: string;
  parent: string | null;
  area: string | null;
  warden: string | null;
  alternates: string[];
  /** one reference a line */
  members: string;
  /** empty: as the policy says */
  minutes: number | null;
}

export function draftOf(node: TreeNode): NodeDraft {
  const { label, parent, area, warden, alternates, members, answer_s } = node;
  return {
    label,
    parent,
    area,
    warden,
    alternates: [...alternates],
    members: members.join('\n'),
    minutes: answer_s === null || answer_s === undefined ? null : answer_s / 60,
  };
}

export function editOf(draft: NodeDraft, version: number, reason: string): NodeEdit {
  const { minutes, members, ...rest } = draft;
  return {
    ...rest,
    label: draft.label.trim(),
    members: [...new Set(members.split(/[\s;,]+/).filter(Boolean))],
    answer_s: minutes === null ? null : Math.round(minutes * 60),
    reason: reason.trim(),
    version,
  };
}

/**
 * What becomes of a draft when the tree has changed under it: it stays where this node is as it
 * was, else the node as it is now takes its place, so that nobody's change is undone unseen.
 */
export function rebased(draft: NodeDraft, before: TreeNode, now: TreeNode): NodeDraft {
  const same = JSON.stringify(draftOf(before)) === JSON.stringify(draftOf(now));
  return same ? draft : draftOf(now);
}

/** The nodes it may hang below: not itself, and none below it. */
export function parentsFor(node: string, nodes: TreeNode[]): TreeNode[] {
  const inside = new Set([node]);
  for (let grown = true; grown;) {
    const more = nodes.filter(
      (one) => one.parent !== null && inside.has(one.parent) && !inside.has(one.node),
    );
    more.forEach((one) => inside.add(one.node));
    grown = more.length > 0;
  }
  return nodes.filter((one) => !inside.has(one.node));
}
