/** What the server says and accepts, as the clients use it. Times are RFC 3339 UTC strings. */

export type Answer = 'safe' | 'need_help' | 'away';
export type Status = Answer | 'unaccounted';
export type Category =
  'international' | 'national' | 'local' | 'contractor' | 'volunteer' | 'family';
export type Role = 'admin' | 'operator' | 'auditor' | 'warden';
export type AlertKind = 'rollcall' | 'advisory' | 'instruction';
export type Severity = 'routine' | 'urgent' | 'life_safety';
export type Mode = 'broadcast' | 'cascade';
export type AlertState =
  'preparing' | 'pending_release' | 'open' | 'closed' | 'expired' | 'cancelled';
export type Counts = Record<Status, number>;

export interface FieldError {
  path: string;
  message: string;
}

export interface ProblemBody {
  type?: string;
  title?: string;
  status: number;
  detail?: string;
  code: string;
  retryable: boolean;
  errors?: FieldError[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface PersonName {
  ref: string;
  name: string;
}
export interface AreaName {
  code: string;
  name: string;
}
export interface Operation {
  code: string;
  name: string;
  timezone: string;
}

// --- the phone ---

export interface GivenAnswer {
  status: Answer;
  event_at: string;
  received_at: string;
}

export interface Self {
  person: PersonName & {
    category: Category;
    area: AreaName | null;
    agency: string | null;
    language: string | null;
  };
  operation: Operation;
  household: HouseholdMember[];
  alerts: SelfAlert[];
  server_time: string;
}

export interface HouseholdMember extends PersonName {
  category: Category;
  role: 'sponsor' | 'family';
  may_report: boolean;
}

export interface SelfAlert {
  id: string;
  kind: AlertKind;
  severity: Severity;
  title: string;
  body: string;
  exercise: boolean;
  state: AlertState;
  opened_at: string | null;
  expires_at: string | null;
  answer: GivenAnswer | null;
  household: { ref: string; answer: GivenAnswer | null }[];
}

export interface Place {
  lat: number;
  lon: number;
  accuracy?: number;
}

export interface Checkin {
  id: string;
  status: Answer;
  at: string;
  sent_at?: string;
  alert_id?: string;
  for?: string;
  location?: Place;
  note?: string;
}

export type CheckinResult =
  | { id: string; person: string; status: Answer; event_at: string; received_at: string }
  | { id: string; error: { code: string; detail: string; status: number; retryable: boolean } };

export interface Enrolment {
  id: string;
  code: string;
  platform: 'web';
}

export interface Device {
  device_id: string;
  token: string;
  person: PersonName;
}

export interface WebPush {
  kind: 'webpush';
  subscription: { endpoint: string; keys: Record<string, string> };
}

export interface Receipt {
  delivery_id: string;
  kind: 'delivered' | 'seen';
  at: string;
}

export interface PublicConfig {
  vapid_public_key: string | null;
  sms_numbers: string[];
  languages: string[];
}

// --- the console ---

export interface Session {
  operator: { id: string; name: string; role: Role; area: string | null; person: string | null };
  operation: Operation;
  csrf: string;
}

export type Polygon = { type: 'Polygon'; coordinates: [number, number][][] };

export type Audience =
  | { all: true }
  | { areas: string[] }
  | { agencies: string[] }
  | { tree_node: string }
  | { polygon: Polygon };

export interface NewAlert {
  id: string;
  kind: AlertKind;
  severity: Severity;
  mode: Mode;
  audience: Audience;
  title: string;
  body: string;
  lock_screen?: string;
  exercise: boolean;
  expires_at?: string;
}

export interface Alert {
  id: string;
  kind: AlertKind;
  severity: Severity;
  title: string;
  body: string;
  exercise: boolean;
  state: AlertState;
  created_at: string;
  opened_at: string | null;
  expires_at: string | null;
  closed_at: string | null;
  population: number | null;
}

export interface LabelledCount {
  key: string;
  label: string;
  count: number;
}

export interface Preview {
  people: number;
  family: number;
  population: number;
  by_area: LabelledCount[];
  by_category: LabelledCount[];
  channels: { push: number; sms: number; email: number; none: number };
  unreachable: { ref: string; name: string; reason: string }[];
  segments: number;
  finish_s: number | null;
  matched: { position: number; area: number } | null;
}

export interface Group {
  key: string;
  label: string;
  population: number;
  counts: Counts;
}

export interface CellCount {
  area: string;
  agency: string;
  category: string;
  status: Status;
  count: number;
}

export interface ParityGroup {
  population: number;
  answered: number;
  share: number;
  /** null: more than half have not answered, so the median is not reached */
  median_s: number | null;
}

export interface Parity {
  local: ParityGroup | null;
  international: ParityGroup | null;
  gap: { share: number; median_s: number | null } | null;
}

export interface Headcount {
  alert_id: string;
  seq: number;
  as_of: string;
  state: AlertState;
  population: number;
  counts: Counts;
  late: number;
  at_close?: Counts | null;
  by: { area: Group[]; agency: Group[]; category: Group[] };
  cells: CellCount[];
  parity: Parity;
}

export interface BoardPerson extends PersonName {
  category: Category;
  area: AreaName | null;
  agency: string | null;
  status: Status;
  event_at: string | null;
  received_at: string | null;
  late: boolean;
  note: string | null;
  reported_by: { kind: 'self' | 'family' | 'warden' | 'operator'; name: string } | null;
  reach: 'push' | 'sms' | 'email' | 'warden' | 'none';
  sponsor: string | null;
  phone: string | null;
}

export interface Area extends AreaName {
  parent: string | null;
  kind: 'country' | 'region' | 'duty_station' | 'zone';
  lat: number | null;
  lon: number | null;
}

export interface TreeNode {
  node: string;
  parent: string | null;
  label: string;
}

// --- the stream ---

export interface HeadcountEvent {
  from: number;
  alert_id: string;
  counts: Counts;
  cells: CellCount[];
}

export interface CheckinEvent {
  from: number;
  items: {
    id: string;
    person: PersonName;
    status: Answer;
    event_at: string;
    alert_ids: string[];
  }[];
}

export interface AlertEvent {
  from: number;
  alert: Alert;
}
