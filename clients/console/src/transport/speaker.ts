/** The loudspeaker of this computer, by WebAudio: patterns of tones, no file to load. */

export interface Tone {
  hz: number;
  /** seconds from the pattern's beginning */
  at: number;
  for: number;
}

const LOUD = 0.35;
const EDGE_S = 0.015;

/**
 * A browser lets a page sound only after somebody has touched it: `open` says whether it does, and
 * `allow` asks again, which works inside a click or a key press.
 */
export class Speaker {
  /** the browser has begun or ceased to let it sound */
  onChange: (open: boolean) => void = () => undefined;

  private context: AudioContext | null = null;

  get open(): boolean {
    return this.context?.state === 'running';
  }

  async allow(): Promise<boolean> {
    try {
      this.context ??= this.listened(new AudioContext());
      // where it is refused the promise may wait for ever: nobody waits for it longer than this
      await Promise.race([this.context.resume(), new Promise((done) => setTimeout(done, 300))]);
    } catch {
      // no audio in this browser: it stays closed, and the page says so
    }
    return this.open;
  }

  play(tones: readonly Tone[]): void {
    const context = this.context;
    if (!context || !this.open) return;
    for (const { hz, at, for: seconds } of tones) {
      const [from, until] = [context.currentTime + at, context.currentTime + at + seconds];
      const tone = new OscillatorNode(context, { type: 'square', frequency: hz });
      const volume = new GainNode(context, { gain: 0 });
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(LOUD, from + EDGE_S);
      volume.gain.setValueAtTime(LOUD, until - EDGE_S);
      volume.gain.linearRampToValueAtTime(0, until);
      tone.connect(volume).connect(context.destination);
      tone.start(from);
      tone.stop(until);
    }
  }

  close(): void {
    void this.context?.close();
    this.context = null;
  }

  private listened(context: AudioContext): AudioContext {
    context.onstatechange = () => context === this.context && this.onChange(this.open);
    return context;
  }
}
