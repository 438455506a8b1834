import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // a busy machine may be late for a page once; twice is a fault. A retried test is named as such
    retry: 1,
    dir: import.meta.dirname,
    include: ['**/*.test.ts'],
    globalSetup: `${import.meta.dirname}/house.ts`,
    setupFiles: `${import.meta.dirname}/after.ts`,
    maxWorkers: 2,
    // no bound decides a test: what comes late on a busy machine is late, not wrong
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000, interval: 100 } },
  },
});
