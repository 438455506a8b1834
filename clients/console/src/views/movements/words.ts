import type {
  ConflictReport,
  CriticalWork,
  Movement,
  MovementFact,
  MovementLeg,
  MovementPoint,
  MovementState,
  MovementVehicle,
  Mover,
  Stage,
  StageConflict,
} from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { age, number } from '@muster/shared/time.ts';

const STAGE_WORDS: Record<Stage, () => string> = {
  in_question: m.move_stage_in_question,
  listed: m.move_stage_listed,
  notified: m.move_stage_notified,
  ready: m.move_stage_ready,
  at_point: m.move_stage_at_point,
  boarded: m.move_stage_boarded,
  arrived: m.move_stage_arrived,
  accommodated: m.move_stage_accommodated,
  staying: m.move_stage_staying,
  hibernating: m.move_stage_hibernating,
};
const STATE_WORDS: Record<MovementState, () => string> = {
  preparing: m.move_state_preparing,
  planned: m.move_state_planned,
  active: m.move_state_active,
  closed: m.move_state_closed,
  cancelled: m.move_state_cancelled,
};
const KIND_WORDS: Record<Movement['kind'], () => string> = {
  relocation: m.move_kind_relocation,
  evacuation: m.move_kind_evacuation,
  medical_evacuation: m.move_kind_medical_evacuation,
  return: m.move_kind_return,
};
const LEG_WORDS: Record<MovementLeg['kind'], () => string> = {
  road: m.move_leg_road,
  flight: m.move_leg_flight,
  boat: m.move_leg_boat,
};
const VEHICLE_WORDS: Record<MovementVehicle['state'], () => string> = {
  planned: m.move_state_planned,
  departed: m.move_vehicle_departed,
  arrived: m.move_vehicle_arrived,
  withdrawn: m.move_vehicle_withdrawn,
};
const POINT_WORDS: Record<MovementPoint['kind'], () => string> = {
  concentration: m.move_point_concentration,
  safe_haven: m.move_point_safe_haven,
  other: m.move_point_other,
};
const COVER_WORDS: Record<CriticalWork['cover'], () => string> = {
  covered: m.move_covered,
  uncertain: m.move_uncertain,
  uncovered: m.move_uncovered,
};
const CONFLICT_WORDS: Record<StageConflict['kind'], () => string> = {
  two_vehicles: m.move_conflict_two_vehicles,
  arrived_without_boarding: m.move_conflict_arrived_without_boarding,
  boarded_after_arrival: m.move_conflict_boarded_after_arrival,
  two_places: m.move_conflict_two_places,
  over_capacity: m.move_conflict_over_capacity,
};
const CONFLICT_STATES: Record<StageConflict['state'], () => string> = {
  open: m.state_open,
  explained: m.move_conflict_explained,
  resolved: m.move_conflict_resolved,
};
const HOW_WORDS: Record<ConflictReport['how'], () => string> = {
  app: m.move_how_app,
  family: m.move_how_family,
  warden: m.role_warden,
  checker: m.move_how_checker,
  qr: m.move_how_qr,
  sms: m.reach_sms,
  radio: m.move_how_radio,
  desk: m.move_how_desk,
  resolution: m.move_how_resolution,
};
const GAP_WORDS: Record<NonNullable<Mover['missing']>, () => string> = {
  in_question: m.move_stage_in_question,
  not_arrived: m.move_gap_not_arrived,
  left_behind: m.move_gap_left_behind,
};
const FACT_WORDS: Record<string, () => string> = {
  created: m.move_fact_created,
  people_listed: m.move_fact_people_listed,
  people_added: m.move_fact_people_added,
  activated: m.move_fact_activated,
  cancelled: m.move_state_cancelled,
  closed: m.move_state_closed,
  point_added: m.move_fact_point_added,
  leg_added: m.move_fact_leg_added,
  leg_planned: m.move_fact_leg_planned,
  leg_departed: m.move_fact_leg_departed,
  leg_arrived: m.move_fact_leg_arrived,
  leg_withdrawn: m.move_fact_leg_withdrawn,
  vehicle_added: m.move_fact_vehicle_added,
  vehicle_planned: m.move_fact_vehicle_planned,
  vehicle_departed: m.move_fact_vehicle_departed,
  vehicle_arrived: m.move_fact_vehicle_arrived,
  vehicle_withdrawn: m.move_fact_vehicle_withdrawn,
  vehicle_overdue: m.move_fact_vehicle_overdue,
  manifest_sealed: m.move_fact_manifest_sealed,
  manifest_amended: m.move_fact_manifest_amended,
  seats_filled: m.move_fact_seats_filled,
  conflict_resolved: m.move_fact_conflict_resolved,
  checker_named: m.move_fact_checker_named,
  checker_ended: m.move_fact_checker_ended,
};

export const stageWord = (stage: Stage): string => STAGE_WORDS[stage]();
export const isStage = (said: string): said is Stage => said in STAGE_WORDS;
export const movementStateWord = (state: MovementState): string => STATE_WORDS[state]();
export const movementKindWord = (kind: Movement['kind']): string => KIND_WORDS[kind]();
export const legWord = (kind: MovementLeg['kind']): string => LEG_WORDS[kind]();
export const vehicleStateWord = (s: MovementVehicle['state']): string => VEHICLE_WORDS[s]();
export const pointKindWord = (kind: MovementPoint['kind']): string => POINT_WORDS[kind]();
export const coverWord = (cover: CriticalWork['cover']): string => COVER_WORDS[cover]();
export const conflictWord = (kind: StageConflict['kind']): string => CONFLICT_WORDS[kind]();
export const conflictStateWord = (s: StageConflict['state']): string => CONFLICT_STATES[s]();
export const howWord = (how: ConflictReport['how']): string => HOW_WORDS[how]();
export const gapWord = (gap: NonNullable<Mover['missing']>): string => GAP_WORDS[gap]();
/** A line of the timeline; what this page does not know yet is shown as the server names it. */
export const factWord = ({ what }: MovementFact): string => FACT_WORDS[what]?.() ?? what;

/** "Boarded · vehicle 4", "At a point · Gate": where somebody stands. */
export function whereWord(at: {
  stage: Stage;
  vehicle_no: number | null;
  point: string | null;
}): string {
  const parts = [stageWord(at.stage)];
  if (at.vehicle_no !== null) parts.push(m.move_vehicle_no({ number: number(at.vehicle_no) }));
  if (at.point) parts.push(at.point);
  return parts.join(' · ');
}

/** How old something is; unknown is never shown as known. */
export const ageOr = (seconds: number | null): string =>
  seconds === null ? m.desk_dark_never() : age(seconds);
