/** What happens outside, said to the real server by phones and desks without a page. */
import type { Station } from './station.ts';

interface Placed {
  lat: number;
  lon: number;
  accuracy?: number;
}

export interface Phone {
  ref: string;
  name: string;
  token: string;
}

async function say<T>(
  station: Station,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const answer = await fetch(`${station.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
  return (text ? JSON.parse(text) : null) as T;
}

/** Something the duty officer's own program says or asks. */
export function asked<T>(
  station: Station,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  return say(station, station.token, method, path, body);
}

/** One more colleague with a phone. */
export async function phoneOf(station: Station): Promise<Phone> {
  const { ref, link } = station.enrol();
  const code = new URLSearchParams(new URL(link).hash.slice(1)).get('enrol');
  const wish = { id: crypto.randomUUID(), code, platform: 'sim' };
  const made = await say<{ token: string }>(station, '', 'POST', '/v1/devices', wish);
  const { name } = await asked<{ name: string }>(station, 'GET', `/v1/people/${ref}`);
  return { ref, name, token: made.token };
}

/** She presses; the panic's id. */
export async function press(
  station: Station,
  phone: Phone,
  more: { covert?: boolean; location?: Placed; battery?: number } = {},
): Promise<string> {
  const body = { id: crypto.randomUUID(), at: new Date().toISOString(), ...more };
  const done = await say<{ panic_id: string }>(station, phone.token, 'POST', '/v1/panics', body);
  return done.panic_id;
}

export function setPins(station: Station, phone: Phone, pin: string, duress: string) {
  const body = { pin, duress_pin: duress };
  return say(station, phone.token, 'PUT', '/v1/self/pin', body);
}

export function takeBack(station: Station, phone: Phone, panic: string, pin: string) {
  return say(station, phone.token, 'POST', `/v1/panics/${panic}/cancel`, { pin });
}

export function moveTo(station: Station, phone: Phone, panic: string, places: Placed[]) {
  const at = new Date().toISOString();
  const items = places.map((place) => ({ id: crypto.randomUUID(), at, ...place }));
  return say(station, phone.token, 'POST', `/v1/panics/${panic}/positions`, { items });
}

/** Anything else her phone says. */
export function said(
  station: Station,
  phone: Phone,
  method: string,
  path: string,
  body: object,
): Promise<unknown> {
  return say(station, phone.token, method, path, body);
}
