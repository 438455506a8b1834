/** What a convoy owes: whether a vehicle should have left or come by now. Pure. */
import type { MovementLeg, MovementVehicle } from '@muster/shared/api/types.ts';

export interface Lateness {
  /** not left, not come, or the watch on it says so */
  what: 'departure' | 'arrival' | 'watch';
  /** since when, as planned; of a watch by its deadline */
  since: string;
}

/** @param watch the watch on its arrival, where it is overdue; now: the server's clock */
export function lateness(
  vehicle: MovementVehicle,
  leg: MovementLeg | undefined,
  watch: { state: string; due_at: string } | undefined,
  now: number,
): Lateness | null {
  const passed = (at: string | null | undefined): at is string =>
    typeof at === 'string' && Date.parse(at) < now;
  if (vehicle.state !== 'planned' && vehicle.state !== 'departed') return null;
  if (watch?.state === 'overdue') return { what: 'watch', since: watch.due_at };
  if (passed(leg?.arrives_at)) return { what: 'arrival', since: leg!.arrives_at! };
  if (vehicle.state === 'planned' && passed(leg?.departs_at))
    return { what: 'departure', since: leg!.departs_at! };
  return null;
}
