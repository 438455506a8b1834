import type { Habits } from '../transport/lanes.ts';

const HOLD_MS = 3_000;
const TAPS = 3;
const TAPS_MS = 1_200;

/** Watches an ordinary line of the screen for the gesture its owner chose. Nothing shows it. */
export function covertly(habit: () => Habits['covert'], raise: () => void) {
  return (node: HTMLElement): (() => void) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let taps: number[] = [];
    const down = (): void => {
      clearTimeout(timer);
      if (habit() === 'hold') timer = setTimeout(raise, HOLD_MS);
    };
    const up = (): void => clearTimeout(timer);
    const click = ({ timeStamp }: Event): void => {
      if (habit() !== 'taps') return;
      taps = [...taps.filter((at) => timeStamp - at < TAPS_MS), timeStamp];
      if (taps.length < TAPS) return;
      taps = [];
      raise();
    };
    const quiet = (event: Event): void => event.preventDefault();
    const heard: Record<string, (event: Event) => void> = {
      pointerdown: down,
      pointerup: up,
      pointercancel: up,
      pointerleave: up,
      click,
      contextmenu: quiet,
    };
    for (const [name, act] of Object.entries(heard)) node.addEventListener(name, act);
    return () => {
      clearTimeout(timer);
      for (const [name, act] of Object.entries(heard)) node.removeEventListener(name, act);
    };
  };
}
