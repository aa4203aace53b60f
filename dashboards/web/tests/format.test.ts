import { describe, expect, test } from 'vitest';

import * as format from '../src/lib/format';

describe('durations', () => {
  test.each([
    [0, '0 s'],
    [45, '45 s'],
    [60, '1 min'],
    [130, '2 min 10 s'],
    [3600 * 3 + 300, '3 h 5 min'],
    [86_400 * 12, '12 d'],
    [-5, '0 s'],
  ])('%d seconds read %s', (seconds, text) => expect(format.duration(seconds)).toBe(text));
});

describe('figures', () => {
  test.each([
    [0, '0'],
    [0.004, '0.004'],
    [0.25, '0.25'],
    [2.5, '2.5'],
    [10, '10'],
    [61.04, '61'],
    [4312, '4,312'],
  ])('%d reads %s', (value, text) => expect(format.figure(value)).toBe(text));

  test('large counts are shortened, small ones are exact', () => {
    expect(format.compact(9_999)).toBe('9,999');
    expect(format.compact(12_345)).toBe('12.3K');
  });

  test('a rate that is not nothing never reads as nothing', () => {
    expect(format.perSecond(0.0001)).toBe('<0.01/s');
    expect(format.perSecond(0)).toBe('0/s');
    expect(format.percent(0.001)).toBe('<1 %');
    expect(format.percent(0)).toBe('0 %');
  });

  test('a ratio needs something to compare with', () => {
    expect(format.times(4312, 61)).toBe('71×');
    expect(format.times(14, 0)).toBeUndefined();
    expect(format.times(3, 2)).toBe('1.5×');
  });

  test('p-values below what a double tells apart are bounded', () => {
    expect(format.pValue(0)).toBe('< 1e-15');
    expect(format.pValue(1e-9)).toBe('1e-9');
    expect(format.pValue(0.03)).toBe('0.03');
  });
});

describe('times', () => {
  const now = Date.parse('2026-11-22T06:40:00.123Z');

  test.each([
    [2_000, 'now'],
    [12_000, '12 s ago'],
    [240_000, '4 min ago'],
    [3 * 3_600_000, '3 h ago'],
    [50 * 3_600_000, '2 d ago'],
    [-9_000, 'now'],
  ])('%d ms earlier is %s', (age, text) => expect(format.ago(now - age, now)).toBe(text));

  test('times are told in UTC', () => {
    expect(format.fullTime(now)).toBe('2026-11-22 06:40:00.123 UTC');
    expect(format.dayTimeSeconds(now)).toBe('22 Nov 06:40:00');
  });
});

test('ids keep their prefix and both ends', () => {
  expect(format.shortId('tok_0123456789abcdefghjkmnpqrs')).toBe('tok_0123…pqrs');
  expect(format.shortId('203.0.113.7')).toBe('203.0.113.7');
});

test('a code that names no country stays a code', () => {
  expect(format.countryName('DE')).toBe('Germany');
  expect(format.countryName('?')).toBe('?');
});
