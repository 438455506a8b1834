/** Callsigns out of what somebody pasted: one a line, or between commas. Each once, in order. */
export function parseCallsigns(text: string): string[] {
  const found = text.split(/[\n,;\t]+/).map((sign) => sign.trim().replace(/\s+/g, ' '));
  return [...new Set(found.filter(Boolean))];
}
