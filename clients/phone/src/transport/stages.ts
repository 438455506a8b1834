/**
 * Reports of stages: an outbox of their own beside the answers, in a database of its own, which no
 * upgrade of another one and no old page that holds it open can block.
 */
import { read, type Api } from '@muster/shared/api/client.ts';
import type { StageReport, StageResult } from '@muster/shared/api/types.ts';
import { Outbox, type Line, type Written } from './outbox.ts';
import { answered } from './sending.ts';
import { Store, type Entry } from './store.ts';

export type StageDraft = Written<StageReport>;
export type StageEntry = Entry<StageReport>;

export type StageStore = Store<Record<never, never>, StageReport>;

export function openStages(): Promise<StageStore> {
  return Store.open<Record<never, never>, StageReport>('muster-moves');
}

export function stageReports(api: Api): Line<StageReport, StageResult> {
  return {
    lock: 'muster-moves',
    batch: 500,
    send: (items) => answered(read(api.POST('/v1/stage-reports', { body: { items } }))),
    kept: keptOf,
    about: (body) => `${body.movement} ${body.for ?? body.code ?? ''}`,
  };
}

/** A code that was scanned has named its person by then; why somebody stays is hers. */
export function keptOf(body: StageReport, { person }: StageResult): StageReport {
  const { reason: _reason, code, ...kept } = body;
  return code && !body.for ? { ...kept, for: person } : kept;
}

export function stageOutbox(
  store: StageStore,
  api: Api,
  told: () => void,
): Outbox<StageReport, StageResult> {
  return new Outbox(store, stageReports(api), told);
}
