import { resolve } from 'node:path';
import type { UserConfig } from 'vite';

/** How both pages are built: served under /NAME/, hashed names, nothing inline. */
export function page(root: string, name: 'phone' | 'console'): UserConfig {
  return {
    root,
    base: `/${name}/`,
    build: {
      outDir: resolve(root, '../../server/static', name),
      emptyOutDir: true,
      // phones are old; what Svelte itself needs is the floor
      target: ['chrome87', 'firefox78', 'safari14'],
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
    server: { proxy: { '/v1': process.env.MUSTER_DEV_API ?? 'http://127.0.0.1:8000' } },
  };
}
