import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Unreachable } from '@muster/shared/api/problem.ts';
import { Polled } from '../src/state/polled.svelte.ts';

describe('what is fetched again and again', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('stays on screen when the server is gone, and says that it is old', async () => {
    let up = true;
    const polled = new Polled(() => {
      return up ? Promise.resolve('figures') : Promise.reject(new Unreachable('gone'));
    }, 5_000);
    polled.start();
    await vi.advanceTimersByTimeAsync(6_000);
    expect([polled.data, polled.old]).toEqual(['figures', false]);
    up = false;
    await vi.advanceTimersByTimeAsync(30_000);
    expect([polled.data, polled.old]).toEqual(['figures', true]);
    up = true;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(polled.old).toBe(false);
    polled.stop();
  });

  test('a slow answer never replaces a newer one', async () => {
    const answers: ((value: string) => void)[] = [];
    const polled = new Polled(() => new Promise<string>((done) => answers.push(done)), 60_000);
    const first = polled.load();
    const second = polled.load();
    answers[1]!('new');
    answers[0]!('old');
    await Promise.all([first, second]);
    expect(polled.data).toBe('new');
  });
});
