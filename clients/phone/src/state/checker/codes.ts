/** A person's signed code, read without a network. The layout is that of server.relocation.codes.rules. */
import type { CodeKey } from '@muster/shared/api/types.ts';

export type Keys = ReadonlyMap<number, CryptoKey>;

/**
 * What a text is. signed: one of these keys signed it. unchecked: it has the form of a code, of a key
 * that this phone does not have, or that it cannot check. foreign: anything else, and what is forged.
 */
export type Said =
  { kind: 'signed' | 'unchecked'; handle: string; counter: number } | { kind: 'foreign' };

const FOREIGN: Said = { kind: 'foreign' };
const PREFIX = 'M:';
const LENGTH = 116;
const VERSION = 1;
const PAYLOAD = 12;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
const DOMAIN = new TextEncoder().encode('muster person code\0');
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const HASHED = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** The operation's public keys; one that cannot be read here is left out, and checks nothing. */
export async function loadKeys(keys: readonly CodeKey[]): Promise<Keys> {
  const subtle = globalThis.crypto?.subtle;
  const found = new Map<number, CryptoKey>();
  if (!subtle) return found;
  for (const { id, public: point } of keys) {
    const raw = fromBase64Url(point);
    const key = await subtle.importKey('raw', raw, CURVE, false, ['verify']).catch(() => null);
    if (key) found.set(id, key);
  }
  return found;
}

export async function readCode(text: string, keys: Keys): Promise<Said> {
  const raw = rawOf(text);
  if (!raw || raw[0] !== VERSION) return FOREIGN;
  const payload = raw.subarray(0, PAYLOAD);
  const handle = toBase64Url(payload.subarray(2, 10));
  const counter = payload[10]! * 256 + payload[11]!;
  const key = keys.get(payload[1]!);
  if (!key) return { kind: 'unchecked', handle, counter };
  const signed = new Uint8Array([...DOMAIN, ...payload]);
  const genuine = await crypto.subtle.verify(HASHED, key, raw.slice(PAYLOAD), signed);
  return genuine ? { kind: 'signed', handle, counter } : FOREIGN;
}

/** A code as somebody types it: letters of either size, and line breaks of a paper. */
export function typed(text: string): string {
  return text.replace(/[\r\n\t]/g, '').toUpperCase();
}

function rawOf(code: string): Uint8Array<ArrayBuffer> | null {
  if (code.length !== LENGTH || !code.startsWith(PREFIX)) return null;
  return unbase45(code.slice(PREFIX.length));
}

/** The bytes of whole groups of three (RFC 9285); null for a text that is none. */
export function unbase45(text: string): Uint8Array<ArrayBuffer> | null {
  const bytes = new Uint8Array((text.length / 3) * 2);
  for (let n = 0; n < text.length; n += 3) {
    const [a, b, c] = Array.from(text.slice(n, n + 3), (letter) => ALPHABET.indexOf(letter));
    if (a === undefined || b === undefined || c === undefined || Math.min(a, b, c) < 0) return null;
    const value = a + 45 * b + 2025 * c;
    if (value > 0xffff) return null;
    bytes.set([value >> 8, value & 0xff], (n / 3) * 2);
  }
  return bytes;
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function toBase64Url(bytes: Uint8Array): string {
  const plain = btoa(String.fromCharCode(...bytes));
  return plain.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
