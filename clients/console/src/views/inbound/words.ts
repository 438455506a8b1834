import type { HelpOutcome, TextIn } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { statusWord } from '@muster/shared/status.ts';
import { isStage, stageWord } from '../movements/words.ts';

export const OUTCOMES: Record<HelpOutcome, () => string> = {
  helped: m.outcome_helped,
  passed_on: m.outcome_passed_on,
  false_alarm: m.outcome_false_alarm,
  hoax: m.outcome_hoax,
};

export const TEXT_STATES: Record<TextIn['state'], () => string> = {
  received: m.text_received,
  counted: m.text_counted,
  unverified: m.unverified,
  refused: m.text_refused,
  not_understood: m.text_not_understood,
  stop: m.text_stop,
  loop: m.text_loop,
  noted: m.text_noted,
};

/** What the text was read as. */
export function saidWord(said: NonNullable<TextIn['said']>): string {
  if (said === 'panic') return m.help_panic();
  if (said === 'cancel') return m.said_cancel();
  if (said === 'done') return m.desk_wfact_done();
  if (said === 'extend') return m.desk_wfact_extended();
  if (isStage(said)) return stageWord(said);
  return said === 'position' ? m.said_position() : statusWord(said);
}
