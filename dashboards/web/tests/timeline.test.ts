import { expect, test } from 'vitest';

import type { IncidentDetail } from '../src/lib/api/incident';
import type { FindingDetail, Notification, Response } from '../src/lib/api/types';
import { jsonTokens } from '../src/lib/json';
import { isAddress, judgePlaces } from '../src/lib/places';
import { incidentTimelineOf, responseState, timelineOf } from '../src/lib/timeline';
import { finding } from './finding';

function notification(change: Partial<Notification>): Notification {
  return {
    id: 'n',
    finding_id: 'fnd_a',
    receiver: 'soc',
    channel: 'slack',
    severity: 'high',
    at: '2026-11-22T06:42:01.000Z',
    attempts: 1,
    result: 'sent',
    ...change,
  };
}

function response(change: Partial<Response>): Response {
  return {
    id: 'r',
    finding_id: 'fnd_a',
    token_id: 'tok_a',
    action: 'revoke',
    target: 'gateway',
    mode: 'enforce',
    at: '2026-11-22T06:42:02.000Z',
    result: 'delivered',
    ...change,
  };
}

function detail(change: Partial<FindingDetail>): FindingDetail {
  return {
    finding: finding(),
    incident: null,
    series: { step_s: 60, points: [], band: [] },
    signals: [],
    notifications: [],
    responses: [],
    related: [],
    handling: { state: 'new' },
    sayings: [],
    ...change,
  };
}

test('steps are told in order of time', () => {
  const steps = timelineOf(detail({ responses: [response({})], notifications: [notification({})] }));
  expect(steps.map((step) => step.what)).toEqual([
    'First call of the episode',
    'Detected',
    'Notified',
    'Revoke confirmed',
  ]);
  expect(steps[1]?.detail).toBe('2 min after the first call');
});

test('that a message was begun is told only while its end is unknown', () => {
  const begun = notification({ result: 'sending', at: '2026-11-22T06:42:00.500Z' });
  expect(timelineOf(detail({ notifications: [begun] })).map((step) => step.what)).toContain('Notification begun');
  const ended = timelineOf(detail({ notifications: [begun, notification({})] }));
  expect(ended.map((step) => step.what)).not.toContain('Notification begun');
});

test('an incident tells its findings among what was said and done', () => {
  const incident: IncidentDetail['incident'] = {
    ...{ id: 'inc_a', revision: 2, status: 'closed', severity: 'critical', confidence: 0.99, evidence_db: 40, summary: '' },
    ...{ subject: { kind: 'token', id: 'tok_a' }, detectors: ['rate_spike', 'out_of_scope'], evidence: [] },
    first_event_at: '2026-11-22T06:40:00.000Z',
    last_event_at: '2026-11-22T06:50:00.000Z',
    detected_at: '2026-11-22T06:42:00.000Z',
    finding_ids: ['fnd_a', 'fnd_b'],
  };
  const steps = incidentTimelineOf({
    incident,
    findings: [finding(), finding({ id: 'fnd_b', detector: 'out_of_scope', severity: 'critical', detected_at: '2026-11-22T06:42:01.500Z' })],
    series: { step_s: 60, points: [], band: [] },
    notifications: [notification({})],
    responses: [response({}), response({ result: 'intended' })],
    handling: { state: 'closed' },
    sayings: [{ subject: 'inc_a', at: '2026-11-22T07:10:00.000Z', actor: 'ann', word: 'true', note: 'stolen' }],
    findings_handling: {},
  });
  expect(steps.map((step) => step.what)).toEqual([
    'First call',
    'Rate spike',
    'Notified',
    'Out of scope',
    'Revoke confirmed',
    'Last call',
    'True',
  ]);
  expect(steps[6]?.detail).toBe('ann: stolen');
  expect(steps[3]).toMatchObject({ detail: 'critical, 20.0 dB', tone: 'critical' });
});

test('a confirmed revocation outlasts later words', () => {
  const later = response({ id: 'r2', result: 'withheld', at: '2026-11-22T07:00:00.000Z' });
  expect(responseState([response({}), later])?.label).toBe('Revoked');
  expect(responseState([later])?.label).toBe('Revocation withheld');
  expect(responseState([])).toBeUndefined();
});

test('a response that was held, and one of another kind, have words of their own', () => {
  expect(responseState([response({ result: 'held', action: 'suspend' })])).toMatchObject({ label: 'Suspension held', tone: 'high' });
  expect(responseState([response({ action: 'throttle' })])?.label).toBe('Throttled');
});

test('networks outside the habits are new, and come first', () => {
  const place = { calls: 10, failures: 0, first_seen: '', last_seen: '' };
  const profile = {
    token_id: 'tok_a',
    first_seen: '',
    last_seen: '',
    baseline_days: 20,
    mature: true,
    weekday_hourly: [],
    weekend_hourly: [],
    peaks: [],
    places: [{ country: 'DE', asn: 3320, first_seen: '', last_seen: '' }],
  };
  const places = [
    { ...place, country: 'DE', asn: 3320, calls: 900 },
    { ...place, country: 'BR', asn: 28573 },
  ];
  expect(judgePlaces(places, profile).map((judged) => [judged.country, judged.known])).toEqual([
    ['BR', false],
    ['DE', true],
  ]);
  expect(judgePlaces(places, null).every((judged) => judged.known === undefined)).toBe(true);
});

test.each([
  ['203.0.113.7', true],
  ['203.0.113', false],
  ['203.0.113.700', false],
  ['2001:db8::1', true],
  ['::', true],
  ['2001:db8', false],
  ['1:2:3:4:5:6:7:8', true],
  ['acme', false],
])('%s is a whole address: %s', (text, whole) => expect(isAddress(text)).toBe(whole));

test('pieces of JSON add up to the text they were cut from', () => {
  const text = JSON.stringify({ a: 'x"\\y', 'b:c': [1, -2.5e3, true, null], nested: { tfn: 'true' } }, null, 2);
  const tokens = jsonTokens(text);
  expect(tokens.map((token) => token.text).join('')).toBe(text);
  expect(tokens.filter((token) => token.kind === 'key').map((token) => token.text)).toEqual([
    '"a"',
    '"b:c"',
    '"nested"',
    '"tfn"',
  ]);
});
