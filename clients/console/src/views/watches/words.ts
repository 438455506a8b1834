import type { PersonWatch, WatchFact, WatchKind, WatchState } from '@muster/shared/api/types.ts';
import { getLocale } from '@muster/shared/i18n/locale.svelte.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { age, duration, number } from '@muster/shared/time.ts';

export const KINDS: Record<WatchKind, () => string> = {
  journey: m.desk_watch_journey,
  interval: m.desk_watch_interval,
  curfew: m.desk_watch_curfew,
  radio_check: m.desk_watch_radio_check,
};

export const STATES: Record<WatchState, () => string> = {
  running: m.desk_watch_running,
  reminded: m.desk_watch_reminded,
  overdue: m.desk_watch_overdue,
  done: m.desk_watch_done,
  cancelled: m.desk_watch_cancelled,
};

const STEPS: Record<number, () => string> = {
  1: m.desk_step_warden,
  2: m.desk_step_above,
  3: m.desk_step_desk,
};

const FACTS: Partial<Record<WatchFact['what'], () => string>> = {
  created: m.desk_wfact_created,
  reminded: m.desk_wfact_reminded,
  overdue: m.desk_watch_overdue,
  passed_up: m.desk_step_above,
  desk: m.desk_step_desk,
  covered: m.desk_wfact_covered,
  done: m.desk_wfact_done,
  extended: m.desk_wfact_extended,
  cancelled: m.desk_watch_cancelled,
  superseded: m.desk_wfact_superseded,
  offered: m.desk_wfact_offered,
  heard: m.desk_wfact_heard,
  refused: m.desk_wfact_refused,
  withdrawn: m.desk_wfact_withdrawn,
  unheard: m.desk_wfact_unheard,
  unheard_desk: m.desk_step_desk,
  position_read: m.desk_wfact_position_read,
};

export const CONTACTS = {
  radio: m.desk_contact_radio,
  phone: m.desk_contact_phone,
  text: m.desk_contact_text,
  satellite: m.desk_contact_satellite,
  sight: m.desk_contact_sight,
};
export type Contact = keyof typeof CONTACTS;

/** Who was told that it was missed; nobody yet: nothing. */
export const stepWord = (step: number): string => STEPS[step]?.() ?? '';
export const watchFactWord = (what: WatchFact['what']): string => FACTS[what]?.() ?? what;

/** Whose it is: a callsign, or a name. */
export const whose = (watch: PersonWatch): string => watch.callsign ?? watch.person?.name ?? '';

/** An age that may not be known, which is then said. */
export const ageWord = (seconds: number | null): string =>
  seconds === null ? m.desk_not_known() : age(seconds);

export const batteryWord = (battery: number | null | undefined): string =>
  battery === null || battery === undefined ? m.desk_not_known() : `${number(battery)} %`;

/** "Mon", "Tue": 1 is Monday. */
export function weekday(day: number): string {
  const format = new Intl.DateTimeFormat(getLocale(), { weekday: 'short', timeZone: 'UTC' });
  // 1 January 2024 was a Monday
  return format.format(Date.UTC(2024, 0, day));
}

export const minutesWord = (seconds: number): string => duration(seconds);
