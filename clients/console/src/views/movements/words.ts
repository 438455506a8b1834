import type { Movement, MovementState, Stage } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';

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

export const stageWord = (stage: Stage): string => STAGE_WORDS[stage]();
export const movementStateWord = (state: MovementState): string => STATE_WORDS[state]();
export const movementKindWord = (kind: Movement['kind']): string => KIND_WORDS[kind]();
