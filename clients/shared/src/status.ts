import type { Answer, Status } from './api/types.ts';
import { m } from './i18n/messages.ts';

/** The order in which a duty officer must see them. */
export const STATUSES: readonly Status[] = ['need_help', 'unaccounted', 'away', 'safe'];
export const ANSWERS: readonly Answer[] = ['safe', 'need_help', 'away'];

export function statusWord(status: Status): string {
  switch (status) {
    case 'safe':
      return m.status_safe();
    case 'need_help':
      return m.status_need_help();
    case 'away':
      return m.status_away();
    case 'unaccounted':
      return m.status_unaccounted();
  }
}
