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

/** Every step from `from` to `to`, aligned as the first point is. Steps that are not over by `to` are left out. */
export function steps(from: number, to: number, step: number, anchor: number): number[] {
  if (!(step > 0) || !(to > from)) return [];
  const first = anchor + Math.ceil((from - anchor) / step) * step;
  const length = Math.min(STEPS_LIMIT, Math.max(0, Math.floor((to - first) / step)));
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

/** Joins what was seen and what was expected on one axis of times. */
export function joinBaseline(points: SeriesPoint[], band: BandPoint[], step: number, span?: [number, number]): BaselineColumns {
  const all = [...points, ...band].map((point) => seconds(point.t));
  if (all.length === 0) return { times: [], calls: [], failures: [], expected: [], high: [] };
  const from = span?.[0] ?? Math.min(...all);
  const to = span?.[1] ?? Math.max(...all) + step;
  const times = steps(from, to, step, Math.min(...all));
  const bandAt = new Map(band.map((point) => [seconds(point.t), point]));
  return {
    times,
    calls: valuesAt(times, points, (point) => point.calls),
    failures: valuesAt(times, points, (point) => point.failures),
    expected: times.map((time) => bandAt.get(time)?.expected ?? null),
    high: times.map((time) => bandAt.get(time)?.high ?? null),
  };
}

/** Calls and failures per second of the overview. */
export function callRates(overview: Overview): { times: number[]; calls: number[]; failures: number[] } {
  const { step_s: step } = overview;
  const times = overviewTimes(overview, overview.calls);
  return {
    times,
    calls: valuesAt(times, overview.calls, (point) => point.calls / step),
    failures: valuesAt(times, overview.calls, (point) => point.failures / step),
  };
}

function overviewTimes(overview: Overview, points: { t: string }[]): number[] {
  const anchor = points[0] === undefined ? 0 : seconds(points[0].t);
  return steps(seconds(overview.from) - overview.step_s, seconds(overview.to), overview.step_s, anchor);
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
