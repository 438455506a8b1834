import type { WatchKind } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import type { PinAnswer } from '../transport/pin.ts';

/** What is known of the last text to a number; that it was sent is not that it arrived. */
export function textWord(state: string, age: string): string {
  switch (state) {
    case 'delivered':
      return m.branch_text_delivered({ age });
    case 'failed':
      return m.branch_text_failed({ age });
    case 'accepted':
      return m.branch_text_sent({ age });
    case 'queued':
    case 'sending':
      return m.branch_text_waiting();
    case 'stopped':
      return m.branch_text_stopped({ age });
    default:
      return m.branch_text_unknown({ age });
  }
}

/** How a call for help ended. */
export function outcomeWord(over: { outcome?: string; state: string }, time: string): string {
  switch (over.outcome) {
    case 'helped':
      return m.sos_helped({ time });
    case 'false_alarm':
      return m.sos_false_alarm({ time });
    case 'hoax':
      return m.sos_hoax({ time });
    case 'passed_on':
      return m.sos_passed_on({ time });
    default:
      return over.state === 'cancelled' ? m.sos_cancelled({ time }) : m.sos_ended({ time });
  }
}

/** Why a PIN did not do what it was given for. */
export function pinWord(answer: PinAnswer): string {
  switch (answer) {
    case 'wrong':
      return m.pin_wrong();
    case 'too_many':
      return m.pin_too_many();
    case 'not_set':
      return m.pin_not_set();
    case 'later':
      return m.no_connection();
    default:
      return m.pin_lost();
  }
}

export function watchWord(kind: WatchKind): string {
  switch (kind) {
    case 'journey':
      return m.mw_journey();
    case 'interval':
      return m.mw_interval();
    case 'curfew':
      return m.mw_curfew();
    case 'radio_check':
      return m.mw_radio_check();
  }
}

/** What its owner says to end it, or to begin the next interval. */
export function doneWord(kind: WatchKind): string {
  return kind === 'journey' ? m.mw_arrived() : m.mw_fine();
}
