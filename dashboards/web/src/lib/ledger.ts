// The ledger in words: why somebody was alerted, or was not. Pure.
import type { RouteStep, RoutingAccount } from './api/operators';
import type { Finding, Notification, NotificationResult } from './api/types';
import { dayTimeSeconds, duration, shortIds, words } from './format';
import type { Tone } from './timeline';

export const RESULT_NAMES: Record<NotificationResult, string> = {
  sent: 'Sent',
  sending: 'Sending',
  waiting: 'Waiting',
  muted: 'Muted',
  failed: 'Failed',
};

export const RESULT_TONES: Record<NotificationResult, Tone> = {
  sent: 'ok',
  sending: 'accent',
  waiting: 'info',
  muted: 'info',
  failed: 'critical',
};

const OCCASIONS: Record<string, string> = {
  opened: 'It began',
  escalated: 'It became graver',
  closed: 'It ended',
  repeated: 'It goes on',
  unacknowledged: 'Nobody acknowledged',
  notice: 'A notice of Tokenwatch',
};

const PLAIN: Record<string, string> = {
  first_match: 'a route took it for the first time',
  severity_rose: 'it became graver than what was told',
  episode_ended: 'the episode ended',
  goes_on: 'it goes on and nobody acknowledged',
  nobody_acknowledged: 'nobody acknowledged in time',
  too_old: 'its last event was too old to tell anybody (max_age)',
  timeout: 'the receiver did not answer in time',
  no_connection: 'the receiver could not be reached',
  connection_broken: 'the connection broke',
  tls: 'the receiver’s certificate was not trusted',
  blocked_address: 'the receiver’s address is not public (allow_private)',
  endpoint_disabled: 'the receiver said before that it is gone (410)',
};

const WAITS: Record<string, string> = {
  group_wait: 'waits for more of its group',
  group_interval: 'its group was told a short time ago; waits',
  digest: 'waits for the next digest',
  time_window: 'waits for a time window to open',
  acknowledgement: 'waits for somebody to acknowledge',
};

const WAITED: Record<string, string> = {
  group_wait: 'for more of its group',
  group_interval: 'because its group had just been told',
  digest: 'for the digest',
  time_window: 'for a time window to open',
  acknowledgement: 'for somebody to acknowledge',
};

export function occasionText(line: Notification): string {
  const step = (line.step ?? 0) > 0 ? ` (${line.step})` : '';
  return (OCCASIONS[line.occasion ?? ''] ?? words(line.occasion ?? 'told')) + step;
}

/** A time that stands in a reason, without its date's noise. */
function moment(text: string): string {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? text : `${dayTimeSeconds(ms)} UTC`;
}

/** A reason of the ledger as half a sentence; what is not known is shown as it is. */
export function reasonText(reason: string | undefined): string {
  if (reason === undefined || reason === '') return '';
  const plain = PLAIN[reason];
  if (plain !== undefined) return plain;
  const silence = /^silenced: (\S+) by (.+) until (\S+)$/.exec(reason);
  if (silence) return `the silence ${silence[1]} by ${silence[2]} mutes it until ${moment(silence[3] ?? '')}`;
  const incident = /^inhibited: (inc_\S+) was told with (fnd_\S+)$/.exec(reason);
  if (incident) return `its incident ${incident[1]} was told already, with ${incident[2]}`;
  const outage = /^inhibited: outage (\S+)$/.exec(reason);
  if (outage) return `the outage ${outage[1]} explains it and was told`;
  const wait = /^(\w+) until (\S+)$/.exec(reason);
  if (wait && WAITS[wait[1] ?? '']) return `${WAITS[wait[1] ?? '']} until ${moment(wait[2] ?? '')}`;
  const attempt = /^(retry|gave_up): (.+)$/.exec(reason);
  if (attempt) return `${reasonText(attempt[2])}; ${attempt[1] === 'retry' ? 'another attempt follows' : 'no further attempt'}`;
  const status = /^http_(\d{3})$/.exec(reason);
  if (status) return `the receiver answered ${status[1]}`;
  const smtp = /^smtp_(\d{3})$/.exec(reason);
  if (smtp) return `the mail server answered ${smtp[1]}`;
  return reason;
}

/** The ids that a reason names, so that they can be followed. */
export function idsOf(reason: string | undefined): string[] {
  return reason?.match(/\b(?:sil|inc|fnd)_[0-9a-z]+/g) ?? [];
}

/** One message to one receiver, with every line that the ledger has of it, the oldest first. */
export interface Message {
  id: string;
  receiver: string;
  channel: string;
  lines: Notification[];
  last: Notification;
}

/** The lines as messages, the newest message first. */
export function messagesOf(lines: readonly Notification[]): Message[] {
  const byId = new Map<string, Notification[]>();
  for (const line of lines) byId.set(line.id, [...(byId.get(line.id) ?? []), line]);
  const messages = [...byId.values()].flatMap((ofOne): Message[] => {
    const ordered = ofOne.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at) || settledLast(a) - settledLast(b));
    const last = ordered.at(-1);
    return last === undefined ? [] : [{ id: last.id, receiver: last.receiver, channel: last.channel, lines: ordered, last }];
  });
  return messages.toSorted((a, b) => Date.parse(b.last.at) - Date.parse(a.last.at));
}

/** Two lines of the same moment: the one that says how it ended is the newer. */
function settledLast(line: Notification): number {
  return line.result === 'sending' || line.result === 'waiting' ? 0 : 1;
}

/** A receiver and what it heard, in one sentence. */
export interface Answer {
  receiver: string;
  tone: Tone;
  sentence: string;
}

/** Why each receiver was, or was not, alerted of a finding. */
export function answersOf(finding: Finding, messages: readonly Message[], routing: RoutingAccount | undefined): Answer[] {
  const receivers = [...new Set(messages.map((message) => message.receiver))].sort();
  const heard = receivers.map((receiver) => answerOf(receiver, finding, messages.filter((message) => message.receiver === receiver)));
  const silent = (routing?.ways ?? [])
    .filter((way) => !receivers.includes(way.receiver))
    .map((way): Answer => ({ receiver: way.receiver, tone: 'info', sentence: `not told: the route ${way.route} leads there now (${way.terms.join('; ')}), and the ledger has no message` }));
  return [...heard, ...silent.filter((answer, index) => silent.findIndex((one) => one.receiver === answer.receiver) === index)];
}

function answerOf(receiver: string, finding: Finding, messages: Message[]): Answer {
  const sent = messages.filter((message) => message.last.result === 'sent');
  const first = sent.at(-1);
  const newest = messages[0];
  if (first !== undefined) {
    const after = (Date.parse(first.last.at) - Date.parse(finding.detected_at)) / 1000;
    const more = sent.length > 1 ? `, and ${sent.length - 1} more ${sent.length === 2 ? 'time' : 'times'}` : '';
    const late = after >= 1 ? `${duration(after)} after its detection` : 'at once';
    const waited = WAITED[first.lines.find((line) => line.result === 'waiting')?.reason?.split(' ')[0] ?? ''];
    return { receiver, tone: 'ok', sentence: `told ${late}${waited === undefined ? '' : `, for it waited ${waited}`}${more}` };
  }
  if (newest === undefined) return { receiver, tone: 'info', sentence: 'not told' };
  const verbs: Record<NotificationResult, string> = { sent: 'told', sending: 'being told', waiting: 'not told yet', muted: 'not told', failed: 'not reached' };
  const why = reasonText(newest.last.reason);
  return { receiver, tone: RESULT_TONES[newest.last.result], sentence: why === '' ? verbs[newest.last.result] : `${verbs[newest.last.result]}: ${shortIds(why)}` };
}

/** What a route said. */
export function stepText(step: RouteStep): string {
  if (typeof step.verdict === 'object') return `does not take it: ${step.verdict.mismatch} does not match`;
  return { takes: 'takes it', leaves_it_to_child: 'takes it and leaves it to a route below', shut: 'does not take it: outside of its time windows', not_asked: 'is not asked: a route before it says stop' }[step.verdict];
}
