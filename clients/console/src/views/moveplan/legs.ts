import { getLocale } from '@muster/shared/i18n/locale.svelte.ts';
import { number } from '@muster/shared/time.ts';
import { pointName, type Plan } from '../../state/moveplan.ts';
import { LEG_KINDS } from './words.ts';

/** "1 · Road · Gate → Border". */
export function legWord(plan: Plan, id: string): string {
  const leg = plan.legs.find((one) => one.id === id);
  if (!leg) return '';
  const [from, to] = [pointName(plan, leg.from), pointName(plan, leg.to)];
  // each name in its own direction, wherever it is shown
  const apart = (name: string) => `\u2068${name}\u2069`;
  const arrow = getLocale() === 'ar' ? '←' : '→';
  return `${number(leg.position)} · ${LEG_KINDS[leg.kind]()} · ${apart(from)} ${arrow} ${apart(to)}`;
}
