import { expect, test } from 'vitest';

import { queryText } from '../src/lib/api/client';
import { pathOfId, routeOf, safeReturn, subjectPath, tokenPath } from '../src/lib/routes';

const TOKEN = `tok_${'0'.repeat(26)}`;

test.each([
  ['/', { page: 'overview' }],
  ['/findings', { page: 'findings' }],
  ['/findings/', { page: 'findings' }],
  ['/findings/fnd_1', { page: 'finding', id: 'fnd_1' }],
  ['/incidents', { page: 'incidents' }],
  ['/incidents/inc_1', { page: 'incident', id: 'inc_1' }],
  ['/responses/rsp_1', { page: 'response', id: 'rsp_1' }],
  ['/ledger', { page: 'ledger' }],
  ['/silences', { page: 'silences' }],
  ['/detectors', { page: 'detectors' }],
  ['/audit', { page: 'audit' }],
  ['/audit/more', { page: 'unknown' }],
  ['/docs/detectors/rate_spike', { page: 'detector', name: 'rate_spike' }],
  ['/docs/detectors', { page: 'unknown' }],
  ['/tokens/a%2Fb', { page: 'token', id: 'a/b' }],
  ['/tokens/%', { page: 'unknown' }],
  ['/tokens/a/b', { page: 'unknown' }],
  ['/elsewhere', { page: 'unknown' }],
])('%s names its page', (path, route) => expect(routeOf(path)).toEqual(route));

test('a path made of an id leads back to the id', () => {
  expect(routeOf(tokenPath('a/b c'))).toEqual({ page: 'token', id: 'a/b c' });
});

test('whole ids lead to their pages, parts of ids do not', () => {
  expect(pathOfId(` ${TOKEN} `)).toBe(`/tokens/${TOKEN}`);
  expect(pathOfId(TOKEN.slice(0, -1))).toBeUndefined();
  expect(pathOfId('tok_0000000000000000000000000l')).toBeUndefined();
  expect(pathOfId('acme')).toBeUndefined();
});

test('what a trail is about leads to its page, if it has one', () => {
  expect(subjectPath('sil_1')).toBe('/silences#sil_1');
  expect(subjectPath('rsp_1')).toBe('/responses/rsp_1');
  expect(subjectPath('rate_spike')).toBeUndefined();
});

test.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/login', null])(
  'a login never leads to %s',
  (path) => expect(safeReturn(path)).toBe('/'),
);

test('a login leads back to where it was asked for', () => {
  expect(safeReturn('/findings?severity=high')).toBe('/findings?severity=high');
});

test('empty parameters are not sent', () => {
  expect(queryText({ q: '', limit: 50, cursor: undefined, token: null, severity: 'high,low' })).toBe(
    '?limit=50&severity=high%2Clow',
  );
  expect(queryText({ q: '' })).toBe('');
});
