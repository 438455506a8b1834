import { Problem, type Failure } from '@muster/shared/api/problem.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { detailOf } from '../state/compose.svelte.ts';

const CODES: Record<string, () => string> = {
  panic_owned: m.desk_panic_owned,
  panic_over: m.desk_panic_over,
  not_found: m.desk_not_there,
};

/** Why something was not done, for who tried; without an answer nobody knows whether it was. */
export function troubleWords(failure: Failure): string {
  if (!(failure instanceof Problem)) return m.desk_no_answer();
  return CODES[failure.code]?.() ?? detailOf(failure);
}

/** Why something could not be read. */
export function readTroubleWords(failure: Failure): string {
  return failure instanceof Problem ? troubleWords(failure) : m.no_connection();
}
