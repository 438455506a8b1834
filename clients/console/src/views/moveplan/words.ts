import type {
  Cover,
  LegKind,
  MovementKind,
  Need,
  Papers,
  PointKind,
  SeatReleased,
  VehicleState,
  Waiting,
} from '@muster/shared/api/moveplan.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { number } from '@muster/shared/time.ts';

export const MOVEMENT_KINDS: readonly MovementKind[] = [
  'relocation',
  'evacuation',
  'medical_evacuation',
  'return',
];
export const POINT_KINDS: Record<PointKind, () => string> = {
  concentration: m.move_point_concentration,
  safe_haven: m.move_point_safe_haven,
  other: m.move_point_other,
};
export const LEG_KINDS: Record<LegKind, () => string> = {
  road: m.move_leg_road,
  flight: m.move_leg_flight,
  boat: m.move_leg_boat,
};
export const VEHICLE_STATES: Record<VehicleState, () => string> = {
  planned: m.move_state_planned,
  departed: m.move_vehicle_departed,
  arrived: m.move_vehicle_arrived,
  withdrawn: m.move_vehicle_withdrawn,
};
export const COVERS: Record<Cover, () => string> = {
  covered: m.mp_cover_covered,
  uncertain: m.mp_cover_uncertain,
  uncovered: m.mp_cover_uncovered,
};
export const PAPERS: Record<Papers, () => string> = {
  held: m.mp_papers_held,
  expiring: m.mp_papers_expiring,
  expired: m.mp_papers_expired,
  undated: m.mp_papers_undated,
  missing: m.mp_papers_missing,
  unknown: m.mp_papers_unknown,
};
export const NEEDS: Record<Need, () => string> = {
  medical: m.mp_need_medical,
  ready: m.mp_need_ready,
  zone: m.mp_need_zone,
};
export const GONE: Record<SeatReleased['reason'], () => string> = {
  withdrawn: m.mp_gone_withdrawn,
  rides_no_more: m.mp_gone_rides_no_more,
};

type Why = Waiting['reason'];
const WAITS: Record<Why, (vehicle: { number: string }) => string> = {
  no_vehicle: m.mp_wait_no_vehicle,
  full: m.mp_wait_full,
  no_seats_together: m.mp_wait_no_seats_together,
  larger_than_vehicle: m.mp_wait_larger_than_vehicle,
  household_vehicle_full: m.mp_wait_household_vehicle_full,
  household_vehicle_closed: m.mp_wait_household_vehicle_closed,
  household_apart: m.mp_wait_household_apart,
  aboard: m.mp_wait_aboard,
  expected_elsewhere: m.mp_wait_expected_elsewhere,
};

/** Why somebody waits, and what would help. */
export const waitWord = ({ reason, vehicle_no }: Waiting): string =>
  WAITS[reason]({ number: vehicle_no === null ? '' : number(vehicle_no) });
