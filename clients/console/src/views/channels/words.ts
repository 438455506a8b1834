import type { Alarm } from '@muster/shared/api/types.ts';
import { getLocale } from '@muster/shared/i18n/locale.svelte.ts';
import { m } from '@muster/shared/i18n/messages.ts';

export const ALARMS: Record<Alarm['kind'], () => string> = {
  worker: m.alarm_worker,
  route: m.alarm_route,
  receipts: m.alarm_receipts,
  phones: m.alarm_phones,
};

const CHANNELS: Record<string, () => string> = {
  fcm: m.channel_fcm,
  webpush: m.channel_webpush,
  sms: m.channel_sms,
  email: m.reach_email,
  duty: m.desk_own,
};

const HELD: Record<string, () => string> = {
  gate: m.held_gate,
  circuit: m.held_circuit,
  cap: m.held_cap,
  rate: m.held_rate,
};

export const channelWord = (channel: string): string => CHANNELS[channel]?.() ?? channel;
export const heldWord = (why: string | null): string => HELD[why ?? '']?.() ?? why ?? '';

/** An amount in millionths of a currency. */
export function money(micro: number, currency: string): string {
  const format = new Intl.NumberFormat(`${getLocale()}-u-nu-latn`, {
    style: 'currency',
    currency,
    maximumFractionDigits: 2,
  });
  return format.format(micro / 1_000_000);
}
