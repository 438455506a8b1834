import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { page } from '../shared/tooling/page.ts';

export default defineConfig({
  ...page(import.meta.dirname, 'console'),
  plugins: [svelte()],
});
