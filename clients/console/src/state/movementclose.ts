/** A close-out being written: why each is left unresolved. Pure. */
import type { CloseOut, Mover, Stage } from '@muster/shared/api/types.ts';
import { STAGES } from './movement.ts';

export type Reasons = ReadonlyMap<string, string>;

export interface Lot {
  stage: Stage;
  movers: Mover[];
}

/** By stage, in the order in which they must be seen. */
export function lots(movers: readonly Mover[]): Lot[] {
  return STAGES.map((stage) => ({
    stage,
    movers: movers.filter((mover) => mover.stage === stage),
  })).filter((lot) => lot.movers.length > 0);
}

/** Who has no reason yet. */
export function unreasoned(movers: readonly Mover[], reasons: Reasons): Mover[] {
  return movers.filter(({ ref }) => !reasons.get(ref)?.trim());
}

/** The same reason for all of these who have none of their own. */
export function reasonedAll(reasons: Reasons, movers: readonly Mover[], reason: string): Reasons {
  const all = new Map(reasons);
  for (const { ref } of unreasoned(movers, reasons)) all.set(ref, reason);
  return all;
}

/** What is signed; null while somebody has no reason, or nothing is stated. */
export function closeOut(
  movers: readonly Mover[],
  reasons: Reasons,
  statement: string,
): CloseOut | null {
  if (!statement.trim() || unreasoned(movers, reasons).length) return null;
  const unresolved = movers.map(({ ref }) => ({ ref, reason: reasons.get(ref)!.trim() }));
  return { statement: statement.trim(), unresolved };
}
