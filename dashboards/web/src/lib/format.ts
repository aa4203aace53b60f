// How figures and times read in the console. Pure; all times are UTC.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compactNumber = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const regionNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** 12,345 */
export function count(n: number): string {
  return whole.format(n);
}

/** 12.3K; exact below 10,000. */
export function compact(n: number): string {
  return Math.abs(n) < 10_000 ? whole.format(n) : compactNumber.format(n);
}

/** A figure that may be a fraction: three digits that matter, no more. */
export function figure(n: number): string {
  const size = Math.abs(n);
  if (size >= 100) return whole.format(n);
  if (size >= 10) return n.toFixed(1).replace(/\.0$/, '');
  if (size >= 0.01 || size === 0) return n.toFixed(2).replace(/\.?0+$/, '') || '0';
  return n.toPrecision(1);
}

/** Calls per second: 12.4/s, 1,240/s, 0/s. */
export function perSecond(n: number): string {
  return `${n > 0 && n < 0.01 ? '<0.01' : figure(n)}/s`;
}

/** 45 s, 2 min 10 s, 3 h 5 min, 12 d; at most two units. */
export function duration(seconds: number): string {
  const s = Math.round(Math.max(0, seconds));
  if (s < MINUTE) return `${s} s`;
  if (s < HOUR) return join(s, MINUTE, 'min', 1, 's');
  if (s < DAY) return join(s, HOUR, 'h', MINUTE, 'min');
  return join(s, DAY, 'd', HOUR, 'h');
}

function join(s: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((s % big) / small);
  const head = `${Math.floor(s / big)} ${bigName}`;
  return rest === 0 ? head : `${head} ${rest} ${smallName}`;
}

/** 340 ms, 1.2 s, 2 min. */
export function latency(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return duration(ms / 1000);
}

/** 412 B, 1.8 KB, 3.2 MB, in powers of 1,000. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let value = n / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** now, 12 s ago, 4 min ago, 3 h ago, 2 d ago. */
export function ago(then: number, now: number): string {
  const s = Math.floor((now - then) / 1000);
  if (s < 5) return 'now';
  if (s < MINUTE) return `${s} s ago`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)} min ago`;
  if (s < 2 * DAY) return `${Math.floor(s / HOUR)} h ago`;
  return `${Math.floor(s / DAY)} d ago`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function two(n: number): string {
  return String(n).padStart(2, '0');
}

/** 06:40:00 */
export function clockTime(ms: number): string {
  const d = new Date(ms);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

/** 22 Nov 06:40 */
export function dayTime(ms: number): string {
  const d = new Date(ms);
  return `${dayMonth(ms)} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
}

/** 22 Nov */
export function dayMonth(ms: number): string {
  const d = new Date(ms);
  return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()] ?? ''}`;
}

/** 22 Nov 06:40:00 */
export function dayTimeSeconds(ms: number): string {
  return `${dayMonth(ms)} ${clockTime(ms)}`;
}

/** 2026-11-22 06:40:00.123 UTC */
export function fullTime(ms: number): string {
  return `${new Date(ms).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}

/** 1e-9, 0.003, < 1e-15 */
export function pValue(p: number): string {
  if (p < 1e-15) return '< 1e-15';
  return p < 0.001 ? p.toExponential(0) : figure(p);
}

/** 93 %; what is not nothing never reads as nothing. */
export function percent(share: number): string {
  if (share > 0 && share < 0.005) return '<1 %';
  return `${Math.round(share * 100)} %`;
}

/** 71×; nothing where there is nothing to compare with. */
export function times(observed: number, expected: number): string | undefined {
  if (!(expected > 0) || !(observed > 0)) return undefined;
  const ratio = observed / expected;
  return `${ratio >= 10 ? whole.format(ratio) : ratio.toFixed(1).replace(/\.0$/, '')}×`;
}

/** tok_5gk2…q8zx: the prefix, and both ends of what follows. */
export function shortId(id: string): string {
  const cut = id.indexOf('_');
  const body = id.slice(cut + 1);
  return body.length <= 12 ? id : `${id.slice(0, cut + 1)}${body.slice(0, 4)}…${body.slice(-4)}`;
}

/** A text with every id in it cut short. */
export function shortIds(text: string): string {
  return text.replace(/\b(?:tok|fnd|inc|sil|rsp|grp)_[0-9a-z]+/g, shortId);
}

/** Germany; the code itself where it names nothing. */
export function countryName(code: string): string {
  try {
    return regionNames.of(code) ?? code;
  } catch {
    return code;
  }
}

/** first in capitals, underscores as blanks: `rate_spike` reads Rate spike. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
