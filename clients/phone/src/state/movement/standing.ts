/** Where this phone's people stand in a movement, by the server's word and by its own. Pure. */
import type {
  Reported,
  SelfLeg,
  SelfMovement,
  SelfMover,
  Stage,
} from '@muster/shared/api/types.ts';
import type { StageEntry } from '../../transport/stages.ts';

/** A stage with what it needs to be said aloud. */
export interface Stand {
  stage: Stage;
  vehicle: number | null;
  /** where it is known */
  point: string | null;
}

/** Of one person two things that are never shown as one: what the server has, and what this phone said. */
export interface Shown {
  mover: SelfMover;
  own: boolean;
  stand: Stand;
  /** what she is taken to be by the next question: the newest word, received or not */
  said: Stand;
  /** the newest that is saved here and not received */
  saved: StageEntry | null;
  /** the newest the server has, if this phone said it */
  received: StageEntry | null;
  refused: StageEntry[];
}

/** An older server tells of the owner alone. */
export function moversOf(movement: SelfMovement, me: { ref: string; name: string }): SelfMover[] {
  if (movement.people) return movement.people;
  const { stage, vehicle_no, vehicle, point, since } = movement;
  if (stage === null) return [];
  const unknown = { leg: null, point_id: null, late: false, seats: [] };
  return [{ ...me, stage, vehicle_no, vehicle, point, since, ...unknown }];
}

/**
 * @param me ref of the phone's owner, whose own reports name nobody
 * @param heard when the server told of the movement, by its own clock
 */
export function shownOf(
  movement: SelfMovement,
  mover: SelfMover,
  entries: StageEntry[],
  me: string,
  heard: string | null,
): Shown {
  const own = mover.ref === me;
  const hers = entries.filter(
    ({ author, body }) =>
      author === me && body.movement === movement.id && (body.for ?? me) === mover.ref,
  );
  const saved = hers.filter(({ state }) => state === 'saved').at(-1) ?? null;
  const received = hers.filter(({ state }) => state === 'received').at(-1) ?? null;
  const stand = { stage: mover.stage, vehicle: mover.vehicle_no, point: mover.point };
  const newest = saved ?? (received && isNews(received, heard) ? received : null);
  return {
    mover,
    own,
    stand,
    said: newest ? standOf(newest, movement) : stand,
    saved,
    received,
    refused: hers.filter(({ state }) => state === 'refused'),
  };
}

/** Whether the server had a report only after it told how things stand. */
export function isNews({ received_at }: StageEntry, heard: string | null): boolean {
  return !heard || !received_at || Date.parse(received_at) > Date.parse(heard);
}

/** What a report says, as far as the movement is known. */
export function standOf({ body }: StageEntry, movement: SelfMovement | null): Stand {
  const vehicle = typeof body.vehicle === 'number' ? body.vehicle : null;
  const point = movement && pointsOf(movement).find(({ id }) => id === body.point);
  const onTheWay = body.stage === 'arrived' && point && !point.haven;
  const stage = onTheWay ? 'at_point' : body.stage;
  return { stage, vehicle: stage === 'boarded' ? vehicle : null, point: point?.name ?? null };
}

/** Every end of a leg, once, in the order of the journey. */
export function pointsOf(movement: SelfMovement): SelfLeg['from'][] {
  const ends = (movement.legs ?? []).flatMap(({ from, to }) => [from, to]);
  return ends.filter(({ id }, n) => ends.findIndex((one) => one.id === id) === n);
}

/** The leg she is on, or that she goes by next; null: not known. */
export function legOf(movement: SelfMovement, { mover, said }: Shown): SelfLeg | null {
  const legs = movement.legs ?? [];
  const seated = (leg: SelfLeg) => mover.seats.some((seat) => seat.leg === leg.id);
  const only = (some: SelfLeg[]) => some.find(seated) ?? (some.length === 1 ? some[0]! : null);
  if (said.stage === 'boarded') {
    const seat = mover.seats.find(({ vehicle_no }) => vehicle_no === said.vehicle);
    const aboard = mover.vehicle_no === said.vehicle ? mover.leg : null;
    return legs.find(({ id }) => id === (seat?.leg ?? aboard)) ?? null;
  }
  if (said.stage === 'at_point') {
    const here = pointsOf(movement).find(({ name }) => name === said.point);
    return only(legs.filter(({ from }) => from.id === here?.id));
  }
  const first = Math.min(...legs.map(({ position }) => position));
  return only(legs.filter(({ position }) => position === first));
}

/** Her seat on the leg she goes by next. */
export function seatOf(movement: SelfMovement, shown: Shown): SelfMover['seats'][number] | null {
  const leg = legOf(movement, shown);
  return shown.mover.seats.find((seat) => seat.leg === leg?.id) ?? null;
}

/** Whether nothing more is asked of her. */
export function isSettled(stage: Stage): boolean {
  return ['arrived', 'accommodated', 'staying', 'hibernating'].includes(stage);
}

/** What she is expected to say next; null: nothing. */
export function nextOf(stage: Stage): Reported | null {
  switch (stage) {
    case 'listed':
    case 'notified':
      return 'ready';
    case 'ready':
      return 'at_point';
    case 'at_point':
      return 'boarded';
    case 'boarded':
      return 'arrived';
    default:
      return null;
  }
}

/** Whom a word is meant for until she chooses: whoever stands where the first one does. */
export function together(movement: SelfMovement, people: Shown[]): string[] {
  const [first, ...others] = people.filter(({ said }) => !isSettled(said.stage));
  if (!first) return people.slice(0, 1).map(({ mover }) => mover.ref);
  const seat = seatOf(movement, first)?.vehicle_no;
  const like = others.filter(
    (one) => sameStand(one.said, first.said) && seatOf(movement, one)?.vehicle_no === seat,
  );
  return [first, ...like].map(({ mover }) => mover.ref);
}

function sameStand(a: Stand, b: Stand): boolean {
  return a.stage === b.stage && a.vehicle === b.vehicle && a.point === b.point;
}

/** Of a household that is apart: where it is whole again, and when as planned; null: not known. */
export interface Apart {
  at: string | null;
  when: string | null;
}

/** Null while it is together, by what the server knows. */
export function apart(movement: SelfMovement, people: Shown[]): Apart | null {
  const heard = people.map((one) => ({ ...one, said: one.stand }));
  if (new Set(heard.map(placeOf)).size < 2) return null;
  const goals = heard.map((one) => goalOf(movement, one));
  const [first] = goals;
  if (!first || goals.some((goal) => goal?.at !== first.at)) return { at: null, when: null };
  const times = goals.map((goal) => goal!.when);
  const when = times.includes('') ? null : times.sort().at(-1)!;
  return { at: first.at, when };
}

/** Two in one place have the same; who has not moved is where she lives. */
function placeOf({ stand: { stage, vehicle, point } }: Shown): string {
  if (stage === 'boarded') return `vehicle ${vehicle}`;
  if (stage === 'at_point' || stage === 'arrived' || stage === 'accommodated')
    return `point ${point}`;
  return stage === 'in_question' ? stage : 'home';
}

/** Where her way leads next, and when as planned ('' : nobody has said); null: nobody knows. */
function goalOf(movement: SelfMovement, one: Shown): { at: string; when: string } | null {
  const { stage, point } = one.stand;
  if (stage === 'arrived' || stage === 'accommodated')
    return point === null ? null : { at: point, when: '0' };
  if (isSettled(stage) || stage === 'in_question') return null;
  const leg = legOf(movement, one);
  return leg && { at: leg.to.name, when: leg.arrives_at ?? '' };
}

/** What is said nowhere else and needs a human: of movements not shown, or of who had this phone before. */
export function leftOver(
  entries: StageEntry[],
  movements: SelfMovement[],
  me: string,
): StageEntry[] {
  const isShown = ({ author, body }: StageEntry) =>
    author === me &&
    movements.some(
      ({ id, people }) =>
        id === body.movement && (people?.some(({ ref }) => ref === (body.for ?? me)) ?? true),
    );
  return entries.filter(
    (entry) =>
      !isShown(entry) && (entry.state !== 'received' || (entry.late && entry.author === me)),
  );
}
