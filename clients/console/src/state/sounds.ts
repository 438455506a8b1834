/** Which sound, and how it goes. Pure. */
import type { Tone } from '../transport/speaker.ts';

export const SOUNDS = ['panic', 'watch', 'alarm'] as const;
export type Sound = (typeof SOUNDS)[number];

interface Pattern {
  tones: readonly Tone[];
  /** seconds until it may begin again */
  every: number;
}

const row = (pitches: number[], each: number, gap: number): Tone[] =>
  pitches.map((hz, n) => ({ hz, at: n * (each + gap), for: each }));

/** Told apart with closed eyes: a fast two-tone, three that rise, two long low ones. */
export const PATTERNS: Record<Sound, Pattern> = {
  panic: { tones: row([988, 659, 988, 659, 988, 659, 988, 659], 0.16, 0.02), every: 2.2 },
  watch: { tones: row([440, 554, 659], 0.3, 0.1), every: 4 },
  alarm: { tones: row([196, 196], 0.9, 0.3), every: 5 },
};

/** How often a new overdue watch or alarm is sounded; a panic sounds until somebody has it. */
export const ROUNDS = 3;

/** What is to be sounded now, the gravest first. `left`: rounds that are still to come. */
export function soundNow(panics: number, left: Record<'watch' | 'alarm', number>): Sound | null {
  if (panics > 0) return 'panic';
  if (left.watch > 0) return 'watch';
  return left.alarm > 0 ? 'alarm' : null;
}
