/** What the screen says about each person and request, out of the server's word and this phone's outbox. */
import type {
  Answer,
  BranchAlert,
  BranchPerson,
  GivenAnswer,
  Self,
  SelfAlert,
  Status,
} from '@muster/shared/api/types.ts';
import type { Entry } from '../transport/store.ts';

/** Two things that are never shown as one: what the server has, and what only this phone has. */
export interface Shown {
  /** received by the server; the newest by the time it speaks of */
  confirmed: GivenAnswer | null;
  /** the newest one saved on this phone and not yet received */
  saved: Entry | null;
  /** not accepted; each needs a person's decision */
  refused: Entry[];
}

/** Of what was written on this phone: her own. What was not sent for who had it before stays in sight. */
export function own(entries: Entry[], me: string): Entry[] {
  return entries.filter(({ author, state }) => author === me || state === 'refused');
}

/**
 * @param alert the request, or null for answers given without one
 * @param ref the household member, or null for the phone's own person
 */
export function present(alert: SelfAlert | null, ref: string | null, entries: Entry[]): Shown {
  return shownOf(alert, ref, serverAnswer(alert, ref), entries);
}

/** The same about a person of a warden's branch, whose answers the call-down list holds. */
export function presentPerson(
  alert: BranchAlert | null,
  person: BranchPerson,
  entries: Entry[],
): Shown {
  const standing = person.alerts.find((one) => one.alert_id === alert?.id);
  const heard =
    standing && standing.status !== 'unaccounted' && standing.event_at && standing.received_at
      ? {
          status: standing.status,
          event_at: standing.event_at,
          received_at: standing.received_at,
        }
      : null;
  return shownOf(alert, person.ref, heard, entries);
}

/**
 * Where a person stands by what the server has; null: the roll call does not ask about her. What
 * only this phone has counts where it says that she needs help, for that must not wait.
 */
export function standingOf(
  alert: BranchAlert | null,
  person: BranchPerson,
  entries: Entry[],
): Status | null {
  const { confirmed, saved } = presentPerson(alert, person, entries);
  if (saved?.body.status === 'need_help') return 'need_help';
  if (confirmed) return confirmed.status;
  const asked = person.alerts.some((one) => one.alert_id === alert?.id);
  return asked ? 'unaccounted' : null;
}

type About = Pick<SelfAlert, 'id' | 'exercise' | 'opened_at'>;

function shownOf(
  alert: About | null,
  ref: string | null,
  heard: GivenAnswer | null,
  entries: Entry[],
): Shown {
  const mine = entries.filter(
    (entry) => (entry.body.for ?? null) === ref && speaksOf(entry, alert),
  );
  const said = mine.filter((entry) => entry.state === 'received').map(given);
  return {
    confirmed: newest(heard ? [...said, heard] : said),
    saved: mine.filter((entry) => entry.state === 'saved').at(-1) ?? null,
    refused: mine.filter((entry) => entry.state === 'refused'),
  };
}

/** An answer given without a roll call speaks of every actual one that was already open. */
function speaksOf({ body }: Entry, alert: About | null): boolean {
  if (body.alert_id || !alert) return body.alert_id === alert?.id;
  return !alert.exercise && Date.parse(body.at) >= Date.parse(alert.opened_at ?? '');
}

/** The status to show as this person's own choice: what she wrote last, received or not. */
export function lastSaid({ saved, confirmed }: Shown): Answer | null {
  return saved?.body.status ?? confirmed?.status ?? null;
}

function serverAnswer(alert: SelfAlert | null, ref: string | null): GivenAnswer | null {
  if (!alert) return null;
  if (ref === null) return alert.answer;
  return alert.household.find((member) => member.ref === ref)?.answer ?? null;
}

function given(entry: Entry): GivenAnswer {
  return {
    status: entry.body.status,
    event_at: entry.event_at ?? entry.body.at,
    received_at: entry.received_at ?? entry.body.at,
  };
}

function newest(answers: GivenAnswer[]): GivenAnswer | null {
  const byEvent = (a: GivenAnswer, b: GivenAnswer) =>
    Date.parse(a.event_at) - Date.parse(b.event_at);
  return [...answers].sort(byEvent).at(-1) ?? null;
}

const WEIGHT = { life_safety: 0, urgent: 1, routine: 2 } as const;

/** Open requests, the one that matters most first: actual before exercise, then by severity, newest. */
export function openAlerts(self: Self | null): SelfAlert[] {
  return (self?.alerts ?? []).filter((alert) => alert.state === 'open').sort(byWeight);
}

export function byWeight(
  a: Pick<SelfAlert, 'exercise' | 'severity' | 'opened_at'>,
  b: Pick<SelfAlert, 'exercise' | 'severity' | 'opened_at'>,
): number {
  return (
    Number(a.exercise) - Number(b.exercise) ||
    WEIGHT[a.severity] - WEIGHT[b.severity] ||
    (b.opened_at ?? '').localeCompare(a.opened_at ?? '')
  );
}

export function rollCalls(self: Self | null): SelfAlert[] {
  return openAlerts(self).filter((alert) => alert.kind === 'rollcall');
}

/** The request on screen: the one picked, else the first that still waits for an answer. */
export function currentRollCall(
  calls: SelfAlert[],
  picked: string | null,
  entries: Entry[],
): SelfAlert | null {
  const waiting = (alert: SelfAlert) => lastSaid(present(alert, null, entries)) === null;
  return calls.find((call) => call.id === picked) ?? calls.find(waiting) ?? calls[0] ?? null;
}
