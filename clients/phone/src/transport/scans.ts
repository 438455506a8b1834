/**
 * What a checker scans, on its way: an outbox of its own, for every scan stays in it until her list of
 * them has seen what became of it, and what was never tried to be sent can be taken back.
 */
import type { Api } from '@muster/shared/api/client.ts';
import type { StageReport, StageResult } from '@muster/shared/api/types.ts';
import { Outbox } from './outbox.ts';
import { stageReports } from './stages.ts';
import { Store } from './store.ts';

/** So long a scan may be taken out before it is sent; meanwhile it lies saved. */
export const HOLD_MS = 4_000;

/** Whether a scan may still be taken out; not for long by a clock that was set back meanwhile. */
export function isHeld(at: string, hold = HOLD_MS): boolean {
  const age = Date.now() - Date.parse(at);
  return age >= 0 && age < hold;
}

/** held by the one tab or worker that sends */
export const SCANS_LOCK = 'muster-scans';

export type ScanStore = Store<Record<string, never>, StageReport>;

export function openScans(): Promise<ScanStore> {
  return Store.open<Record<string, never>, StageReport>('muster-scans');
}

/** @param ripe whether a scan may go already; without it each may */
export function scanOutbox(
  store: ScanStore,
  api: Api,
  told: () => void,
  ripe?: (body: StageReport) => boolean,
): Outbox<StageReport, StageResult> {
  const line = { ...stageReports(api), about: ({ id }: StageReport) => id };
  return new Outbox(store, { ...line, lock: SCANS_LOCK, marks: true, ripe }, told);
}
