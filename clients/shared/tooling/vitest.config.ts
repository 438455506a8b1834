import { svelte } from '@sveltejs/vite-plugin-svelte';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: resolve(import.meta.dirname, '../../..'),
  plugins: [svelte({ configFile: 'clients/shared/tooling/svelte.js' })],
  resolve: { conditions: ['browser'] },
  test: { include: ['clients/*/test/**/*.test.ts'] },
});
