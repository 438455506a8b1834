/** What the planning side of a movement says and accepts: its plan, seats, papers, codes. */
import type { components } from './schema.d.ts';
import type { Stage } from './types.ts';

type Schemas = components['schemas'];

export type NewMovement = Schemas['MovementIn'];
export type MovementKind = NewMovement['kind'];
export type MovementReach = NewMovement['reach'];
export type PointWish = Schemas['PointIn'];
export type PointKind = PointWish['kind'];
export type LegWish = Schemas['LegIn'];
export type LegKind = LegWish['kind'];
export type VehicleWish = Schemas['VehicleIn'];
export type VehicleState = Schemas['VehicleOut']['state'];
export type FunctionWish = Schemas['FunctionIn'];
export type Cover = Schemas['FunctionOut']['cover'];

export type Seat = Omit<Schemas['Seat'], 'stage'> & { stage: Stage };
export type Manifest = Omit<Schemas['Manifest'], 'seats'> & { seats: Seat[] };
export type Papers = NonNullable<Seat['papers']>;
export type ManifestWish = Schemas['ManifestIn'];
export type Amending = Schemas['AmendIn'];
export type ListFile = Schemas['ImportIn'];
export type TickedForm = Schemas['TickedIn'];
export type TickedDone = Schemas['Ticked'];

export type Fill = Schemas['Fill'];
export type FillWish = Schemas['FillIn'];
export type Need = Fill['order'][number];
export type SeatGiven = Fill['given'][number];
export type SeatReleased = Fill['released'][number];
export type Waiting = Fill['waiting'][number];

export type Traveller = Schemas['Traveller'];
export type TravellerWish = Schemas['TravellerIn'];
export type Checker = Schemas['Checker'];
export type PersonCode = Schemas['CodeOut'];
export type CodeWish = Schemas['CodeIn'];
