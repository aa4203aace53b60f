import { describe, expect, test } from 'vitest';

import type { Overview } from '../src/lib/api/types';
import { callRates, joinBaseline, seconds, stackedFindings } from '../src/lib/series';

const T0 = '2026-11-22T06:00:00.000Z';
const T1 = '2026-11-22T06:01:00.000Z';
const T3 = '2026-11-22T06:03:00.000Z';
const none = { info: 0, low: 0, medium: 0, high: 0, critical: 0 };

const LATER = seconds(T3) + 3600;

describe('baseline', () => {
  const points = [
    { t: T0, calls: 5, failures: 1 },
    { t: T3, calls: 7, failures: 0 },
  ];

  test('a step without a point had no calls', () => {
    const joined = joinBaseline(points, [], 60, LATER);
    expect(joined.times.length).toBe(4);
    expect(joined.calls).toEqual([5, 0, 0, 7]);
  });

  test('where nothing is expected, the band is unknown instead of zero', () => {
    const joined = joinBaseline(points, [{ t: T1, expected: 2, high: 6 }], 60, LATER);
    expect(joined.high).toEqual([null, 6, null, null]);
  });

  test('a span that is asked for is filled', () => {
    const joined = joinBaseline(points, [], 60, LATER, [seconds(T0) - 120, seconds(T3) + 60]);
    expect(joined.calls).toEqual([0, 0, 5, 0, 0, 7]);
  });

  test('what has not happened yet is unknown, and still expected', () => {
    const band = [{ t: T3, expected: 2, high: 6 }];
    const joined = joinBaseline(points.slice(0, 1), band, 60, seconds(T1) + 60);
    expect(joined.calls).toEqual([5, 0, null, null]);
    expect(joined.expected.at(-1)).toBe(2);
  });

  test('the running step is shown once it reaches what is expected of a whole one', () => {
    const running = (expected: number) =>
      joinBaseline(points, [{ t: T3, expected, high: 20 }], 60, seconds(T3) + 30).calls.at(-1);
    expect(running(7)).toBe(7);
    expect(running(8)).toBeNull();
  });

  test('nothing at all is nothing to draw', () => expect(joinBaseline([], [], 60, LATER).times).toEqual([]));

  test('a step of zero draws nothing instead of hanging', () => {
    expect(joinBaseline(points, [], 0, LATER).times).toEqual([]);
  });
});

function overview(change: Partial<Overview>): Overview {
  return {
    from: T0,
    to: '2026-11-22T06:04:30.000Z',
    step_s: 60,
    calls: [],
    totals: { calls: 0, failures: 0, tokens_active: 0, findings_open: none },
    findings: [],
    top_findings: [],
    detectors: [],
    ...change,
  };
}

describe('overview', () => {
  const calls = [
    { t: T0, calls: 60, failures: 30, denied: 0 },
    { t: '2026-11-22T06:04:00.000Z', calls: 60, failures: 0, denied: 0 },
  ];

  test('the step that still runs counts for the time that it has run', () => {
    const rates = callRates(overview({ calls, to: '2026-11-22T06:05:00.000Z' }), seconds(T0) + 270);
    expect(rates.times.length).toBe(5);
    expect(rates.calls).toEqual([1, 0, 0, 0, 2]);
    expect(rates.failures[0]).toBe(0.5);
  });

  test('a step that has hardly begun says nothing', () => {
    expect(callRates(overview({ calls }), seconds(T0) + 241).times.length).toBe(4);
  });

  test('severities stack, gravest on top, and the running step counts', () => {
    const findings = [{ t: '2026-11-22T06:04:00.000Z', ...none, low: 2, critical: 1 }];
    const stack = stackedFindings(overview({ findings }));
    expect(stack.stacked.map((column) => column.at(-1))).toEqual([3, 2, 2, 2, 0]);
    expect(stack.raw.map((column) => column.at(-1))).toEqual([1, 0, 0, 2, 0]);
  });

  test('many steps become at most 48 bars that lose no finding', () => {
    const from = seconds(T0);
    const findings = Array.from({ length: 300 }, (_, step) => ({
      t: new Date((from + step * 60) * 1000).toISOString(),
      ...none,
      high: 1,
    }));
    const stack = stackedFindings(overview({ findings, to: new Date((from + 300 * 60) * 1000).toISOString() }));
    expect(stack.times.length).toBeLessThanOrEqual(48);
    expect(stack.raw[1]?.reduce((sum, n) => sum + n, 0)).toBe(300);
  });
});
