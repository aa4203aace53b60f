// What happened around a finding, in order: first event, detection, notifications, responses. Pure.
import type { IncidentDetail } from './api/incident';
import type { Saying } from './api/operators';
import type { FindingDetail, Notification, Response, Severity } from './api/types';
import { duration, shortIds, words } from './format';
import { sayingText } from './handling';
import { messagesOf, reasonText } from './ledger';

export type Tone = 'info' | 'ok' | 'high' | 'critical' | 'accent';

export interface Step {
  at: string;
  what: string;
  detail: string;
  tone: Tone;
}

const NOTIFIED: Record<Notification['result'], { what: string; tone: Tone }> = {
  sending: { what: 'Notification begun', tone: 'info' },
  sent: { what: 'Notified', tone: 'ok' },
  failed: { what: 'Notification failed', tone: 'critical' },
  muted: { what: 'Not notified', tone: 'info' },
  waiting: { what: 'To be notified', tone: 'info' },
};

const RESPONDED: Record<Response['result'], { what: string; tone: Tone }> = {
  intended: { what: 'asked for', tone: 'info' },
  delivered: { what: 'confirmed', tone: 'ok' },
  failed: { what: 'failed', tone: 'critical' },
  would_respond: { what: 'would be asked for (dry run)', tone: 'accent' },
  withheld: { what: 'withheld', tone: 'high' },
  unknown: { what: 'unconfirmed', tone: 'high' },
  held: { what: 'held for a decision', tone: 'high' },
  vetoed: { what: 'vetoed', tone: 'info' },
  lapsed: { what: 'lapsed: nobody approved', tone: 'info' },
  undoing: { what: 'being undone', tone: 'accent' },
  undone: { what: 'undone', tone: 'info' },
  undo_failed: { what: 'could not be undone', tone: 'critical' },
};

/** What a token is after an action, and the action. */
const ACTIONS: Record<Response['action'], [string, string]> = {
  throttle: ['Throttled', 'Throttling'],
  restrict: ['Restricted', 'Restriction'],
  suspend: ['Suspended', 'Suspension'],
  revoke: ['Revoked', 'Revocation'],
};

/** Grave findings stand out among the steps. */
const FOUND: Record<Severity, Tone> = {
  info: 'info',
  low: 'accent',
  medium: 'accent',
  high: 'high',
  critical: 'critical',
};

function notified(line: Notification): Step {
  const { what, tone } = NOTIFIED[line.result];
  const tries = line.attempts > 1 ? `${line.attempts} attempts` : '';
  const where = line.receiver === line.channel ? line.channel : `${line.receiver} (${line.channel})`;
  return { at: line.at, what, tone, detail: [where, tries, shortIds(reasonText(line.reason))].filter((part) => part !== '').join(', ') };
}

function responded(line: Response): Step {
  const { what, tone } = RESPONDED[line.result];
  const detail = [line.target, line.reason ?? ''].filter((part) => part !== '').join(', ');
  return { at: line.at, what: `${words(line.action)} ${what}`, tone, detail };
}

function said(saying: Saying): Step {
  const note = saying.note === undefined || saying.note === '' ? '' : `: ${saying.note}`;
  return { at: saying.at, what: sayingText(saying), detail: saying.actor + note, tone: 'accent' };
}

/** That a response was begun is of interest only while nothing else is known. */
function settled(lines: Response[]): Response[] {
  const done = new Set(lines.filter((line) => line.result !== 'intended').map((line) => line.id));
  return lines.filter((line) => line.result !== 'intended' || !done.has(line.id));
}

export function timelineOf(detail: FindingDetail): Step[] {
  const { finding } = detail;
  const took = (Date.parse(finding.detected_at) - Date.parse(finding.first_event_at)) / 1000;
  const steps: Step[] = [
    { at: finding.first_event_at, what: 'First call of the episode', detail: '', tone: 'info' },
    { at: finding.detected_at, what: 'Detected', detail: `${duration(took)} after the first call`, tone: 'accent' },
    ...messagesOf(detail.notifications).map(({ last }) => notified(last)),
    ...settled(detail.responses).map(responded),
    ...detail.sayings.map(said),
  ];
  if (finding.status === 'closed') {
    steps.push({ at: finding.last_event_at, what: 'Last call of the episode', detail: 'closed', tone: 'info' });
  }
  return steps.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** The same for an incident: each finding, then what was said and done about any of them. */
export function incidentTimelineOf(detail: IncidentDetail): Step[] {
  const { incident, findings } = detail;
  const steps: Step[] = [
    { at: incident.first_event_at, what: 'First call', detail: '', tone: 'info' },
    ...findings.map((finding): Step => ({
      at: finding.detected_at,
      what: words(finding.detector),
      detail: `${finding.severity}, ${finding.evidence_db.toFixed(1)} dB`,
      tone: FOUND[finding.severity],
    })),
    ...messagesOf(detail.notifications).map(({ last }) => notified(last)),
    ...settled(detail.responses).map(responded),
    ...detail.sayings.map(said),
  ];
  if (incident.status === 'closed') {
    steps.push({ at: incident.last_event_at, what: 'Last call', detail: 'closed', tone: 'info' });
  }
  return steps.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** What stands between a token and its use: the newest word of the journal of responses. */
export function responseState(responses: Response[]): { label: string; tone: Tone; at: string } | undefined {
  const newest = responses.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const line = newest.find((one) => one.result === 'delivered') ?? newest[0];
  if (line === undefined) return undefined;
  const [done, noun] = ACTIONS[line.action];
  const labels: Record<Response['result'], { label: string; tone: Tone }> = {
    delivered: { label: done, tone: 'critical' },
    intended: { label: `${noun} asked for`, tone: 'high' },
    failed: { label: `${noun} failed`, tone: 'critical' },
    would_respond: { label: `Would be ${done.toLowerCase()} (dry run)`, tone: 'accent' },
    withheld: { label: `${noun} withheld`, tone: 'high' },
    unknown: { label: `${noun} unconfirmed`, tone: 'high' },
    held: { label: `${noun} held`, tone: 'high' },
    vetoed: { label: `${noun} vetoed`, tone: 'info' },
    lapsed: { label: `${noun} lapsed`, tone: 'info' },
    undoing: { label: `${noun} being undone`, tone: 'accent' },
    undone: { label: `${noun} undone`, tone: 'info' },
    undo_failed: { label: `${noun} could not be undone`, tone: 'critical' },
  };
  return { ...labels[line.result], at: line.at };
}
