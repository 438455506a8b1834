import type { AlertKind, AlertState, BoardPerson, Severity } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';

const CATEGORIES: Record<string, () => string> = {
  international: m.category_international,
  national: m.category_national,
  local: m.category_local,
  contractor: m.category_contractor,
  volunteer: m.category_volunteer,
  family: m.category_family,
};
const STATES: Record<AlertState, () => string> = {
  preparing: m.state_preparing,
  pending_release: m.state_pending_release,
  open: m.state_open,
  closed: m.state_closed,
  expired: m.state_expired,
  cancelled: m.state_cancelled,
};
const SEVERITIES: Record<Severity, () => string> = {
  routine: m.severity_routine,
  urgent: m.severity_urgent,
  life_safety: m.severity_life_safety,
};
const KINDS: Record<AlertKind, () => string> = {
  rollcall: m.kind_rollcall,
  advisory: m.kind_advisory,
  instruction: m.kind_instruction,
};
const REACH: Record<BoardPerson['reach'], () => string> = {
  push: m.reach_push,
  sms: m.reach_sms,
  email: m.reach_email,
  warden: m.reach_warden,
  none: m.reach_none,
};

export const categoryWord = (key: string): string => CATEGORIES[key]?.() ?? key;
export const stateWord = (state: AlertState): string => STATES[state]();
export const severityWord = (severity: Severity): string => SEVERITIES[severity]();
export const kindWord = (kind: AlertKind): string => KINDS[kind]();
export const reachWord = (reach: BoardPerson['reach']): string => REACH[reach]();
