import { m } from '@muster/shared/i18n/messages.ts';

/** What is known of the last text to a number; that it was sent is not that it arrived. */
export function textWord(state: string, age: string): string {
  switch (state) {
    case 'delivered':
      return m.branch_text_delivered({ age });
    case 'failed':
      return m.branch_text_failed({ age });
    case 'accepted':
      return m.branch_text_sent({ age });
    case 'queued':
    case 'sending':
      return m.branch_text_waiting();
    case 'stopped':
      return m.branch_text_stopped({ age });
    default:
      return m.branch_text_unknown({ age });
  }
}
