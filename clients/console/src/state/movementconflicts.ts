/** What a human may decide of a conflict, as a report of its own. Pure. */
import type {
  ConflictReport,
  Decision,
  Reported,
  StageConflict,
} from '@muster/shared/api/types.ts';
import { lacks } from './movementradio.ts';

export type Choice = 'first' | 'second' | 'stands' | 'other';

export interface Verdict {
  choice: Choice | null;
  stage: Reported;
  vehicle: number | null;
  point: string | null;
  reason: string;
}

const ORDER: StageConflict['state'][] = ['open', 'explained', 'resolved'];

/** Open ones first, the oldest of them first; those that are over after them, the newest first. */
export function queued(conflicts: readonly StageConflict[]): StageConflict[] {
  return [...conflicts].sort((a, b) => {
    const state = ORDER.indexOf(a.state) - ORDER.indexOf(b.state);
    const age = a.found_at.localeCompare(b.found_at);
    return state || (a.state === 'open' ? age : -age);
  });
}

/** Which choices there are: reports that are known, and where she stands unless that is in question. */
export function choicesOf({ person, stands, first, second }: StageConflict): Choice[] {
  if (!person) return [];
  const known = stands && stands.stage !== 'in_question' && stands.stage !== 'listed';
  return [
    ...(first ? ['first' as const] : []),
    ...(second ? ['second' as const] : []),
    ...(known ? ['stands' as const] : []),
    'other',
  ];
}

/** What is sent; null while something is missing. Of a vehicle over its seats only the reason. */
export function decisionOf(
  id: string,
  conflict: StageConflict,
  { choice, stage, vehicle, point, reason }: Verdict,
): Decision | null {
  const words = reason.trim();
  if (!words) return null;
  const bare = { id, reason: words, stage: null, vehicle: null, point: null, at: null };
  if (!conflict.person) return bare;
  // what it stood by may have gone meanwhile
  if (!choice || !choicesOf(conflict).includes(choice)) return null;
  if (choice === 'stands') return bare;
  if (choice === 'other')
    return lacks({ movement: '', stage, vehicle, point, reason })
      ? null
      : { ...bare, stage, vehicle, point };
  const said: ConflictReport | null =
    choice === 'first' ? conflict.first : choice === 'second' ? conflict.second : null;
  if (!said) return null;
  return { ...bare, stage: said.stage, vehicle: said.vehicle_no, point: said.point_id };
}
