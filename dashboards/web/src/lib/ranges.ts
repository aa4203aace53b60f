// Ranges of time that people pick, and the times they mean. Pure.
import type { Range } from './api/types';

export const RANGES: readonly Range[] = ['1h', '6h', '24h', '7d', '30d'];

export const RANGE_SECONDS: Record<Range, number> = {
  '1h': 3600,
  '6h': 21_600,
  '24h': 86_400,
  '7d': 604_800,
  '30d': 2_592_000,
};

export const RANGE_NAMES: Record<Range, string> = {
  '1h': 'Last hour',
  '6h': 'Last 6 hours',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
};

/** The range that `text` names, else `fallback`. */
export function rangeOf(text: string | null, fallback: Range): Range {
  return RANGES.find((range) => range === text) ?? fallback;
}

/** From and to of a range that ends at `now`, as the API wants them. */
export function span(range: Range, now: number): { from: string; to: string } {
  return {
    from: new Date(now - RANGE_SECONDS[range] * 1000).toISOString(),
    to: new Date(now).toISOString(),
  };
}
