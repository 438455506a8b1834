/**
 * What may be said instead of a scan that the server has already. It keeps every report, so nothing
 * takes one back: a further one says what is true. Pure.
 */
import { endsOf, sameTask, standOf, type Index, type Scan, type Task } from './scans.ts';

/**
 * Where she may be instead, the place she had before first. Empty: no report can say it, for to be
 * told or ready places nobody; then the desk must know.
 */
export function corrections(scan: Scan, index: Index): Task[] {
  if (!scan.ref) return [];
  const { movement, before } = scan;
  const found: Task[] = [];
  if (before?.stage === 'boarded' && before.vehicle)
    found.push({ movement, stage: 'boarded', vehicle: before.vehicle, point: null });
  if (before?.point) found.push(atPlace(movement, before.point, index));
  const start = scan.stage === 'boarded' ? endsOf(scan.vehicle, index)?.from : null;
  if (start) found.push(atPlace(movement, start, index));
  const wrong = standOf(scan, index);
  return found.filter((one, n) => {
    const stand = standOf(one, index);
    const same = stand.vehicle === wrong.vehicle && stand.point === wrong.point;
    return !same && found.findIndex((other) => sameTask(one, other)) === n;
  });
}

/** To be at a point: arrived where it is a safe haven. */
export function atPlace(movement: string, point: string, index: Index): Task {
  const haven = index.kept.list.points.some(
    ({ id, kind }) => id === point && kind === 'safe_haven',
  );
  return { movement, stage: haven ? 'arrived' : 'at_point', vehicle: null, point };
}
