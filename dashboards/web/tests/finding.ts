import type { Finding } from '../src/lib/api/types';

/** A finding with what a test cares for; the rest is the same in all. */
export function finding(change: Partial<Finding> = {}): Finding {
  return {
    id: 'fnd_a',
    revision: 1,
    detector: 'rate_spike',
    severity: 'medium',
    confidence: 0.9,
    status: 'open',
    evidence_db: 20,
    subject: { kind: 'token', id: 'tok_a' },
    token: { id: 'tok_a', consumer: 'acme' },
    first_event_at: '2026-11-22T06:40:00.000Z',
    last_event_at: '2026-11-22T06:50:00.000Z',
    detected_at: '2026-11-22T06:42:00.000Z',
    event_count: 10,
    summary: 'acme made 10 calls.',
    evidence: {},
    attack: [],
    owasp: [],
    ...change,
  };
}
