// From the API's series to columns that can be drawn. Pure. Times are seconds, as uPlot wants them.
import type { BandPoint, Overview, SeriesPoint } from './api/types';
import { SEVERITIES } from './severity';

/** A column: `null` where nothing is known. */
export type Column = (number | null)[];

export function seconds(time: string): number {
  return Date.parse(time) / 1000;
}

/** At most this many steps are drawn, so that a nonsensical span cannot freeze the page; 30 days of 10 minutes fit. */
const STEPS_LIMIT = 5000;

/** The starts of the steps from `from` to `to`, aligned as `anchor` is. */
export function steps(from: number, to: number, step: number, anchor: number): number[] {
  if (!(step > 0) || !(to > from)) return [];
  const first = anchor + Math.ceil((from - anchor) / step) * step;
  const length = Math.min(STEPS_LIMIT, Math.max(0, Math.ceil((to - first) / step)));
  return Array.from({ length }, (_, index) => first + index * step);
}

/** The values of `points` at `times`; a step without a point had no calls. */
export function valuesAt<P extends { t: string }>(times: number[], points: P[], value: (point: P) => number): number[] {
  const known = new Map(points.map((point) => [seconds(point.t), value(point)]));
  return times.map((time) => known.get(time) ?? 0);
}

export interface BaselineColumns {
  times: number[];
  calls: Column;
  failures: Column;
  expected: Column;
  high: Column;
}

/**
 * Joins what was seen until `now` and what was expected on one axis of times. The step that still runs is shown only
 * once it has reached what is expected of a whole one: before, it would look like a fall.
 */
export function joinBaseline(
  points: SeriesPoint[],
  band: BandPoint[],
  step: number,
  now: number,
  span?: [number, number],
): BaselineColumns {
  const all = [...points, ...band].map((point) => seconds(point.t));
  if (all.length === 0) return { times: [], calls: [], failures: [], expected: [], high: [] };
  const first = Math.min(...all);
  const times = steps(span?.[0] ?? first, span?.[1] ?? Math.max(...all) + step, step, first);
  const bandAt = new Map(band.map((point) => [seconds(point.t), point]));
  const calls = valuesAt(times, points, (point) => point.calls);
  const seen = times.map((time, index) => {
    if (time + step <= now) return true;
    const whole = bandAt.get(time)?.expected ?? calls[index - 1] ?? 0;
    return time < now && (calls[index] ?? 0) >= whole;
  });
  const failures = valuesAt(times, points, (point) => point.failures);
  return {
    times,
    calls: calls.map((value, index) => (seen[index] === true ? value : null)),
    failures: failures.map((value, index) => (seen[index] === true ? value : null)),
    expected: times.map((time) => bandAt.get(time)?.expected ?? null),
    high: times.map((time) => bandAt.get(time)?.high ?? null),
  };
}

/** A step that runs for less than this share of its length says little about a rate. */
const RUNNING_LEAST = 0.1;

/** Calls and failures per second until `now`; the step that still runs counts for the time that it has run. */
export function callRates(overview: Overview, now: number): { times: number[]; calls: number[]; failures: number[] } {
  const { step_s: step, calls } = overview;
  const anchor = calls[0] === undefined ? 0 : seconds(calls[0].t);
  const times = steps(seconds(overview.from), Math.min(seconds(overview.to), now), step, anchor).filter(
    (time) => now - time >= step * RUNNING_LEAST,
  );
  const rate = (values: number[]): number[] =>
    values.map((value, index) => value / Math.min(step, now - (times[index] ?? 0)));
  return {
    times,
    calls: rate(valuesAt(times, calls, (point) => point.calls)),
    failures: rate(valuesAt(times, calls, (point) => point.failures)),
  };
}

/** More bars than this are too thin to read. */
const BARS_LIMIT = 48;

export interface FindingStack {
  /** The starts of the bars. */
  times: number[];
  /** Gravest first: each severity on top of the milder ones, for drawing. */
  stacked: number[][];
  /** Gravest first: the severities by themselves, for naming. */
  raw: number[][];
}

/** New findings in at most 48 bars over the range; the step still running counts too. */
export function stackedFindings(overview: Overview): FindingStack {
  const { step_s: step, findings } = overview;
  const from = Math.floor(seconds(overview.from) / step) * step;
  const width = step * Math.max(1, Math.ceil((seconds(overview.to) - from) / step / BARS_LIMIT));
  const bars = Math.max(1, Math.ceil((seconds(overview.to) - from) / width));
  const times = Array.from({ length: bars }, (_, bar) => from + bar * width);
  const raw = SEVERITIES.map(() => times.map(() => 0));
  for (const point of findings) {
    const bar = Math.max(0, Math.floor((seconds(point.t) - from) / width));
    SEVERITIES.forEach((severity, row) => {
      const counts = raw[row];
      if (counts?.[bar] !== undefined) counts[bar] += point[severity];
    });
  }
  const stacked = raw.map((_, row) => times.map((_, bar) => raw.slice(row).reduce((sum, counts) => sum + (counts[bar] ?? 0), 0)));
  return { times, stacked, raw };
}
