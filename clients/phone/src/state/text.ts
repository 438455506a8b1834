/** A note as the server can store it: no lone halves of characters, no NUL, at most 500. */
export function cleanNote(text: string): string | undefined {
  const clean = text.replace(/[\p{Cs}\0]/gu, '').trim();
  return Array.from(clean).slice(0, 500).join('') || undefined;
}

/** Words between commas, each as the server can store it. */
export function listed(text: string, most: number, longest: number): string[] {
  const words = text
    .split(/[,;،؛，；\n]/)
    .flatMap((word) => cleanNote(word)?.slice(0, longest) ?? []);
  return [...new Set(words)].slice(0, most);
}

/** The digits of a keyboard in Arabic or Persian as those that a number is read from. */
export function western(text: string): string {
  return text.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) & 15));
}
