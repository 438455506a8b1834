import { Speaker } from '../transport/speaker.ts';
import { PATTERNS, ROUNDS, soundNow, type News, type Sound } from './sounds.ts';

/** after a click, not at its beginning: what goes away by it must not move what is being clicked */
const GESTURES = ['click', 'keydown'] as const;

/** Sounds what nobody may sleep through, for as long as it must. */
export class Siren {
  /** whether this browser lets the page sound; null: not tried yet */
  allowed = $state<boolean | null>(null);
  /** what must be heard now, even where the browser does not let it */
  sounding = $state<Sound | null>(null);

  private panics = 0;
  private readonly left: Record<News, number> = { watch: 0, alarm: 0, conflict: 0 };
  private readonly seen = new Map<News, ReadonlySet<string>>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly onGesture = () => void this.allow();

  constructor(private readonly speaker = new Speaker()) {}

  start(): void {
    for (const gesture of GESTURES) window.addEventListener(gesture, this.onGesture);
    this.speaker.onChange = (open) => (this.allowed = open);
    void this.allow();
  }

  stop(): void {
    for (const gesture of GESTURES) window.removeEventListener(gesture, this.onGesture);
    clearTimeout(this.timer);
    this.timer = undefined;
    this.speaker.close();
  }

  /** Asks the browser; inside a click or a key press it agrees. */
  async allow(): Promise<void> {
    if (this.allowed && this.speaker.open) return;
    this.allowed = await this.speaker.allow();
  }

  /** How many panics nobody has: it sounds until there are none. */
  setPanics(count: number): void {
    this.panics = count;
    this.turn();
  }

  /** Those there are now: each is sounded a few times when it is new. */
  setNews(kind: News, ids: readonly string[]): void {
    const fresh = ids.some((id) => !this.seen.get(kind)?.has(id));
    this.seen.set(kind, new Set(ids));
    if (fresh) this.left[kind] = ROUNDS[kind];
    else if (!ids.length) this.left[kind] = 0;
    this.turn();
  }

  async test(kind: Sound): Promise<void> {
    await this.allow();
    this.speaker.play(PATTERNS[kind].tones);
  }

  /** Begins when there is something to sound; a panic does not wait for the end of another sound. */
  private turn(): void {
    const next = soundNow(this.panics, this.left);
    if (next === this.sounding) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sounding = next;
    if (next) this.round(next);
  }

  private round(kind: Sound): void {
    if (this.allowed !== null) this.allowed = this.speaker.open;
    this.speaker.play(PATTERNS[kind].tones);
    if (kind !== 'panic') this.left[kind] -= 1;
    this.timer = setTimeout(() => {
      this.sounding = soundNow(this.panics, this.left);
      if (this.sounding) this.round(this.sounding);
    }, PATTERNS[kind].every * 1_000);
  }
}
