import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** `fragments: 'tree'` builds the page node by node, so that no innerHTML is in what we ship. */
export default {
  preprocess: vitePreprocess({ script: false }),
  compilerOptions: { runes: true, fragments: 'tree' },
};
