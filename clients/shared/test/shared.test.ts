import { afterEach, describe, expect, test, vi } from 'vitest';
import { createApi, cursorOf, read, readAll } from '../src/api/client.ts';
import { Problem, Unreachable } from '../src/api/problem.ts';
import { firstKnown, showLocale } from '../src/i18n/locale.svelte.ts';
import { uuid } from '../src/ids.ts';
import { age, clock, duration } from '../src/time.ts';

const PROBLEM = { status: 409, code: 'conflict', detail: 'Other body.', retryable: false };

function answering(body: string, status = 200, type = 'application/json') {
  const fetch = async () => new Response(body, { status, headers: { 'content-type': type } });
  return createApi({ baseUrl: 'http://muster.test', fetch });
}

async function failure(body: string, status: number, type?: string): Promise<unknown> {
  return read(answering(body, status, type).GET('/v1/config')).catch((thrown: unknown) => thrown);
}

describe('answers', () => {
  test('a problem of our server keeps its code and whether to retry', async () => {
    const thrown = await failure(JSON.stringify(PROBLEM), 409, 'application/problem+json');
    expect(thrown).toBeInstanceOf(Problem);
    expect(thrown).toMatchObject({ status: 409, code: 'conflict', retryable: false });
  });

  test('what a captive portal or a proxy says is no answer of ours', async () => {
    expect(await failure('<html>Sign in to Wi-Fi</html>', 200, 'text/html')).toBeInstanceOf(
      Unreachable,
    );
    expect(await failure('<html>Forbidden</html>', 403, 'text/html')).toBeInstanceOf(Unreachable);
    expect(await failure('{"error":"no"}', 404)).toBeInstanceOf(Unreachable);
  });

  test('a server that does not answer is given up on', async () => {
    const fetch = (request: Request) =>
      new Promise<Response>((_resolve, reject) =>
        request.signal.addEventListener('abort', () => reject(new Error('aborted'))),
      );
    const api = createApi({ baseUrl: 'http://muster.test', fetch, timeoutMs: 20 });
    await expect(read(api.GET('/v1/config'))).rejects.toBeInstanceOf(Unreachable);
  });

  test('lists are followed to their end', async () => {
    expect(cursorOf('/v1/areas?limit=2&cursor=a%2Bb')).toBe('a+b');
    const pages: Record<string, { items: number[]; next: string | null }> = {
      first: { items: [1, 2], next: '/v1/x?cursor=second' },
      second: { items: [3], next: null },
    };
    expect(await readAll(async (cursor) => pages[cursor ?? 'first']!)).toEqual([1, 2, 3]);
  });
});

describe('words for times', () => {
  afterEach(() => showLocale('en'));

  test('ages and durations', () => {
    expect(age(4.9)).toBe('4 sec. ago');
    expect(age(125)).toBe('2 min. ago');
    expect(duration(42)).toBe('42 sec');
    expect(duration(3_900)).toBe('1 hr 5 min');
  });

  test('digits stay Latin in Arabic: they are read over the radio', () => {
    showLocale('ar');
    const at = '2026-11-23T11:05:00Z';
    expect(clock(at, 'Africa/Nairobi', new Date(at))).toBe('14:05');
    expect(age(5)).toMatch(/5/);
  });

  test('another day is named', () => {
    const now = new Date('2026-11-24T09:00:00Z');
    expect(clock('2026-11-23T11:05:00Z', 'UTC', now)).toMatch(/23/);
  });
});

test('languages are matched by their base', () => {
  expect(firstKnown(['de', 'fr-CA', 'es'])).toBe('fr');
  expect(firstKnown([null, 'xx'])).toBeNull();
});

test('ids are version 4 UUIDs, with and without randomUUID', () => {
  const version4 = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
  expect(uuid()).toMatch(version4);
  vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
  expect(uuid()).toMatch(version4);
  vi.unstubAllGlobals();
});
