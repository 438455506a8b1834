import type { Api } from '@muster/shared/api/client.ts';
import { asFailure, type Failure } from '@muster/shared/api/problem.ts';
import type { Panic, PanicEvent } from '@muster/shared/api/types.ts';
import { listOpenPanics, takePanic } from '../transport/panics.ts';
import { Listening } from './listening.svelte.ts';
import { addList, addPanic, queue, silentPeople, untaken, type Panics } from './panics.ts';

const EVERY_MS = 30_000;

/** Every panic in sight that a human must see to, on every page. */
export class PanicDesk {
  panics = $state.raw<Panics>(new Map());
  /** panics being taken by this console, and why one could not be */
  taking = $state.raw<ReadonlySet<string>>(new Set());
  trouble = $state.raw<{ id: string; failure: Failure } | null>(null);
  readonly list: Listening<Panic>;
  /** something happened to this one */
  onNews: (id: string) => void = () => undefined;

  constructor(private readonly api: Api) {
    this.list = new Listening(
      () => listOpenPanics(api),
      (list, heard) => (this.panics = addList(this.panics, list, heard)),
      EVERY_MS,
    );
  }

  get queue(): Panic[] {
    return queue(this.panics);
  }

  get untaken(): Panic[] {
    return untaken(this.panics);
  }

  get silent(): ReadonlySet<string> {
    return silentPeople(this.panics);
  }

  take({ panic }: PanicEvent): void {
    this.put(panic);
    this.onNews(panic.id);
  }

  put(panic: Panic): void {
    this.list.hear(panic.id);
    this.panics = addPanic(this.panics, panic);
  }

  /** This console's operator has it from now on; may be pressed again after no answer. */
  async acknowledge(id: string): Promise<void> {
    this.taking = new Set(this.taking).add(id);
    try {
      this.put(await takePanic(this.api, id));
      this.trouble = null;
      this.onNews(id);
    } catch (thrown) {
      this.trouble = { id, failure: asFailure(thrown) };
      this.list.loadSoon();
    }
    this.taking = new Set([...this.taking].filter((one) => one !== id));
  }
}
