import type { Audience } from '@muster/shared/api/types.ts';
import { topmost, type AreaLine } from './areas.ts';
import { isProblem, parseCorners, polygonProblem, toGeoJson } from './polygon.ts';

export type AudienceKind = 'all' | 'areas' | 'agencies' | 'tree_node' | 'polygon';
export const AUDIENCE_KINDS: readonly AudienceKind[] = [
  'all',
  'areas',
  'agencies',
  'tree_node',
  'polygon',
];

/** What was picked under each kind; a change of kind loses nothing. */
export interface AudienceDraft {
  kind: AudienceKind;
  areas: ReadonlySet<string>;
  agencies: ReadonlySet<string>;
  treeNode: string;
  corners: string;
}

export const NOBODY: AudienceDraft = {
  kind: 'all',
  areas: new Set(),
  agencies: new Set(),
  treeNode: '',
  corners: '',
};

/** The audience as the server reads it, or null while it is not complete. */
export function toAudience(draft: AudienceDraft, lines: AreaLine[]): Audience | null {
  switch (draft.kind) {
    case 'all':
      return { all: true };
    case 'areas':
      return draft.areas.size ? { areas: topmost(lines, draft.areas) } : null;
    case 'agencies':
      return draft.agencies.size ? { agencies: [...draft.agencies].sort() } : null;
    case 'tree_node':
      return draft.treeNode ? { tree_node: draft.treeNode } : null;
    case 'polygon': {
      const corners = parseCorners(draft.corners);
      if (isProblem(corners) || polygonProblem(corners)) return null;
      return { polygon: toGeoJson(corners) };
    }
  }
}

export function toggled(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}
