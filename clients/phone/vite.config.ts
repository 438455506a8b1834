import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { page } from '../shared/tooling/page.ts';
import { serviceWorker } from './tooling/service-worker.ts';

export default defineConfig({
  ...page(import.meta.dirname, 'phone'),
  plugins: [svelte(), serviceWorker()],
});
