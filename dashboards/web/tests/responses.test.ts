import { expect, test } from 'vitest';

import type { Response } from '../src/lib/api/responses';
import { approvalsMissing, blastRows, holdText, newestOf, responseReason, stepsOf, termsOf, timeToEffect, verbDoes } from '../src/lib/responses';

const NOON = Date.parse('2026-11-22T12:00:00.000Z');

/** As the API gives one that is held and needs two people. */
const HELD: Response = {
  id: 'rsp_00',
  finding_id: 'fnd_a',
  token_id: 'tok_a',
  action: 'suspend',
  target: 'gateway',
  mode: 'enforce',
  at: '2026-11-22T11:59:00.000Z',
  result: 'held',
  rule: 'production',
  detected_at: '2026-11-22T11:58:58.200Z',
  decided_at: '2026-11-22T11:58:59.000Z',
  held_until: '2026-11-22T12:10:00.000Z',
  at_hold_end: 'lapse',
  approvals_needed: 2,
  approvals: [],
  networks: ['203.0.113.0/24'],
  calls_per_minute: 60,
  blast_radius: { calls_per_minute: 12.5, calls_24h: 18_000, owner: 'ann', team: 'payments', clients: [{ user_agent: 'acme-sdk/2.1', calls: 900 }] },
};

/** The same, done and watched. */
const DONE: Response = {
  ...HELD,
  result: 'delivered',
  asked_at: '2026-11-22T12:01:00.000Z',
  answered_at: '2026-11-22T12:01:00.240Z',
  at: '2026-11-22T12:01:00.240Z',
  approvals: [{ actor: 'ann', at: '2026-11-22T12:00:30.000Z' }, { actor: 'bob', at: '2026-11-22T12:00:59.000Z' }],
  can_undo: true,
  effect: { state: 'effective', effective_at: '2026-11-22T12:01:01.440Z', lag_ms: 1200, nodes: [{ gateway: 'edge-1', state: 'effective', refused: 17 }] },
};

test('a hold tells how long, and what comes of it if nobody decides', () => {
  expect(holdText(HELD, NOON)).toBe('In 10 min it lapses unless somebody approves.');
  expect(holdText({ ...HELD, at_hold_end: 'act' }, NOON)).toBe('In 10 min it is done unless somebody vetoes.');
  expect(holdText(HELD, NOON + 660_000)).toContain('has ended');
  expect(holdText(DONE, NOON)).toBe('');
});

test('the first of two approvals does not act, and says so', () => {
  expect(approvalsMissing(HELD)).toBe(2);
  expect(verbDoes(HELD, 'approve')).toContain('Nothing happens until 1 more person has approved');
  const second = { ...HELD, approvals: [{ actor: 'ann', at: HELD.at }] };
  expect(verbDoes(second, 'approve')).toBe('gateway is asked at once to suspend the token.');
  expect(verbDoes({ ...second, mode: 'dry_run' }, 'approve')).toContain('dry run');
});

test('each step tells how long after the one before it came', () => {
  expect(stepsOf(DONE).map(({ name, took }) => `${name} ${took}`)).toEqual(['Detected ', 'Decided 800 ms', 'Asked 2 min 1 s', 'Answered 240 ms', 'Took effect 1.2 s']);
  expect(timeToEffect(DONE)).toBe('2 min 3 s');
  expect(timeToEffect(HELD)).toBeUndefined();
});

test('terms, blast radius and reasons read as words', () => {
  expect(termsOf(HELD)).toEqual(['60 calls a minute', 'from 203.0.113.0/24 alone']);
  expect(blastRows(HELD)).toContainEqual({ name: 'Owner', value: 'ann, payments' });
  expect(responseReason('http_503')).toBe('the target answered 503');
  expect(responseReason('protected_token')).toBe('the token is protected');
});

test('of a journal the newest line of each response counts, and of one moment the end', () => {
  const begun: Response = { ...DONE, result: 'intended' };
  expect(newestOf([DONE, begun, { ...HELD, id: 'rsp_01' }]).map(({ id, result }) => `${id} ${result}`)).toEqual(['rsp_00 delivered', 'rsp_01 held']);
});
