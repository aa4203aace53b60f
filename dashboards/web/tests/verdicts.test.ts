import { expect, test } from 'vitest';

import type { Account, DetectorView } from '../src/lib/api/incident';
import { byVerdict, surroundings } from '../src/lib/verdicts';
import { finding } from './finding';

function view(detector: string, verdict: DetectorView['verdict'], finding_id?: string): DetectorView {
  return { detector, verdict, reason: '', figures: [], ...(finding_id && { finding_id }) };
}

function account(change: Partial<Account>): Account {
  return {
    at: '2026-11-22T06:45:00.000Z',
    token: { id: 'tok_a' },
    events: { since: '', count: 3, first: '', last: '' },
    explanation: null,
    findings: [],
    fleet: [],
    arrivals: { events: 3, late: 0, longest_s: 2, ahead: 0 },
    gaps: [],
    ...change,
  };
}

test('findings come first, detectors that are off last, and the order among equals stays', () => {
  const views = [view('a', 'off'), view('b', 'below_threshold'), view('c', 'finding'), view('d', 'below_threshold')];
  expect(byVerdict(views).map((one) => one.detector)).toEqual(['c', 'b', 'd', 'a']);
});

test('a quiet time has nothing around it', () => expect(surroundings(account({}))).toEqual([]));

test('what was found then and what would be found now are told apart', () => {
  const explanation = { as_of: '', baseline_days: 9, mature_days: 7, evidence_db: 0, families: 0, hard_families: 0 };
  const sentences = surroundings(
    account({
      explanation: { ...explanation, detectors: [view('a', 'finding', 'fnd_new'), view('b', 'finding', 'fnd_both')] },
      findings: [finding({ id: 'fnd_old', summary: 'It was.' }), finding({ id: 'fnd_both' })].map((one) => ({ finding: one, notifications: [], responses: [] })),
    }),
  );
  expect(sentences).toHaveLength(2);
  expect(sentences[0]).toContain('It was.');
  expect(sentences[1]).toContain('fnd_new is not stored');
});

test('late events, gaps and failures of the fleet are sentences', () => {
  const sentences = surroundings(
    account({
      arrivals: { events: 10, late: 4, longest_s: 3600, ahead: 1 },
      gaps: [{ from: '2026-11-22T03:00:00.000Z', to: '2026-11-22T03:30:00.000Z' }],
      fleet: [finding({ detector: 'fleet_failure' })],
    }),
  );
  expect(sentences).toHaveLength(4);
  expect(sentences[1]).toContain('4 of its 10 events');
  expect(sentences[3]).toContain('30 min');
});
