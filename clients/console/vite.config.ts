import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { page } from '../shared/tooling/page.ts';

const { build, ...rest } = page(import.meta.dirname, 'console');

export default defineConfig({
  ...rest,
  // a part that is fetched later comes as one file, or not at all: never without its looks
  build: { ...build, cssCodeSplit: false },
  plugins: [svelte()],
});
