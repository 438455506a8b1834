import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, Problem, type Failure } from '@muster/shared/api/problem.ts';
import type {
  Alert,
  AlertKind,
  Mode,
  NewAlert,
  Preview,
  Severity,
} from '@muster/shared/api/types.ts';
import { uuid } from '@muster/shared/ids.ts';
import { openAlert, previewAlert, type Places } from '../transport/calls.ts';
import { treeOrder } from './areas.ts';
import { NOBODY, toAudience } from './audience.ts';

const PREVIEW_DELAY_MS = 400;

/** A roll call being written: the form, its live preview and the opening. */
export class Compose {
  /** chosen before anything else */
  exercise = $state<boolean | null>(null);
  kind = $state<AlertKind>('rollcall');
  severity = $state<Severity>('urgent');
  mode = $state<Mode>('broadcast');
  audience = $state.raw(NOBODY);
  title = $state('');
  body = $state('');
  lockScreen = $state('');
  endsAfterHours = $state<number | null>(null);

  preview = $state.raw<Preview | null>(null);
  previewing = $state(false);
  previewTrouble = $state.raw<Failure | null>(null);

  /** what is about to be opened, fixed while the question is on screen; its id makes a retry safe */
  asked = $state.raw<{ alert: NewAlert; preview: Preview } | null>(null);
  opening = $state(false);
  openTrouble = $state.raw<Failure | null>(null);

  private turn = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly id = uuid();

  constructor(
    private readonly api: Api,
    private readonly places: () => Places,
  ) {}

  /** The body so far; null while nobody is chosen. */
  get draft(): NewAlert | null {
    const audience = toAudience(this.audience, treeOrder(this.places().areas));
    if (!audience || this.exercise === null) return null;
    return {
      id: this.id,
      kind: this.kind,
      severity: this.severity,
      mode: this.mode,
      audience,
      title: this.title.trim(),
      body: this.body.trim(),
      lock_screen: this.lockScreen.trim() || undefined,
      exercise: this.exercise,
    };
  }

  get complete(): boolean {
    return Boolean(this.draft?.title && this.draft.body);
  }

  get ready(): boolean {
    return this.complete && !this.previewing && (this.preview?.population ?? 0) > 0;
  }

  /** Counts anew a moment after the last change; an older answer never replaces a newer one. */
  countSoon(draft: NewAlert | null): void {
    clearTimeout(this.timer);
    const turn = ++this.turn;
    this.previewing = draft !== null;
    if (!draft) this.preview = null;
    else this.timer = setTimeout(() => void this.count(draft, turn), PREVIEW_DELAY_MS);
  }

  /** Puts the question: this, to so many, now? */
  ask(): void {
    const { draft, preview } = this;
    if (!draft || !preview || !this.ready) return;
    const ends = this.endsAfterHours;
    const expires_at = ends ? new Date(Date.now() + ends * 3_600_000).toISOString() : undefined;
    this.openTrouble = null;
    this.asked = { alert: { ...draft, id: uuid(), expires_at }, preview };
  }

  /** Opens what was asked; may be called again after no answer, it cannot open twice. */
  async open(): Promise<Alert | null> {
    if (!this.asked || this.opening) return null;
    this.opening = true;
    try {
      return await openAlert(this.api, this.asked.alert);
    } catch (thrown) {
      this.openTrouble = asFailure(thrown);
      return null;
    } finally {
      this.opening = false;
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    this.turn += 1;
  }

  private async count(draft: NewAlert, turn: number): Promise<void> {
    let trouble: Failure | null = null;
    let preview: Preview | null = null;
    try {
      preview = await previewAlert(this.api, draft);
    } catch (thrown) {
      trouble = asFailure(thrown);
    }
    if (turn !== this.turn) return;
    [this.preview, this.previewTrouble, this.previewing] = [preview, trouble, false];
  }
}

/** Words for a failure that the operator can act on. */
export function detailOf(failure: Failure): string {
  if (!(failure instanceof Problem)) return failure.message;
  const fields = failure.errors.map(({ path, message }) => `${path}: ${message}`);
  return [failure.message, ...fields].join(' · ');
}
