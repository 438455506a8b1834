/** What a convoy owes: whether a vehicle should have left or come by now. Pure. */
import type { MovementLeg, MovementVehicle } from '@muster/shared/api/types.ts';

export interface Lateness {
  /** overdue: the desk was told so; watch: its watch is; else it has not come, or not left */
  what: 'overdue' | 'watch' | 'arrival' | 'departure';
  /** since when it is late */
  since: string;
}

/** @param watch the watch on its arrival, if there is one; now: the server's clock */
export function lateness(
  vehicle: MovementVehicle,
  leg: MovementLeg | undefined,
  watch: { state: string; due_at: string } | undefined,
  now: number,
): Lateness | null {
  const { state, expected_at, overdue_at } = vehicle;
  const passed = (at: string | null | undefined): at is string =>
    typeof at === 'string' && Date.parse(at) < now;
  if (state !== 'planned' && state !== 'departed') return null;
  if (overdue_at !== null) return { what: 'overdue', since: expected_at ?? overdue_at };
  if (watch?.state === 'overdue') return { what: 'watch', since: watch.due_at };
  if (state === 'planned' && passed(leg?.departs_at))
    return { what: 'departure', since: leg!.departs_at! };
  return passed(expected_at) ? { what: 'arrival', since: expected_at } : null;
}

/** Whether somebody must look into it now. */
export function isLoud({ what }: Lateness): boolean {
  return what === 'overdue' || what === 'watch';
}
