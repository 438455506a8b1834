/** What is said of some people at once, as reports: one of each. Pure. */
import type { Reported, SelfMovement } from '@muster/shared/api/types.ts';
import type { StageDraft } from '../../transport/stages.ts';
import { legOf, seatOf, type Shown } from './standing.ts';

export interface Word {
  stage: Reported;
  vehicle?: number;
  point?: string;
  reason?: string;
}

/** Who arrives names the vehicle she says she is in, and the end of its leg, as far as she knows. */
export function draftsOf(movement: SelfMovement, people: Shown[], word: Word): StageDraft[] {
  return people.map((one) => {
    const ref = one.own ? {} : { for: one.mover.ref };
    const draft = { movement: movement.id, ...word, ...ref };
    if (word.stage !== 'arrived' || one.said.stage !== 'boarded') return draft;
    const point = legOf(movement, one)?.to.id;
    return {
      ...draft,
      ...(one.said.vehicle === null ? {} : { vehicle: one.said.vehicle }),
      ...(point ? { point } : {}),
    };
  });
}

/** The vehicles where they have seats on their next leg, each once; hers who is first before. */
export function vehiclesOf(movement: SelfMovement, people: Shown[]): number[] {
  const numbers = people.flatMap((one) => {
    const aboard = one.said.stage === 'boarded' && one.said.vehicle !== null;
    const number = aboard ? one.said.vehicle : seatOf(movement, one)?.vehicle_no;
    return number ? [number] : [];
  });
  return [...new Set(numbers)];
}
