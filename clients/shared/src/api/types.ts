/**
 * What the server says and accepts, out of its own document (schema.d.ts). Where the document says
 * less than the contract promises (a plain string that is one of few), it is narrowed here.
 */
import type { components } from './schema.d.ts';

type Schemas = components['schemas'];
type With<T, Narrowed> = Omit<T, keyof Narrowed> & Narrowed;

export type Answer = Schemas['CheckinIn']['status'];
export type Status = Schemas['Cell']['status'];
export type AlertKind = Schemas['AlertOut']['kind'];
export type Severity = Schemas['AlertOut']['severity'];
export type AlertState = Schemas['AlertOut']['state'];
export type Counts = Required<Schemas['Headcount']['counts']>;

export type ProblemBody = Schemas['ProblemBody'];
export type FieldError = Schemas['FieldError'];

export interface Page<T> {
  items: T[];
  next: string | null;
}

// --- the phone ---

export type GivenAnswer = With<Schemas['AnswerOut'], { status: Answer }>;
export type SelfAlert = With<
  Schemas['SelfAlert'],
  {
    kind: AlertKind;
    severity: Severity;
    state: AlertState;
    answer: GivenAnswer | null;
    household: { ref: string; answer: GivenAnswer | null }[];
  }
>;
export type SelfWatch = With<Schemas['SelfWatch'], { kind: WatchKind; state: WatchState }>;
export type WatchKind = Schemas['WatchIn']['kind'];
export type WatchState = Schemas['WatchOut']['state'];
export type SelfPanic = Schemas['SelfPanic'];
export type SelfPanicEnd = Schemas['SelfPanicEnd'];
export type NearbyHelp = Schemas['NearbyHelp'];
/** what came later may be missing where the server is older than this page */
export type Self = With<
  Schemas['SelfOut'],
  {
    alerts: SelfAlert[];
    watches?: SelfWatch[];
    panic?: SelfPanic | null;
    last_panic?: SelfPanicEnd | null;
    pin_set?: boolean;
    nearby_help?: NearbyHelp[];
    checks?: SelfCheck[];
    movements?: SelfMovement[];
  }
>;
export type NewWatch = Schemas['WatchIn'];
export type Extension = Schemas['ExtendIn'];
export type Farewell = Schemas['DoneIn'];
export type Fixes = Schemas['PositionsIn'];
export type Checkin = Schemas['CheckinIn'];
export type Place = Schemas['Location'];
export type CheckinResult = Schemas['ItemResult'];
export type Device = Schemas['DeviceOut'];
export type WebPush = Schemas['WebPush'];
export type PublicConfig = Schemas['ClientConfig'];

// --- a checker's phone ---

export type SelfCheck = Schemas['SelfCheck'];
export type CheckList = Schemas['Bundle'];
export type Listed = Schemas['Listed'];
export type CodeKey = Schemas['BundleKey'];

// --- movements on the phone ---

export type StageReport = Schemas['StageIn'];
export type SelfMover = With<Schemas['SelfMover'], { stage: Stage }>;
export type SelfLeg = Schemas['SelfLeg'];
export type SelfMovement = With<
  Schemas['SelfMovement'],
  { people?: SelfMover[]; legs?: SelfLeg[]; stage: Stage | null }
>;
export type PersonCode = Schemas['CodeOut'];
export type StageResult = Schemas['StageResult'];

// --- a warden's phone ---

export type BranchPerson = Schemas['BranchPerson'];
export type BranchAlert = With<Schemas['BranchAlert'], { kind: AlertKind; severity: Severity }>;
export type BranchList = With<Schemas['BranchList'], { alerts: BranchAlert[] }>;

// --- the console ---

export type Role = 'admin' | 'operator' | 'auditor' | 'warden';
export type Session = With<
  Schemas['SessionOut'],
  { operator: With<Schemas['OperatorOut'], { role: Role }> }
>;
export type Alert = Schemas['AlertOut'];
export type Polygon = { type: 'Polygon'; coordinates: [number, number][][] };
export type Audience =
  | { all: true }
  | { areas: string[] }
  | { agencies: string[] }
  | { tree_node: string }
  | { polygon: Polygon };
export type NewAlert = With<Schemas['AlertIn'], { audience: Audience; severity: Severity }>;
/** the same, as the document words it: it leaves a polygon's inside open */
export type AlertBody = Schemas['AlertIn'];
export type Preview = With<Schemas['Preview'], { channels: Required<Schemas['Channels']> }>;
export type LabelledCount = Schemas['Tally'];

export type CellCount = Schemas['Cell'];
export type Group = With<Schemas['Group'], { counts: Counts }>;
export type Expected = With<Schemas['Expected'], { counts: Counts }>;
export type Parity = Schemas['Parity'];
export type ParityGroup = Schemas['Side'];
export type Headcount = With<
  Schemas['Headcount'],
  {
    state: AlertState;
    counts: Counts;
    at_close?: Counts | null;
    expected: { here: Expected; elsewhere: Expected };
    by: { area: Group[]; agency: Group[]; category: Group[] };
  }
>;
export type BoardPerson = Schemas['AlertPerson'];
export type Area = Schemas['AreaOut'];
export type Agency = Schemas['AgencyOut'];
export type TreeNode = Schemas['TreeNodeOut'];
export type Mode = Schemas['AlertOut']['mode'];
export type AlertTree = Schemas['CascadeOut'];
export type AlertNode = Schemas['NodeOut'];
export type StepTaken = Schemas['TakenOut'];
export type StepAct = StepTaken['act'];

export type HelpCall = Schemas['HelpCall'];
export type HelpPosition = Schemas['HelpPosition'];
export type HelpOutcome = Schemas['HelpCloseIn']['outcome'];
export type TextIn = Schemas['TextIn'];
export type Channels = Schemas['ChannelsOut'];
export type ChannelState = Schemas['ChannelOut'];
export type Alarm = Schemas['AlarmOut'];
export type SilentPhones = Schemas['SilentPhones'];
export type TreeHealth = Schemas['TreeHealth'];
export type TreeIssue = Schemas['Issue'];
export type TreeVersion = Schemas['Version'];
export type NodeEdit = Schemas['NodeIn'];
export type Exercises = Schemas['ExercisesPage'];
export type Score = Schemas['Score'];
export type Person = Schemas['PeoplePage']['items'][number];

// --- the stream, which the document cannot describe ---

export interface HeadcountEvent {
  from: number;
  alert_id: string;
  counts: Counts;
  /** of these, those expected elsewhere */
  elsewhere: Counts;
  cells: CellCount[];
}

export interface CheckinEvent {
  from: number;
  items: { person: { ref: string }; status: Answer; alert_ids: string[] }[];
}

export interface AlertEvent {
  from: number;
  alert: Alert;
}

// --- panics and watches at the desk ---

export type Operator = With<Schemas['OperatorOut'], { role: Role }>;
export type PersonInFull = Schemas['PersonOut'];
export type Panic = Schemas['PanicOut'];
export type PanicDetail = Schemas['PanicDetail'];
export type PanicFact = PanicDetail['facts'][number];
export type PanicPosition = NonNullable<PanicDetail['positions']>[number];
export type PanicAccess = NonNullable<PanicDetail['access']>[number];
export type PanicExport = Schemas['PanicExport'];
export type PanicOutcome = Schemas['EndIn']['outcome'];
/** why positions are looked at */
export type PanicReason = 'respond' | 'verify' | 'hand_over' | 'review';
/** a watch of a person or a callsign: a timer that runs on the server */
export type PersonWatch = Schemas['WatchOut'];
export type WatchFact = Schemas['FactOut'];
export type WatchDetail = Schemas['WatchDetail'];
export type Curfew = Schemas['CurfewOut'];
export type NewCurfew = Schemas['CurfewIn'];
export type RadioCheck = Schemas['RadioCheckOut'];
export type RollName = Schemas['RollName'];
export type NewRadioCheck = Schemas['RadioCheckIn'];
export type DarkPerson = Schemas['DarkPerson'];
export type AreaRisk = Schemas['RiskOut'];

export interface PanicEvent {
  from: number;
  panic: Panic;
  /** what happened to it, as its facts say */
  what: string;
}

export type HandOver = NonNullable<PersonWatch['hand_over']>;
export type WatchPosition = Schemas['WatchPosition'];

export interface WatchEvent {
  from: number;
  watches: PersonWatch[];
  /** what was offered to this room, and is not any more */
  gone?: string[];
}

// --- movements at the desk ---

export type Stage = Schemas['StageCell']['stage'];
export type Reported = Schemas['StageIn']['stage'];
export type StageCell = Schemas['StageCell'];
export type StageCounts = Schemas['StageCounts'];
export type StageGroup = Schemas['StageGroup'];
export type StageSide = Schemas['StageSide'];
export type Movement = Schemas['MovementOut'];
export type MovementState = Movement['state'];
export type MovementBoard = Schemas['Board'];
export type MovementPoint = Schemas['PointOut'];
export type MovementLeg = Schemas['LegOut'];
export type MovementVehicle = Schemas['VehicleOut'];
export type Mover = Schemas['Mover'];
export type SplitHousehold = Schemas['Household'];
export type CriticalWork = Schemas['FunctionOut'];
export type StageConflict = Schemas['ConflictOut'];
export type ConflictReport = Schemas['SaidOut'];
export type Decision = Schemas['ResolveIn'];
export type CloseOut = Schemas['CloseIn'];
export type MovementReport = Schemas['Report'];
export type MovementFact = Schemas['Timeline']['items'][number];
export type MoverInFull = Schemas['MoverInFull'];
export type Manifest = Schemas['Manifest'];

export interface MovementEvent {
  from: number;
  movement_id: string;
  /** the plan or the state changed: fetch the board again */
  plan: boolean;
  counts: StageCounts;
  /** absolute counts of the cells, vehicles and points that changed */
  cells: StageCell[];
  vehicles: MovementVehicle[];
  points: MovementPoint[];
  conflicts: number;
}
