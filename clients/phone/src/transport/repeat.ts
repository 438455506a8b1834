const FIRST_MS = 2_000;
const LONGEST_MS = 60_000;

/**
 * Runs a piece of work when asked, one at a time, and again by itself with growing pauses for
 * as long as it answers `true` (there is more to do). Asking again starts over at once.
 */
export function repeater(work: () => Promise<boolean>): () => void {
  let running = false;
  let asked = false;
  let tries = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function run(): Promise<void> {
    clearTimeout(timer);
    if (running) {
      asked = true;
      return;
    }
    running = true;
    let more = true;
    try {
      more = await work();
    } finally {
      running = false;
      tries = more ? tries + 1 : 0;
      if (asked) void start();
      else if (more) timer = setTimeout(() => void run(), pause(tries));
    }
  }

  function start(): Promise<void> {
    asked = false;
    tries = 0;
    return run();
  }

  return () => void start();
}

function pause(tries: number): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (tries - 1));
  return longest / 2 + (Math.random() * longest) / 2;
}
