/** Before all files of tests: the process that makes their stations; it ends with them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = resolve(import.meta.dirname, '../..');
const PYTHON = join(ROOT, '.venv/bin/python');

/** Opens the house, which `Station.start` finds by the environment; how to close it. */
export default async function open(): Promise<() => Promise<void>> {
  if (!existsSync(PYTHON)) throw new Error('No .venv: run `make setup` first.');
  const folder = mkdtempSync(join(tmpdir(), 'muster-house-'));
  const socket = join(folder, 'socket');
  const words = ['-m', 'tests.support.browser_server', socket];
  const house = spawn(PYTHON, words, { cwd: ROOT, stdio: 'pipe' });
  const ended = once(house, 'exit');
  const said = createInterface({ input: house.stdout });
  createInterface({ input: house.stderr }).on('line', (line) => {
    // of what its servers log only what went wrong; what is no log at all is a traceback
    if (!line.startsWith('{') || line.includes('"level": "error"')) console.error(line);
  });
  const ready = new Promise<void>((done) => {
    said.on('line', (line) => line === 'ready' && done()); // and reads on: its servers print too
  });
  const gone = ended.then(() => Promise.reject(new Error('The house of the tests fell.')));
  await Promise.race([ready, gone]);
  process.env['HOUSE_SOCKET'] = socket;
  return async () => {
    house.stdin.end();
    await ended;
    rmSync(folder, { recursive: true });
  };
}
