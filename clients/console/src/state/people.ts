import type { BoardPerson, CheckinEvent } from '@muster/shared/api/types.ts';

/**
 * The unaccounted after a check-in event: whoever answered leaves at once. This holds for no other
 * status: someone who needs help stays listed until the server itself says otherwise, because a
 * late message or an open panic may still stand behind it.
 */
export function withoutAnswered(
  unaccounted: BoardPerson[],
  alertId: string,
  event: CheckinEvent,
): BoardPerson[] {
  const answered = new Set(
    event.items.filter((item) => item.alert_ids.includes(alertId)).map((item) => item.person.ref),
  );
  return unaccounted.filter((person) => !answered.has(person.ref));
}
