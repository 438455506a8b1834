/** A station on a real server, made for one file of tests. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const LONGEST_MS = 180_000;

interface Hello {
  url: string;
  token: string;
  logins: string[];
  desks: Record<'night' | 'zone', string[]>;
  enrol: Record<string, string>;
}

type Order = 'kill' | 'start' | 'stop';

export class Station {
  private readonly server: 'shared' | 'own';
  private readonly line: Socket;
  private readonly lines: AsyncIterator<string>;
  private hello!: Hello;
  private phones: [ref: string, code: string][] = [];

  private constructor(line: Socket, server: 'shared' | 'own') {
    [this.line, this.server] = [line, server];
    this.lines = createInterface({ input: line })[Symbol.asyncIterator]();
  }

  /**
   * shared: an operation of its own on the server of all; own: also a server of its own, which
   * alone may be killed, and has a gateway that brings texts.
   */
  static async start(server: 'shared' | 'own' = 'shared'): Promise<Station> {
    const station = new Station(connect(process.env['HOUSE_SOCKET']!), server);
    station.line.write(`${server}\n`);
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
    this.mustBeOwn();
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
    this.mustBeOwn();
    this.line.write(`${order}\n`);
    await this.lineThat((line) => line === 'done');
  }

  async end(): Promise<void> {
    const ended = once(this.line, 'close');
    this.line.end();
    await ended;
  }

  private async lineThat(wanted: (line: string) => boolean): Promise<string> {
    const late = setTimeout(() => this.line.destroy(), LONGEST_MS);
    try {
      for (;;) {
        const { value, done } = await this.lines.next();
        if (done) throw new Error('The test server ended early or is late; see its words above.');
        if (wanted(value)) return value;
      }
    } finally {
      clearTimeout(late);
    }
  }

  private mustBeOwn(): void {
    if (this.server === 'shared') throw new Error("Others use this server: Station.start('own').");
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
