import { expect, test } from 'vitest';

import type { Silence } from '../src/lib/api/operators';
import { handlingText, nextWords, sayingText } from '../src/lib/handling';
import { complaintOf, entryOf, valuesOf } from '../src/lib/registration-form';
import { bySilence, endsSoon, listOf, matcherLike, matcherText, stateAt, tidy } from '../src/lib/silences';
import { finding } from './finding';

const NOON = Date.parse('2026-11-22T12:00:00.000Z');

function silence(id: string, from: number, to: number): Silence {
  const at = (hours: number): string => new Date(NOON + hours * 3_600_000).toISOString();
  const state = to <= 0 ? 'ended' : from > 0 ? 'pending' : 'active';
  return { id, starts_at: at(from), ends_at: at(to), created_by: 'ann', reason: 'test', matcher: { consumers: ['acme'] }, state };
}

test('what is like a finding is told by its detector and token, its token, or its id', () => {
  expect(matcherLike(finding(), 'kind')).toEqual({ detectors: ['rate_spike'], tokens: ['tok_a'] });
  expect(matcherLike(finding(), 'token')).toEqual({ tokens: ['tok_a'] });
  expect(matcherLike(finding(), 'finding')).toEqual({ findings: ['fnd_a'] });
  const { token: _, ...ofSource } = finding({ subject: { kind: 'source', id: '203.0.113.7' } });
  expect(matcherLike(ofSource, 'token')).toEqual({ tokens: ['203.0.113.7'] });
});

test('a matcher is sent without what is empty, and read as words', () => {
  expect(tidy({ consumers: [], teams: listOf('payments, payments\n orders ') })).toEqual({ teams: ['payments', 'orders'] });
  expect(matcherText({ severity: 'high', detectors: ['rate_spike'], consumers: ['acme', 'b'] })).toEqual(['High or graver', 'Rate spike', 'consumer acme or b']);
});

test('active silences come first, by their ends, and one that ends within the hour is warned of', () => {
  const all = [silence('gone', -3, -1), silence('next', 1, 2), silence('long', -1, 9), silence('short', -1, 1)];
  expect(bySilence(all, NOON).map(({ id }) => id)).toEqual(['short', 'long', 'next', 'gone']);
  expect(all.filter((one) => endsSoon(one, NOON)).map(({ id }) => id)).toEqual(['short']);
  expect(stateAt(silence('next', 1, 2), NOON + 3_600_000)).toBe('active');
});

test('a badge tells state and verdict, and what nobody spoke of is new', () => {
  expect(handlingText(undefined)).toBe('New');
  const verdict = { subject: 'fnd_a', at: '', actor: 'ann', word: 'duplicate' as const, duplicate_of: 'fnd_b' };
  expect(handlingText({ state: 'closed', verdict })).toBe('Closed, duplicate');
  expect(sayingText(verdict)).toBe('Duplicate of fnd_b');
  expect(nextWords('closed')).toEqual({ acknowledge: false, withdraw: false, reopen: true });
});

test('a registration comes back from the form as it was, without what is empty', () => {
  const said = { owner: 'Ada', class: 'sensitive' as const, protected: true, allowed_networks: ['192.0.2.0/24', '198.51.100.7/32'], revoked: '2026-11-01T00:00:00.000Z' };
  expect(entryOf(valuesOf(said), said)).toEqual(said);
  expect(entryOf(valuesOf(undefined), undefined)).toEqual({ class: 'standard', protected: false });
});

test('a complaint is shown at the field that it names', () => {
  expect(complaintOf('expires: must lie after created')).toEqual({ key: 'expires', message: 'must lie after created' });
  expect(complaintOf('the body is too large')).toEqual({ key: undefined, message: 'the body is too large' });
  expect(complaintOf('token: the address says already').key).toBeUndefined();
});
