import type { Api } from '@muster/shared/api/client.ts';
import type { Alarm, HelpCall } from '@muster/shared/api/types.ts';
import { listAlarms, listHelpCalls } from '../transport/desk.ts';
import { Polled } from './polled.svelte.ts';

const HELP_MS = 15_000;
const ALARMS_MS = 15_000;

/** What no page may hide: open calls for help, and alarms about the ways out. */
export class Signals {
  readonly help: Polled<HelpCall[]>;
  readonly alarms: Polled<Alarm[]>;

  constructor(api: Api) {
    this.help = new Polled(() => listHelpCalls(api, true), HELP_MS);
    this.alarms = new Polled(() => listAlarms(api), ALARMS_MS);
  }

  start(): void {
    this.help.start();
    this.alarms.start();
  }

  stop(): void {
    this.help.stop();
    this.alarms.stop();
  }

  /** An event of the stream: look at once. */
  take(kind: string): void {
    if (kind === 'help_call' || kind === 'any') this.help.loadSoon();
    if (kind === 'alarm' || kind === 'any') this.alarms.loadSoon();
  }

  get openHelp(): HelpCall[] {
    return this.help.data ?? [];
  }

  /** Nothing goes out at all: the gravest of the alarms. */
  get noWorker(): Alarm | null {
    return this.alarms.data?.find(({ kind }) => kind === 'worker') ?? null;
  }
}
