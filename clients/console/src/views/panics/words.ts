import type { Operator, Panic, PanicFact, PanicReason } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { number } from '@muster/shared/time.ts';
import { OUTCOMES } from '../inbound/words.ts';

export const PANIC_STATES: Record<Panic['state'], () => string> = {
  open: m.desk_panic_open,
  acknowledged: m.desk_panic_acknowledged,
  cancelled: m.desk_panic_cancelled,
  resolved: m.desk_panic_resolved,
  closed: m.desk_panic_closed,
};

export const SOURCES: Record<Panic['source'], () => string> = {
  app: m.desk_source_app,
  sms: m.desk_source_sms,
  satellite: m.desk_source_satellite,
  desk: m.desk_source_desk,
};

export const REASONS: Record<PanicReason, () => string> = {
  respond: m.desk_reason_respond,
  verify: m.desk_reason_verify,
  hand_over: m.desk_reason_hand_over,
  review: m.desk_reason_review,
};

/** Why positions were read; `export` is written down by the export itself. */
export function reasonWord(reason: string): string {
  if (reason === 'export') return m.desk_reason_export();
  return REASONS[reason as PanicReason]?.() ?? reason;
}

type Detail = Record<string, unknown>;

const ending = (word: () => string) => (detail: Detail) => {
  const outcome = OUTCOMES[detail.outcome as keyof typeof OUTCOMES]?.();
  return [word(), outcome].filter(Boolean).join(': ');
};

const FACTS: Record<string, (detail: Detail, operators: Operator[]) => string> = {
  raised: ({ source }) =>
    m.desk_fact_raised({ source: SOURCES[source as Panic['source']]?.() ?? String(source ?? '') }),
  pressed_again: () => m.desk_fact_pressed_again(),
  told_again: ({ round }) => m.desk_fact_told_again({ round: number(Number(round)) }),
  acknowledged: () => m.desk_fact_acknowledged(),
  handed_over: ({ now }, operators) =>
    m.desk_fact_handed_over({
      name: operators.find(({ id }) => id === now)?.name ?? `#${String(now)}`,
    }),
  wrong_pin: () => m.desk_fact_wrong_pin(),
  cancelled: ({ within_countdown }) =>
    within_countdown ? m.desk_fact_slip() : m.desk_fact_cancelled(),
  resolved: ending(m.desk_panic_resolved),
  closed: ending(m.desk_panic_closed),
};

/** What happened, in words; what this console does not know yet is named as the server names it. */
export function factWord({ kind, detail }: PanicFact, operators: Operator[]): string {
  return FACTS[kind]?.(detail as Detail, operators) ?? kind;
}

export function factNote({ detail }: PanicFact): string | null {
  const { note } = detail as Detail;
  return typeof note === 'string' && note ? note : null;
}
