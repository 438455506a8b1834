/** Which sound, and how it goes. Pure. */
import type { Tone } from '../transport/speaker.ts';

export const SOUNDS = ['panic', 'watch', 'alarm', 'conflict'] as const;
export type Sound = (typeof SOUNDS)[number];
/** what is sounded when it is new, and not for as long as it lasts; the gravest first */
export const NEWS = ['watch', 'alarm', 'conflict'] as const;
export type News = (typeof NEWS)[number];

interface Pattern {
  tones: readonly Tone[];
  /** seconds until it may begin again */
  every: number;
}

const row = (pitches: number[], each: number, gap: number): Tone[] =>
  pitches.map((hz, n) => ({ hz, at: n * (each + gap), for: each }));

/** Told apart with closed eyes: a fast two-tone, three that rise, two long low ones, a falling third. */
export const PATTERNS: Record<Sound, Pattern> = {
  panic: { tones: row([988, 659, 988, 659, 988, 659, 988, 659], 0.16, 0.02), every: 2.2 },
  watch: { tones: row([440, 554, 659], 0.3, 0.1), every: 4 },
  alarm: { tones: row([196, 196], 0.9, 0.3), every: 5 },
  conflict: { tones: row([523, 415], 0.22, 0.06), every: 6 },
};

/** How often each is sounded when it is new; a panic sounds until somebody has it. */
export const ROUNDS: Record<News, number> = { watch: 3, alarm: 3, conflict: 1 };

/** What is to be sounded now, the gravest first. `left`: rounds that are still to come. */
export function soundNow(panics: number, left: Record<News, number>): Sound | null {
  return panics > 0 ? 'panic' : (NEWS.find((kind) => left[kind] > 0) ?? null);
}
