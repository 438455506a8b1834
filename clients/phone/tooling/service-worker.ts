import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build, type Plugin } from 'vite';

/** After the app is built, builds its service worker with the list of the files it must hold. */
export function serviceWorker(): Plugin {
  let root = '';
  let outDir = '';
  return {
    name: 'muster-service-worker',
    apply: 'build',
    configResolved(config) {
      root = config.root;
      outDir = config.build.outDir;
    },
    async closeBundle() {
      await build({
        configFile: false,
        root,
        publicDir: false,
        logLevel: 'warn',
        plugins: (await import('@sveltejs/vite-plugin-svelte')).svelte(),
        define: { SHELL: JSON.stringify(shell(outDir)) },
        build: {
          outDir,
          emptyOutDir: false,
          target: ['chrome87', 'firefox78', 'safari14'],
          rolldownOptions: {
            input: join(root, 'src/worker/sw.ts'),
            output: { format: 'iife', entryFileNames: 'sw.js' },
          },
        },
      });
    },
  };
}

function shell(outDir: string): { version: string; files: string[] } {
  const hash = createHash('sha256');
  const files = readdirSync(outDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'sw.js')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) hash.update(file.slice(outDir.length)).update(readFileSync(file));
  const addresses = files.map((file) => `/phone/${relative(outDir, file).replaceAll('\\', '/')}`);
  return {
    version: hash.digest('hex').slice(0, 12),
    files: addresses.map((address) => address.replace(/\/index\.html$/, '/')),
  };
}
