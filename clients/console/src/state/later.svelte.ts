const RETRY_MS = 5_000;

/**
 * A part of the console that is fetched apart from it: from soon after the start, so that it is there
 * when the line is cut later, and again and again until it is.
 */
export class Later<T> {
  part = $state.raw<T | null>(null);
  /** the last attempt brought nothing */
  failed = $state(false);

  private fetching = false;
  private tried = 0;
  /** where else it can be had */
  private address: string | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly fetch: () => Promise<T>) {}

  async start(): Promise<void> {
    clearTimeout(this.timer);
    if (this.part || this.fetching) return;
    this.fetching = true;
    try {
      this.part = await (this.address ? fetchFrom<T>(this.address) : this.fetch());
      this.failed = false;
    } catch (thrown) {
      // whatever it was, without it there is no such page: it is told, and tried again
      this.failed = true;
      this.address = otherAddress(thrown, (this.tried += 1));
      this.timer = setTimeout(() => void this.start(), RETRY_MS);
    }
    this.fetching = false;
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

/** A browser may remember that a file could not be had: it is asked for by another address. */
function otherAddress(thrown: unknown, tried: number): string | null {
  const found = /https?:\S+\.js/.exec(String(thrown))?.[0];
  return found?.startsWith(`${location.origin}/`) ? `${found}?again=${tried}` : null;
}

function fetchFrom<T>(address: string): Promise<T> {
  return import(/* @vite-ignore */ address) as Promise<T>;
}
