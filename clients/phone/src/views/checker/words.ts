import { m } from '@muster/shared/i18n/messages.ts';
import { clock } from '@muster/shared/time.ts';
import type { Signal } from '../../state/checker/signal.ts';
import {
  endsOf,
  type Index,
  type Scan,
  type Task,
  type Verdict,
} from '../../state/checker/scans.ts';

export function placeName(point: string | null, index: Index): string {
  return index.kept.list.points.find(({ id }) => id === point)?.name ?? '?';
}

export function vehicleNumber(vehicle: string | null, index: Index): string {
  return String(index.kept.list.vehicles.find(({ id }) => id === vehicle)?.number ?? '?');
}

/** What is checked. */
export function taskWord(task: Task, index: Index): string {
  if (task.vehicle) {
    const number = vehicleNumber(task.vehicle, index);
    return task.stage === 'boarded'
      ? m.check_boarding_vehicle({ number })
      : m.check_alighting_vehicle({ number });
  }
  const place = placeName(task.point, index);
  return task.stage === 'arrived' ? m.check_arrived_point({ place }) : m.check_at_point({ place });
}

/** Where somebody is instead. */
export function placeWord(task: Task, index: Index): string {
  if (task.stage === 'boarded')
    return m.check_is_boarded({ number: vehicleNumber(task.vehicle, index) });
  const place = task.point ?? endsOf(task.vehicle, index)?.to ?? null;
  return m.check_is_at({ place: placeName(place, index) });
}

export const SIGNALS: Record<Verdict, Signal> = {
  good: 'good',
  unlisted: 'look',
  unknown: 'look',
  again: 'look',
  revoked: 'stop',
  foreign: 'stop',
};

export function verdictWord(verdict: Verdict, earlier: Scan | null): string {
  switch (verdict) {
    case 'good':
      return m.check_good();
    case 'unlisted':
      return m.check_unlisted();
    case 'unknown':
      return m.check_unknown();
    case 'again':
      return m.check_again({ time: earlier ? clock(earlier.at) : '' });
    case 'revoked':
      return m.check_revoked();
    case 'foreign':
      return m.check_foreign();
  }
}

/** What was made of it, and what the checker is to do. `kept`: the disk has it. */
export function verdictHint(verdict: Verdict, kept: boolean): string {
  switch (verdict) {
    case 'good':
    case 'unlisted':
      return kept ? m.check_counted() : m.check_counted_memory();
    case 'unknown':
      return m.check_unknown_hint();
    case 'again':
      return m.check_again_hint();
    case 'revoked':
      return m.check_revoked_hint();
    case 'foreign':
      return m.check_foreign_hint();
  }
}

export function nameOf(scan: Scan, index: Index | null): string {
  if (!scan.ref) return m.check_someone();
  return index?.byRef.get(scan.ref)?.name ?? scan.ref;
}
