/** Where in the movements somebody is, as the address says it: #/movements/<id>/<tab>?filters. Pure. */

export const MOVEMENT_TABS = ['board', 'people', 'conflicts', 'vehicles', 'plan', 'close'] as const;
export type MovementTab = (typeof MOVEMENT_TABS)[number];

export interface MovementRoute {
  /** null: the list alone; `new`: one is being made */
  id: string | null;
  tab: MovementTab;
  /** what a list is narrowed to, by the API's own names */
  filters: Readonly<Record<string, string>>;
}

const ROOT = '#/movements';

/** null: the address is not of movements. */
export function readRoute(hash: string): MovementRoute | null {
  const [path, query] = hash.split('?', 2) as [string, string | undefined];
  if (path !== ROOT && !path.startsWith(`${ROOT}/`)) return null;
  const [id, tab] = path.slice(ROOT.length + 1).split('/');
  return {
    id: id ? decode(id) : null,
    tab: MOVEMENT_TABS.find((name) => name === tab) ?? 'board',
    filters: Object.fromEntries(new URLSearchParams(query)),
  };
}

export function hashOf(
  id: string | null = null,
  tab: MovementTab = 'board',
  filters: Readonly<Record<string, string>> = {},
): string {
  if (id === null) return ROOT;
  const query = new URLSearchParams(filters).toString();
  return `${ROOT}/${encodeURIComponent(id)}/${tab}${query ? `?${query}` : ''}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
