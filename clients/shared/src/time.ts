import { getLocale } from './i18n/locale.svelte.ts';

/** Latin digits in every language: times and numbers are read aloud over the radio. */
function tag(): string {
  return `${getLocale()}-u-nu-latn`;
}

export function number(value: number): string {
  return new Intl.NumberFormat(tag()).format(value);
}

/** Rounded down: with one person missing nothing may read 100 %. And somebody is never 0 %. */
export function percent(share: number): string {
  const whole = Math.floor(share * 100 + 1e-9) / 100;
  const format = new Intl.NumberFormat(tag(), { style: 'percent', maximumFractionDigits: 0 });
  return share > 0 && whole === 0 ? `<${format.format(0.01)}` : format.format(whole);
}

/** "14:05", or with the day where it is another day than `now`; in the zone's wall time. */
export function clock(at: string | number | Date, zone?: string, now = new Date()): string {
  const when = new Date(at);
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone });
  const sameDay = day.format(when) === day.format(now);
  return new Intl.DateTimeFormat(tag(), {
    timeZone: zone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(sameDay ? {} : { day: 'numeric', month: 'short' }),
  }).format(when);
}

/** As `clock`, with seconds. */
export function preciseClock(at: string | number | Date, zone?: string): string {
  return new Intl.DateTimeFormat(tag(), {
    timeZone: zone,
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).format(new Date(at));
}

/** As `preciseClock`, with the day where it is another day than `now`. */
export function stamp(at: string | number | Date, zone?: string, now = new Date()): string {
  const when = new Date(at);
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone });
  const time = preciseClock(when, zone);
  if (day.format(when) === day.format(now)) return time;
  const date = { timeZone: zone, day: 'numeric', month: 'short' } as const;
  return `${new Intl.DateTimeFormat(tag(), date).format(when)}, ${time}`;
}

/** "4:05", "1:04:05": a length of time that is read as it runs. */
export function counter(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor((whole % 3_600) / 60)];
  const two = (part: number) => String(part).padStart(2, '0');
  const rest = two(whole % 60);
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** "5 sec. ago", "3 min. ago": how old something is. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const format = new Intl.RelativeTimeFormat(tag(), { numeric: 'always', style: 'short' });
  for (const [unit, size] of UNITS) {
    if (whole >= size) return format.format(-Math.floor(whole / size), unit);
  }
  return format.format(-whole, 'second');
}

/** "45 s", "12 min", "1 h 5 min": a length of time. */
export function duration(seconds: number): string {
  const part = (value: number, unit: string) =>
    new Intl.NumberFormat(tag(), { style: 'unit', unit, unitDisplay: 'short' }).format(value);
  const whole = Math.round(seconds);
  if (whole < 60) return part(whole, 'second');
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return part(minutes, 'minute');
  const rest = minutes % 60;
  const hours = part(Math.floor(minutes / 60), 'hour');
  return rest ? `${hours} ${part(rest, 'minute')}` : hours;
}
