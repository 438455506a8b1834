import type { SelfMovement, SelfMover } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import type { Stand } from '../../state/movement/standing.ts';

export function kindWord({ kind }: SelfMovement): string {
  switch (kind) {
    case 'evacuation':
      return m.pm_evacuation();
    case 'medical_evacuation':
      return m.pm_medical();
    case 'return':
      return m.pm_return();
    default:
      return m.pm_relocation();
  }
}

/** What the desk asks about somebody of whom reports contradict each other; null: nothing is named. */
export function questionWord({ stage, question }: SelfMover): string | null {
  if (stage !== 'in_question') return null;
  switch (question) {
    case 'two_vehicles':
      return m.pm_question({ what: m.move_conflict_two_vehicles() });
    case 'arrived_without_boarding':
      return m.pm_question({ what: m.move_conflict_arrived_without_boarding() });
    case 'boarded_after_arrival':
      return m.pm_question({ what: m.move_conflict_boarded_after_arrival() });
    case 'two_places':
      return m.pm_question({ what: m.move_conflict_two_places() });
    default:
      return null;
  }
}

/** Where somebody stands, in words. */
export function standWord({ stage, vehicle, point }: Stand): string {
  switch (stage) {
    case 'listed':
      return m.pm_listed();
    case 'notified':
      return m.pm_notified();
    case 'ready':
      return m.pm_ready();
    case 'at_point':
      return point ? m.pm_at({ point }) : m.pm_at_open();
    case 'boarded':
      return vehicle === null ? m.pm_boarded_open() : m.pm_boarded({ number: vehicle });
    case 'arrived':
      return point ? m.pm_arrived_at({ point }) : m.pm_arrived();
    case 'accommodated':
      return m.pm_accommodated();
    case 'staying':
      return m.pm_staying();
    case 'hibernating':
      return m.pm_hibernating();
    case 'in_question':
      return m.pm_in_question();
  }
}
