/**
 * What a checker scans, on its way: an outbox of its own, for every scan stays in it until her list of
 * them has seen what became of it, and what was never tried to be sent can be taken back.
 */
import type { Api } from '@muster/shared/api/client.ts';
import type { StageReport, StageResult } from '@muster/shared/api/types.ts';
import { Outbox } from './outbox.ts';
import { stageReports } from './stages.ts';
import { Store } from './store.ts';

/** held by the one tab or worker that sends */
export const SCANS_LOCK = 'muster-scans';

export type ScanStore = Store<Record<string, never>, StageReport>;

export function openScans(): Promise<ScanStore> {
  return Store.open<Record<string, never>, StageReport>('muster-scans');
}

export function scanOutbox(
  store: ScanStore,
  api: Api,
  told: () => void,
): Outbox<StageReport, StageResult> {
  const line = { ...stageReports(api), about: ({ id }: StageReport) => id };
  return new Outbox(store, { ...line, lock: SCANS_LOCK, marks: true }, told);
}
