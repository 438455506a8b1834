import createClient, { type Client } from 'openapi-fetch';
import type { paths } from './schema.d.ts';
import { Problem, problemFrom, Unreachable } from './problem.ts';

export type Api = Client<paths>;

export interface ApiOptions {
  baseUrl?: string;
  /** headers of the moment: a device's token, a console's CSRF token */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  timeoutMs?: number;
  fetch?: (request: Request) => Promise<Response>;
}

/** A typed client that gives up after a while: on a bad network a request can hang for minutes. */
export function createApi(options: ApiOptions = {}): Api {
  const send = options.fetch ?? ((request: Request) => fetch(request));
  const api = createClient<paths>({
    baseUrl: options.baseUrl ?? '',
    credentials: 'same-origin',
    fetch: (request) => withTimeout(request, options.timeoutMs ?? 15_000, send),
  });
  api.use({
    async onRequest({ request }) {
      for (const [name, value] of Object.entries((await options.headers?.()) ?? {}))
        request.headers.set(name, value);
    },
  });
  return api;
}

async function withTimeout(
  request: Request,
  ms: number,
  send: (request: Request) => Promise<Response>,
): Promise<Response> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ms);
  try {
    const response = await send(new Request(request, { signal: stop.signal }));
    // read to the end under the same deadline, so that a body that stalls is a timeout too
    const body = await response.arrayBuffer();
    const empty = response.status === 204 || response.status === 304;
    return new Response(empty ? null : body, response);
  } finally {
    clearTimeout(timer);
  }
}

interface Outcome {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/**
 * The body of a good answer, as the type the caller names (one of types.ts, which narrows what the
 * document says).
 *
 * @throws Problem where the server refused; Unreachable where no server of ours answered.
 */
export async function read<T>(call: Promise<Outcome>): Promise<T> {
  let outcome: Outcome;
  try {
    outcome = await call;
  } catch (thrown) {
    throw new Unreachable(thrown instanceof Error ? thrown.message : String(thrown));
  }
  const { response } = outcome;
  if (response.ok) {
    if (outcome.data === undefined && response.status !== 204)
      throw new Unreachable('empty answer');
    return outcome.data as T;
  }
  throw problemFrom(response.status, outcome.error) ?? new Unreachable(`answer ${response.status}`);
}

/** Every item of a list, page by page; `most` bounds it. */
export async function readAll<T>(
  page: (cursor?: string) => Promise<{ items: T[]; next: string | null }>,
  most = 5_000,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const part = await page(cursor);
    items.push(...part.items);
    cursor = cursorOf(part.next);
  } while (cursor && items.length < most);
  return items;
}

export function cursorOf(next: string | null): string | undefined {
  if (!next) return undefined;
  return new URL(next, 'http://list.invalid').searchParams.get('cursor') ?? undefined;
}

export { Problem };
