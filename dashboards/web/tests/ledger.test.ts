import { expect, test } from 'vitest';

import type { Notification } from '../src/lib/api/types';
import { answersOf, idsOf, messagesOf, occasionText, reasonText, stepText } from '../src/lib/ledger';
import { finding } from './finding';

function line(change: Partial<Notification> = {}): Notification {
  return {
    id: 'ntf_1',
    finding_id: 'fnd_a',
    receiver: 'soc',
    channel: 'webhook',
    occasion: 'opened',
    severity: 'high',
    at: '2026-11-22T06:42:30.000Z',
    attempts: 1,
    result: 'sent',
    ...change,
  };
}

test('reasons read as sentences; what is not known stands as it is', () => {
  const cases: [string, string][] = [
    ['silenced: sil_0a by ann until 2026-11-22T08:00:00.000Z', 'the silence sil_0a by ann mutes it until 22 Nov 08:00:00 UTC'],
    ['inhibited: inc_0a was told with fnd_0b', 'its incident inc_0a was told already, with fnd_0b'],
    ['inhibited: outage fnd_0b', 'the outage fnd_0b explains it and was told'],
    ['group_wait until 2026-11-22T06:42:30.000Z', 'waits for more of its group until 22 Nov 06:42:30 UTC'],
    ['retry: http_503', 'the receiver answered 503; another attempt follows'],
    ['gave_up: timeout', 'the receiver did not answer in time; no further attempt'],
    ['too_old', 'its last event was too old to tell anybody (max_age)'],
    ['a reason of a later release', 'a reason of a later release'],
  ];
  for (const [reason, text] of cases) expect(reasonText(reason)).toBe(text);
  expect(idsOf('inhibited: inc_0a was told with fnd_0b')).toEqual(['inc_0a', 'fnd_0b']);
});

test('lines of one message belong together; of one moment, the end is the newer', () => {
  const messages = messagesOf([
    line({ at: '2026-11-22T06:43:00.000Z', result: 'sent' }),
    line({ at: '2026-11-22T06:43:00.000Z', result: 'sending' }),
    line({ id: 'ntf_2', receiver: 'mail', at: '2026-11-22T06:44:00.000Z', result: 'failed' }),
    line({ at: '2026-11-22T06:42:00.000Z', result: 'waiting' }),
  ]);
  expect(messages.map(({ id, last }) => `${id} ${last.result}`)).toEqual(['ntf_2 failed', 'ntf_1 sent']);
  expect(messages[1]?.lines.map(({ result }) => result)).toEqual(['waiting', 'sending', 'sent']);
});

test('every receiver has an answer: told, muted, waiting, not reached, not told at all', () => {
  const messages = messagesOf([
    line({ result: 'waiting', reason: 'group_wait until 2026-11-22T06:42:30.000Z', at: '2026-11-22T06:42:01.000Z' }),
    line({ at: '2026-11-22T06:42:30.000Z' }),
    line({ id: 'ntf_2', receiver: 'mail', result: 'muted', reason: 'too_old' }),
    line({ id: 'ntf_3', receiver: 'pager', result: 'failed', reason: 'gave_up: tls' }),
  ]);
  const routing = { steps: [], ways: [{ receiver: 'lead', route: 'pages', terms: ['if nobody acknowledges within 15m'] }, { receiver: 'soc', route: 'all', terms: [] }] };
  const answers = Object.fromEntries(answersOf(finding(), messages, routing).map((answer) => [answer.receiver, answer.sentence]));
  expect(answers['soc']).toBe('told 30 s after its detection, for it waited for more of its group');
  expect(answers['mail']).toBe('not told: its last event was too old to tell anybody (max_age)');
  expect(answers['pager']).toMatch(/^not reached: the receiver’s certificate was not trusted/);
  expect(answers['lead']).toMatch(/^not told: the route pages leads there now \(if nobody acknowledges within 15m\)/);
});

test('nothing was sent and nothing is configured: there is no answer to give', () => {
  expect(answersOf(finding(), [], undefined)).toEqual([]);
});

test('steps of an escalation and routes are told', () => {
  expect(occasionText(line({ occasion: 'unacknowledged', step: 2 }))).toBe('Nobody acknowledged (2)');
  expect(stepText({ route: 'a', depth: 0, verdict: { mismatch: 'severity' } })).toBe('does not take it: severity does not match');
  expect(stepText({ route: 'a', depth: 0, verdict: 'shut' })).toContain('time windows');
});
