/** A watch as somebody writes it down, and as the server takes it. Pure. */
import type { NewWatch } from '@muster/shared/api/types.ts';

export interface WatchDraft {
  kind: 'journey' | 'interval';
  /** until it is due, and between two reports of an interval */
  minutes: number;
  /** how long after that it counts as missed */
  grace: number;
  route: string;
  vehicle: string;
  /** between commas */
  contacts: string;
  note: string;
}

export const draftWatch = (): WatchDraft => ({
  kind: 'journey',
  minutes: 60,
  grace: 10,
  route: '',
  vehicle: '',
  contacts: '',
  note: '',
});

/** @param now the server's clock, in milliseconds: deadlines are reckoned by it */
export function newWatch(
  id: string,
  draft: WatchDraft,
  person: string,
  companions: string[],
  now: number,
): NewWatch {
  const seconds = Math.round(draft.minutes * 60);
  const common = {
    id,
    for: person,
    kind: draft.kind,
    due_at: new Date(now + seconds * 1_000).toISOString(),
    grace_s: Math.round(draft.grace * 60),
    note: draft.note.trim() || null,
  };
  if (draft.kind === 'interval') return { ...common, interval_s: seconds };
  const contacts = draft.contacts.split(',').map((one) => one.trim());
  return {
    ...common,
    route: draft.route.trim() || null,
    vehicle: draft.vehicle.trim() || null,
    contacts: contacts.filter(Boolean),
    companions: companions.filter((ref) => ref !== person),
  };
}
