/** The text that says it without a network, in the form docs/texts.md describes. */
import type { Answer, Device, Place } from '@muster/shared/api/types.ts';
import type { Lanes } from './lanes.ts';

export type Letter = 'S' | 'H' | 'A' | 'P';
export const LETTERS: Record<Answer, Letter> = { safe: 'S', need_help: 'H', away: 'A' };
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const MINUTE_MS = 60_000;

/**
 * The ready text, signed with this phone's key under a counter of its own. Where the browser has no
 * cryptography (no secure context) it is the bare word, which is understood and shown unverified.
 */
export async function readyText(
  lanes: Lanes,
  sms: Device['sms'],
  letter: Letter,
  at: Date,
  place?: Pick<Place, 'lat' | 'lon'> | null,
): Promise<string> {
  if (!globalThis.crypto?.subtle) return { S: 'SAFE', H: 'HELP', A: 'AWAY', P: 'HELP' }[letter];
  // seconds, so that a phone that has lost its storage does not count anew
  const counter = await lanes.next('counter', Math.floor(Date.now() / 1_000));
  const where = place ? `${degrees(place.lat)},${degrees(place.lon)}` : '';
  return signedText(sms, counter, at, letter, where);
}

export async function signedText(
  { id5, key }: Pick<Device['sms'], 'id5' | 'key'>,
  counter: number,
  at: Date,
  letter: Letter,
  where = '',
): Promise<string> {
  const minutes = Math.floor(at.getTime() / MINUTE_MS)
    .toString(36)
    .toUpperCase();
  const head = `M1 ${id5} ${counter} ${minutes} ${letter}`;
  const mac = await macOf(key, `${head} ${where}`.trimEnd());
  return `${head} ${mac} ${where}`.trimEnd();
}

/** HMAC-SHA256, its first 40 bits as eight letters of base 32. */
async function macOf(key: string, said: string): Promise<string> {
  const kind = { name: 'HMAC', hash: 'SHA-256' };
  const secret = await crypto.subtle.importKey('raw', fromBase64Url(key), kind, false, ['sign']);
  const whole = await crypto.subtle.sign('HMAC', secret, new TextEncoder().encode(said));
  let bits = 0n;
  for (const byte of new Uint8Array(whole.slice(0, 5))) bits = (bits << 8n) | BigInt(byte);
  let text = '';
  for (let shift = 35n; shift >= 0n; shift -= 5n) text += BASE32[Number((bits >> shift) & 31n)];
  return text;
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

function degrees(value: number): string {
  return value.toFixed(5);
}

/** What opens the phone's own messages with number and text filled in; its owner must send it. */
export function smsLink(number: string, text: string, agent = navigator.userAgent): string {
  const apple = /iPad|iPhone|iPod|Macintosh/.test(agent);
  return `sms:${number}${apple ? '&' : '?'}body=${encodeURIComponent(text)}`;
}
