/** Reports that come over the radio, for one person or a whole vehicle. Pure. */
import type { Reported, StageReport, StageResult } from '@muster/shared/api/types.ts';

/** In their order; the place is the key that chooses one. */
export const PERSON_STAGES: readonly Reported[] = [
  'notified',
  'ready',
  'at_point',
  'boarded',
  'arrived',
  'accommodated',
  'staying',
  'hibernating',
];
export const VEHICLE_STAGES: readonly Reported[] = ['boarded', 'arrived', 'accommodated'];

export interface Spoken {
  movement: string;
  stage: Reported;
  /** by number, as it is said over the radio */
  vehicle: number | null;
  point: string | null;
  reason: string;
  /** when it was, by this console's clock */
  at: number;
}

/** What may be said beside a stage. */
export function asked(stage: Reported): Record<'vehicle' | 'point' | 'reason', boolean> {
  return {
    vehicle: stage === 'boarded' || stage === 'arrived',
    point: stage === 'at_point' || stage === 'accommodated',
    reason: stage === 'staying' || stage === 'hibernating',
  };
}

/** What is still missing before it can be sent. */
export function lacks(spoken: Omit<Spoken, 'at'>): 'vehicle' | 'point' | 'reason' | null {
  if (spoken.stage === 'boarded' && spoken.vehicle === null) return 'vehicle';
  if (spoken.stage === 'at_point' && spoken.point === null) return 'point';
  if (spoken.stage === 'staying' && !spoken.reason.trim()) return 'reason';
  return null;
}

/** One report each. Their ids and times are made here, once: sent again they are the same reports. */
export function reportsOf(
  spoken: Spoken,
  refs: readonly string[],
  newId: () => string,
): StageReport[] {
  return refs.map((ref) => ({
    id: newId(),
    movement: spoken.movement,
    stage: spoken.stage,
    at: new Date(spoken.at).toISOString(),
    sent_at: null,
    for: ref,
    vehicle: spoken.vehicle,
    point: spoken.point,
    reason: spoken.reason.trim() || null,
    how: 'radio',
    code: null,
  }));
}

export interface Refusal {
  ref: string;
  detail: string;
}

/** Of an answer: who was refused, and why. */
export function refusals(
  items: readonly StageReport[],
  results: readonly StageResult[],
): Refusal[] {
  return results.flatMap((result, n) =>
    result.error ? [{ ref: items[n]?.for ?? '', detail: result.error.detail }] : [],
  );
}
