/** The server's short reasons in the user's language; one it does not know is shown as it is. */
import type { StepAct } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';

const REASONS: [RegExp, (...found: string[]) => string][] = [
  [/^no answer in time; the alternate was told$/, () => m.why_silent_alternate()],
  [/^no answer in time; no alternate can be told$/, () => m.why_silent_nobody()],
  [/^nobody who leads it can be told$/, () => m.why_nobody_told()],
  [/^nobody leads it$/, () => m.why_nobody_leads()],
  [/^nobody is in it, and nobody leads it$/, () => m.why_empty()],
  [/^nobody on the tree answers for them$/, () => m.why_no_node()],
  [/^opened by the duty desk$/, () => m.why_desk()],
  [/^nobody is silent$/, () => m.charge_no_need()],
  [/^answered$/, () => m.why_answered()],
  [
    /^(\d+) messages to (\d+)$/,
    (messages, people) => m.taken_sent({ messages: messages!, people: people! }),
  ],
  [/^the warden was told$/, () => m.taken_warden()],
  [/^alternate (\d+) was told$/, (place) => m.taken_alternate({ place: place! })],
  [/^every push has got out, or has failed$/, () => m.taken_unsent()],
  [/^passed to the node above$/, () => m.taken_up()],
  [/^passed to the duty desk$/, () => m.taken_desk()],
];

const STEPS: Record<StepAct, () => string> = {
  unsent: m.next_unsent,
  channels: m.next_channels,
  call_down: m.next_call_down,
  alternate: m.next_alternate,
  up: m.next_up,
  open_branch: m.next_open,
};

export const stepWord = (act: StepAct): string => STEPS[act]();

export function reasonWord(reason: string): string {
  const text = reason.replace(/^opened: /, '');
  for (const [pattern, word] of REASONS) {
    const found = pattern.exec(text);
    if (found) return word(...found.slice(1));
  }
  return text;
}
