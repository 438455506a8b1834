import type { Stage } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { number } from '@muster/shared/time.ts';
import type { LiveMovement } from '../../state/movement.ts';
import { categoryWord } from '../words.ts';
import { stageWord } from './words.ts';

type Filters = Readonly<Record<string, string>>;

const COUNTED: Record<string, () => string> = {
  boarded: m.move_stage_boarded,
  arrived: m.move_stage_arrived,
  missing: m.move_col_missing,
};
const SWITCHES: Record<string, () => string> = {
  missing: m.move_missed,
  unsettled: m.move_filter_unsettled,
  visiting: m.move_visitors,
  late: m.move_filter_late,
};

/** What narrows the list: each with its word, and the filters that are left without it. */
export function chipsOf(
  filters: Filters,
  live: LiveMovement,
  areaName: (code: string) => string,
): { key: string; word: string; rest: Record<string, string> }[] {
  const words: Record<string, (value: string) => string> = {
    stage: (value) => stageWord(value as Stage),
    area: areaName,
    agency: (value) => value,
    category: categoryWord,
    side: (value) => (value === 'local' ? m.parity_local() : m.parity_international()),
    expected: () => m.move_filter_elsewhere(),
    point: (value) => live.points.get(value)?.value.name ?? value,
    vehicle: (value) =>
      [
        m.move_vehicle_no({ number: number(Number(value)) }),
        COUNTED[filters.counted ?? '']?.() ?? '',
      ]
        .filter(Boolean)
        .join(' · '),
    q: (value) => `“${value}”`,
  };
  return Object.entries(filters).flatMap(([key, value]) => {
    const word = SWITCHES[key]?.() ?? words[key]?.(value);
    if (word === undefined) return [];
    // a count is one of its vehicle
    const gone = key === 'vehicle' ? ['vehicle', 'counted'] : [key];
    const rest = Object.fromEntries(
      Object.entries(filters).filter(([name]) => !gone.includes(name)),
    );
    return [{ key, word, rest }];
  });
}
