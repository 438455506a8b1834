/** What a checker hears and feels without looking: good, look closer, stop. */
export type Signal = 'good' | 'look' | 'stop';

/** Told apart with closed eyes: one high, two the same, three that fall. */
const TONES: Record<Signal, number[]> = { good: [1_319], look: [659, 659], stop: [440, 330, 220] };
const SHAKES: Record<Signal, number[]> = {
  good: [80],
  look: [120, 80, 120],
  stop: [350, 120, 350],
};
const EACH_S = 0.16;
const GAP_S = 0.06;

let context: AudioContext | null = null;

/** Called by a tap: no page may sound before it is touched. */
export function readySound(): void {
  try {
    context ??= new AudioContext();
    void context.resume();
  } catch {
    context = null;
  }
}

export function signal(what: Signal, sound: boolean): void {
  navigator.vibrate?.(SHAKES[what]);
  if (!sound || !context) return;
  // after a call or another app it sleeps; the next one is heard
  if (context.state !== 'running') return void context.resume().catch(() => undefined);
  TONES[what].forEach((hz, n) => tone(context!, hz, context!.currentTime + n * (EACH_S + GAP_S)));
}

function tone(audio: AudioContext, hz: number, from: number): void {
  const [oscillator, gain] = [audio.createOscillator(), audio.createGain()];
  oscillator.frequency.value = hz;
  // without a slope it would click
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(0.5, from + 0.01);
  gain.gain.linearRampToValueAtTime(0, from + EACH_S);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(from);
  oscillator.stop(from + EACH_S);
}
