/**
 * The language of the screen. Reading it inside a component makes the component follow a change:
 * every message function asks `getLocale`, which reads reactive state.
 */
import { isLocale, locales, overwriteGetLocale } from './generated/runtime.js';

export type Locale = (typeof locales)[number];
export { locales };

/** Each language in its own script. */
export const NAMES: Record<Locale, string> = {
  en: 'English',
  fr: 'Français',
  es: 'Español',
  ar: 'العربية',
  ru: 'Русский',
  zh: '中文',
};

const KEY = 'muster-language';
let current = $state<Locale>('en');
overwriteGetLocale(() => current);

export function getLocale(): Locale {
  return current;
}

export function direction(locale: Locale = current): 'ltr' | 'rtl' {
  return locale === 'ar' ? 'rtl' : 'ltr';
}

/** Sets the language for this page without keeping it. */
export function showLocale(locale: Locale): void {
  current = locale;
  if (typeof document === 'undefined') return;
  document.documentElement.lang = locale;
  document.documentElement.dir = direction(locale);
}

/** The user's own choice: kept on this device. */
export function chooseLocale(locale: Locale): void {
  showLocale(locale);
  try {
    localStorage.setItem(KEY, locale);
  } catch {
    // storage may be forbidden; the choice then lasts as long as the page
  }
}

/** What the user chose before, else the first known of `wanted` (a profile's, the browser's). */
export function startLocale(wanted: readonly (string | null | undefined)[]): void {
  showLocale(chosen() ?? firstKnown(wanted) ?? 'en');
}

export function chosen(): Locale | null {
  try {
    return firstKnown([localStorage.getItem(KEY)]);
  } catch {
    return null;
  }
}

export function firstKnown(tags: readonly (string | null | undefined)[]): Locale | null {
  for (const tag of tags) {
    const base = tag?.toLowerCase().split('-')[0];
    if (isLocale(base)) return base;
  }
  return null;
}
