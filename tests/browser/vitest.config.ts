import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // a busy machine may be late for a page once; twice is a fault. A retried test is named as such
    retry: 1,
    dir: import.meta.dirname,
    include: ['**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 15_000, interval: 100 } },
  },
});
