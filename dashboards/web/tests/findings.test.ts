import { describe, expect, test } from 'vitest';

import { filterOf, matches, replaceVersion, topOf, withTop } from '../src/lib/findings';
import { finding } from './finding';

const filter = (query: string) => filterOf(new URLSearchParams(query));

describe('filters', () => {
  test('without any, everything belongs', () => expect(matches(finding(), filter(''))).toBe(true));

  test.each([
    ['severity=high,medium', true],
    ['severity=high', false],
    ['detector=rate_spike', true],
    ['detector=new_geography', false],
    ['status=closed', false],
    ['token=tok_a', true],
    ['token=tok_b', false],
    ['consumer=other', false],
    ['q=ACME', true],
    ['q=globex', false],
    ['severity=medium&q=globex', false],
  ])('%s: %s', (query, belongs) => expect(matches(finding(), filter(query))).toBe(belongs));

  test('an unknown order is the usual one', () => {
    expect(filter('sort=colour').sort).toBe('-detected_at');
    expect(filter('sort=-severity').sort).toBe('-severity');
  });
});

describe('live updates', () => {
  test('a newer version takes the place of the older one', () => {
    const list = [finding({ id: 'fnd_b' }), finding()];
    const next = replaceVersion(list, finding({ revision: 2, event_count: 99 }));
    expect(next?.map((known) => [known.id, known.event_count])).toEqual([
      ['fnd_b', 10],
      ['fnd_a', 99],
    ]);
  });

  test('an older version that arrives late changes nothing', () => {
    const list = [finding({ revision: 3 })];
    expect(replaceVersion(list, finding({ revision: 2 }))).toBe(list);
  });

  test('an unknown finding is nobody’s newer version', () => {
    expect(replaceVersion([finding()], finding({ id: 'fnd_c' }))).toBeUndefined();
  });

  test('the top list puts open before closed, then the gravest, then the newest', () => {
    const list = [
      finding({ id: 'closed', severity: 'critical', status: 'closed' }),
      finding({ id: 'old', severity: 'high' }),
    ];
    const top = withTop(list, finding({ id: 'new', severity: 'high', detected_at: '2026-11-22T07:00:00.000Z' }), 2);
    expect(top.map((known) => known.id)).toEqual(['new', 'old']);
  });

  test('what is open comes before graver findings that are closed, and nothing comes twice', () => {
    const open = finding({ id: 'open', severity: 'low', revision: 2 });
    const closed = finding({ id: 'closed', severity: 'critical', status: 'closed' });
    const stale = finding({ id: 'open', severity: 'low', status: 'closed' });
    expect(topOf([open], [closed, stale], 10)).toEqual([open, closed]);
    expect(topOf([open], [closed], 1)).toEqual([open]);
  });

  test('a finding that closes leaves its place among the open ones', () => {
    const list = [finding({ id: 'x', severity: 'high' }), finding({ id: 'y', severity: 'low' })];
    const top = withTop(list, finding({ id: 'x', severity: 'high', status: 'closed', revision: 2 }), 10);
    expect(top.map((known) => known.id)).toEqual(['y', 'x']);
  });
});
