import { SvelteMap } from 'svelte/reactivity';
import { uuid } from '@muster/shared/ids.ts';
import type { Reasons } from './movementclose.ts';
import type { Verdict } from './movementconflicts.ts';
import type { RadioDesk } from './movementradiodesk.svelte.ts';

/** A decision of one conflict. Sent again after no answer, it is one decision. */
export class DecisionDraft {
  readonly id = uuid();
  verdict = $state<Verdict>({
    choice: null,
    stage: 'at_point',
    vehicle: null,
    point: null,
    reason: '',
  });
}

/** What is being written about one movement. It outlives the screen it is written on. */
export class MovementDrafts {
  /** of the close-out: why each is left unresolved, the reason for all of a stage, the statement */
  reasons = $state.raw<Reasons>(new Map());
  together = $state<Record<string, string>>({});
  statement = $state('');
  /** by conflict */
  readonly decisions = new SvelteMap<string, DecisionDraft>();
  /** a report by radio that is being made, or went out and is not all on record */
  radio = $state.raw<RadioDesk | null>(null);
}
