/** Fetches the document a real server serves and keeps it as openapi.json. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import openHouse from '../../../tests/browser/house.ts';
import { Station } from '../../../tests/browser/station.ts';

const closeHouse = await openHouse();
const station = await Station.start();
try {
  const served = (await (await fetch(`${station.url}/v1/openapi.json`)).json()) as object;
  // the address differs from server to server
  const text = JSON.stringify({ ...served, servers: undefined }, null, 1);
  writeFileSync(resolve(import.meta.dirname, '../openapi.json'), `${text}\n`);
} finally {
  await station.end();
  await closeHouse();
}
