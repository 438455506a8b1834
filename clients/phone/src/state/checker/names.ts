/**
 * Finds a name as it is heard or read, also where it is written in another script than it is typed in.
 * Letters are brought to one form; across scripts the consonants are compared, for vowels are written
 * in many ways or not at all. What has no sounds in its letters (Chinese) is found by ref. Pure.
 */
import type { Listed } from '@muster/shared/api/types.ts';

// prettier-ignore
const CYRILLIC: Record<string, string> = {
  а: 'a', б: 'b', в: 'v', г: 'g', ґ: 'g', д: 'd', е: 'e', ё: 'e', є: 'e', ж: 'zh', з: 'z', и: 'i',
  і: 'i', ї: 'i', й: 'i', к: 'k', л: 'l', м: 'm', н: 'n', о: 'o', п: 'p', р: 'r', с: 's', т: 't',
  у: 'u', ф: 'f', х: 'kh', ц: 'ts', ч: 'ch', ш: 'sh', щ: 'sh', ъ: '', ы: 'y', ь: '', э: 'e', ю: 'iu',
  я: 'ia',
};
// prettier-ignore
const ARABIC: Record<string, string> = {
  ا: 'a', ب: 'b', ت: 't', ث: 'th', ج: 'j', ح: 'h', خ: 'kh', د: 'd', ذ: 'dh', ر: 'r', ز: 'z', س: 's',
  ش: 'sh', ص: 's', ض: 'd', ط: 't', ظ: 'z', ع: 'a', غ: 'gh', ف: 'f', ق: 'q', ك: 'k', ل: 'l', م: 'm',
  ن: 'n', ه: 'h', و: 'w', ي: 'y', ى: 'a', ة: 'a', ء: '', پ: 'p', چ: 'ch', ژ: 'zh', گ: 'g', ک: 'k',
  ی: 'y',
};
const LETTERS: Record<string, string> = { ...CYRILLIC, ...ARABIC, ß: 'ss', ø: 'o', ł: 'l', æ: 'e' };

/** Small letters without marks; Arabic without vowels, with one alef, without the article. */
export function plain(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\p{M}\u0640]/gu, '')
    .toLowerCase()
    .replace(/(^|\s)ال(?=\p{L}{2})/gu, '$1')
    .replace(/[\s\-'’.,]+/gu, ' ')
    .trim();
}

/** In Latin letters, as far as the letters have sounds. */
export function latin(text: string): string {
  return Array.from(plain(text), (letter) => LETTERS[letter] ?? letter).join('');
}

/** The consonants of a word that all ways of writing it share. */
export function sounds(word: string): string {
  const one = word
    .replace(/ph/g, 'f')
    .replace(/kh/g, 'h')
    .replace(/q|ck|c(?!h)|x/g, 'k')
    .replace(/gh/g, 'g')
    .replace(/[ts]ch|zh|sh|ch/g, 's')
    .replace(/th/g, 't')
    .replace(/dh/g, 'd')
    .replace(/v|w/g, (letter, at: number) => (letter === 'w' && at > 0 ? '' : 'v'))
    .replace(/z/g, 's');
  return one.replace(/[aeiouyh]/g, '').replace(/(.)\1+/g, '$1');
}

interface Heard {
  whole: string;
  ref: string;
  words: string[];
  sounds: string[];
}
/** of a hundred thousand names at each letter that is typed */
const heard = new WeakMap<object, Heard>();

function hear(person: Pick<Listed, 'name' | 'ref'>): Heard {
  const known = heard.get(person);
  if (known) return known;
  const words = latin(person.name).split(' ');
  const whole = plain(person.name);
  const fresh = { whole, ref: plain(person.ref), words, sounds: words.map(sounds) };
  heard.set(person, fresh);
  return fresh;
}

/** Whether every word that is sought begins a word of the name, by letters or by sound; or the ref. */
export function finds(sought: string, person: Pick<Listed, 'name' | 'ref'>): boolean {
  const wanted = plain(sought);
  if (!wanted) return true;
  const own = hear(person);
  if (own.whole.includes(wanted) || own.ref.startsWith(wanted)) return true;
  const words = latin(sought).split(' ');
  if (words.every((word) => own.words.some((other) => other.startsWith(word)))) return true;
  if (!unlike(sought, person.name)) return false;
  return words
    .map(sounds)
    .every((word) => word !== '' && own.sounds.some((other) => other.startsWith(word)));
}

/** Whether two texts are written in scripts of which at least one is not the other's. */
function unlike(one: string, other: string): boolean {
  return script(one) !== script(other);
}

function script(text: string): string {
  if (/\p{Script=Arabic}/u.test(text)) return 'arabic';
  if (/\p{Script=Cyrillic}/u.test(text)) return 'cyrillic';
  return /\p{Script=Han}/u.test(text) ? 'han' : 'latin';
}
