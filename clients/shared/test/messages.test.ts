import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

type Message = string | [{ declarations: string[]; match: Record<string, string> }];
const clients = resolve(import.meta.dirname, '../..');
const folder = join(clients, 'shared/messages');
const LOCALES = ['en', 'fr', 'es', 'ar', 'ru', 'zh'];
const FILES = [
  'common',
  'phone',
  'phone-panic',
  'phone-watch',
  'phone-check',
  'phone-move',
  'console',
  'compose',
  'tree',
  'warden',
  'desk',
  'health',
  'panicdesk',
  'watchdesk',
  'movement',
  'moveplan',
];
const PLURALS: Record<string, string[]> = {
  en: ['one'],
  fr: ['one'],
  es: ['one'],
  ar: ['one', 'two', 'few'],
  ru: ['one', 'few'],
  zh: [],
};

function read(locale: string, file: string): Record<string, Message> {
  return JSON.parse(readFileSync(join(folder, locale, `${file}.json`), 'utf8'));
}

function parameters(message: Message): string[] {
  const texts = typeof message === 'string' ? [message] : Object.values(message[0].match);
  const names = texts.flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]!));
  return [...new Set(names)].sort();
}

function sources(): string {
  return readdirSync(clients, { recursive: true, encoding: 'utf8' })
    .filter((path) => /^\w+\/src\/.*\.(svelte|ts)$/.test(path) && !path.includes('generated'))
    .map((path) => readFileSync(join(clients, path), 'utf8'))
    .join('\n');
}

test.each(FILES)('%s: every language says the same things', (file) => {
  const english = read('en', file);
  for (const locale of LOCALES) {
    const other = read(locale, file);
    expect(Object.keys(other), locale).toEqual(Object.keys(english));
    for (const [key, message] of Object.entries(english)) {
      if (typeof message === 'string')
        expect([key, parameters(other[key]!)], locale).toEqual([key, parameters(message)]);
    }
  }
});

test.each(LOCALES)('%s: every plural has its forms and a form for the rest', (locale) => {
  for (const message of FILES.flatMap((file) => Object.values(read(locale, file)))) {
    if (typeof message === 'string') continue;
    const forms = Object.keys(message[0].match);
    for (const form of PLURALS[locale]!) expect(forms).toContain(`form=${form}`);
    expect(forms).toContain('form=*');
  }
});

test('no two files name a message alike: the later one would take its place', () => {
  const keys = FILES.flatMap((file) => Object.keys(read('en', file)));
  expect(keys.filter((key, n) => keys.indexOf(key) !== n)).toEqual([]);
});

test('no message is left unused', () => {
  const code = sources();
  const keys = FILES.flatMap((file) => Object.keys(read('en', file)));
  expect(keys.filter((key) => !new RegExp(`\\bm\\.${key}\\b`).test(code))).toEqual([]);
});
