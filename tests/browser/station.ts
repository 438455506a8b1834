/** A real server with a small station, started and ended by the tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = resolve(import.meta.dirname, '../..');
const PYTHON = join(ROOT, '.venv/bin/python');
const LONGEST_MS = 90_000;

interface Hello {
  url: string;
  token: string;
  logins: string[];
  desks: Record<'night' | 'zone', string[]>;
  enrol: Record<string, string>;
}

type Order = 'kill' | 'start' | 'stop';

export class Station {
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private hello!: Hello;
  private phones: [ref: string, code: string][] = [];
  private log = '';

  private constructor(process: ChildProcess) {
    this.process = process;
    const reader = createInterface({ input: process.stdout! });
    process.stderr!.on('data', (text) => (this.log = `${this.log}${String(text)}`.slice(-4_000)));
    this.lines = reader[Symbol.asyncIterator]();
  }

  static async start(): Promise<Station> {
    if (!existsSync(PYTHON)) throw new Error('No .venv: run `make setup` first.');
    const child = spawn(PYTHON, ['-m', 'tests.support.browser_server'], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const station = new Station(child);
    station.hello = JSON.parse(await station.lineThat((line) => line.startsWith('{"url"')));
    station.phones = Object.entries(station.hello.enrol);
    return station;
  }

  get url(): string {
    return this.hello.url;
  }

  /** What the desk says by the API; the answer's body. */
  async desk<T>(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<T> {
    return call(this.url, this.hello.token, method, path, body);
  }

  /** A text as the station's gateway brings it. */
  async bring(sender: string, text: string): Promise<void> {
    const answer = await fetch(`${this.url}/v1/inbound/sms/texts`, {
      method: 'POST',
      headers: { Authorization: 'Bearer browser' },
      body: new URLSearchParams({ from: sender, to: '1234', text, id: crypto.randomUUID() }),
    });
    if (!answer.ok) throw new Error(`The gateway was answered ${answer.status}.`);
  }

  /** A link that signs a console in, each time a fresh one. */
  login(): string {
    return `${this.url}/console/#login=${this.hello.logins.shift() ?? this.spent('sign-in')}`;
  }

  /** The same for another operator: `night` sees all, `zone` the area of the first who enrols. */
  loginAs(who: 'night' | 'zone'): string {
    return `${this.url}/console/#login=${this.hello.desks[who].shift() ?? this.spent('sign-in')}`;
  }

  /** The token of the duty officer. */
  get token(): string {
    return this.hello.token;
  }

  /** A link that enrols the phone of one more colleague. */
  enrol(): { ref: string; link: string } {
    const [ref, code] = this.phones.shift() ?? this.spent('enrolment');
    return { ref, link: `${this.url}/phone/#enrol=${code}` };
  }

  /** kill: SIGKILL of the whole server; stop: SIGTERM; start: again, on the same records. */
  async order(order: Order): Promise<void> {
    this.process.stdin!.write(`${order}\n`);
    await this.lineThat((line) => line === 'done');
  }

  async end(): Promise<void> {
    const ended = new Promise((done) => this.process.once('exit', done));
    this.process.stdin!.end();
    await ended;
  }

  private async lineThat(wanted: (line: string) => boolean): Promise<string> {
    const deadline = Date.now() + LONGEST_MS;
    while (Date.now() < deadline) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error(`The test server ended early.\n${this.log}`);
      if (wanted(value)) return value;
    }
    throw new Error(`The test server did not answer in time.\n${this.log}`);
  }

  private spent(what: string): never {
    throw new Error(`The station has no more ${what} codes; ask the helper for more.`);
  }
}

/** One call of the API; throws for what is not 2xx. */
export async function call<T>(
  url: string,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
  return (text ? JSON.parse(text) : null) as T;
}
