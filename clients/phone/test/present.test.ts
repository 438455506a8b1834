import { describe, expect, test } from 'vitest';
import type { Answer, Self, SelfAlert } from '@muster/shared/api/types.ts';
import {
  currentRollCall,
  lastSaid,
  openAlerts,
  own,
  present,
  rollCalls,
} from '../src/state/present.ts';
import { cleanNote } from '../src/state/text.ts';
import type { Entry } from '../src/transport/store.ts';

const time = (minute: number) => `2026-11-23T09:${String(minute).padStart(2, '0')}:00Z`;

function call(id: string, more: Partial<SelfAlert> = {}): SelfAlert {
  return {
    id,
    kind: 'rollcall',
    severity: 'urgent',
    title: id,
    body: '',
    exercise: false,
    state: 'open',
    opened_at: time(0),
    expires_at: null,
    answer: null,
    household: [{ ref: 'CHILD', answer: null }],
    ...more,
  };
}

let seq = 0;
function entry(
  status: Answer,
  at: number,
  more: Partial<Entry['body']> = {},
  state = 'saved',
): Entry {
  return {
    seq: ++seq,
    author: 'P1',
    state: state as Entry['state'],
    body: { id: `e${seq}`, status, at: time(at), alert_id: 'A', ...more },
    ...(state === 'received' ? { event_at: time(at), received_at: time(at + 1) } : {}),
  };
}

const given = (status: Answer, at: number) => ({
  status,
  event_at: time(at),
  received_at: time(at),
});

describe('received and saved are never one', () => {
  test('what was received of who had this phone before is nobody else’s answer', () => {
    const before = [entry('safe', 5, {}, 'received'), entry('safe', 6, {}, 'refused')];
    const shown = present(call('A'), null, own(before, 'P2'));
    expect([shown.confirmed, shown.refused]).toEqual([null, [before[1]]]);
    expect(present(call('A'), null, own(before, 'P1')).confirmed?.status).toBe('safe');
  });

  test('what is only on this phone is not confirmed', () => {
    const shown = present(call('A'), null, [entry('safe', 5)]);
    expect(shown.confirmed).toBeNull();
    expect(shown.saved?.body.status).toBe('safe');
    expect(lastSaid(shown)).toBe('safe');
  });

  test('an older confirmation stays beside a newer answer that is still here', () => {
    const shown = present(call('A', { answer: given('safe', 3) }), null, [entry('need_help', 5)]);
    expect(shown.confirmed?.status).toBe('safe');
    expect(shown.saved?.body.status).toBe('need_help');
    expect(lastSaid(shown)).toBe('need_help');
  });

  test('of two confirmations the one that speaks of the later moment stands', () => {
    const mine = entry('safe', 5, {}, 'received');
    expect(present(call('A', { answer: given('away', 7) }), null, [mine]).confirmed?.status).toBe(
      'away',
    );
    expect(present(call('A', { answer: given('away', 2) }), null, [mine]).confirmed?.status).toBe(
      'safe',
    );
  });

  test('what was refused is listed, not shown as said', () => {
    const shown = present(call('A'), null, [entry('safe', 5, {}, 'refused')]);
    expect(shown.refused).toHaveLength(1);
    expect(lastSaid(shown)).toBeNull();
  });
});

describe('whose answer, to which roll call', () => {
  test('family is kept apart', () => {
    const entries = [entry('need_help', 5, { for: 'CHILD' })];
    expect(lastSaid(present(call('A'), null, entries))).toBeNull();
    expect(lastSaid(present(call('A'), 'CHILD', entries))).toBe('need_help');
  });

  test('an answer without a roll call speaks of the actual ones that were open', () => {
    const entries = [entry('safe', 5, { alert_id: undefined })];
    expect(lastSaid(present(call('A'), null, entries))).toBe('safe');
    expect(lastSaid(present(call('A', { opened_at: time(9) }), null, entries))).toBeNull();
    expect(lastSaid(present(call('A', { exercise: true }), null, entries))).toBeNull();
    expect(lastSaid(present(null, null, entries))).toBe('safe');
  });
});

describe('what is asked first', () => {
  const self = (alerts: SelfAlert[]) => ({ alerts }) as Self;
  const drill = call('drill', { exercise: true, severity: 'life_safety', opened_at: time(9) });
  const grave = call('grave', { severity: 'life_safety' });
  const notice = call('notice', { kind: 'advisory' });

  test('actual before exercise, then by severity, then the newest; only what is open', () => {
    const later = call('later', { opened_at: time(8) });
    const closed = call('closed', { state: 'closed' });
    const order = openAlerts(self([drill, call('A'), grave, later, closed])).map(({ id }) => id);
    expect(order).toEqual(['grave', 'later', 'A', 'drill']);
  });

  test('the first one without an answer, unless another was picked', () => {
    const calls = rollCalls(self([drill, call('A'), grave, notice]));
    expect(calls.map(({ id }) => id)).not.toContain('notice');
    expect(currentRollCall(calls, null, [])?.id).toBe('grave');
    const answered = [entry('safe', 5, { alert_id: 'grave' })];
    expect(currentRollCall(calls, null, answered)?.id).toBe('A');
    expect(currentRollCall(calls, 'drill', answered)?.id).toBe('drill');
    expect(currentRollCall([], null, [])).toBeNull();
  });
});

test('a note is cut to what the server stores, never in the middle of a character', () => {
  expect(cleanNote('  fine\0 \ud800 ')).toBe('fine');
  expect(cleanNote(' ')).toBeUndefined();
  expect(Array.from(cleanNote('😀'.repeat(600)) ?? '')).toHaveLength(500);
});
