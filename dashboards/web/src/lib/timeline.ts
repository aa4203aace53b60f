// What happened around a finding, in order: first event, detection, notifications, responses. Pure.
import type { IncidentDetail } from './api/incident';
import type { FindingDetail, Notification, Response, Severity } from './api/types';
import { duration, words } from './format';

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
};

const RESPONDED: Record<Response['result'], { what: string; tone: Tone }> = {
  intended: { what: 'asked for', tone: 'info' },
  delivered: { what: 'confirmed', tone: 'ok' },
  failed: { what: 'failed', tone: 'critical' },
  would_respond: { what: 'would be asked for (dry run)', tone: 'accent' },
  withheld: { what: 'withheld', tone: 'high' },
  unknown: { what: 'unconfirmed', tone: 'high' },
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
  return { at: line.at, what, tone, detail: [where, tries, line.reason ?? ''].filter((part) => part !== '').join(', ') };
}

function responded(line: Response): Step {
  const { what, tone } = RESPONDED[line.result];
  const detail = [line.target, line.reason ?? ''].filter((part) => part !== '').join(', ');
  return { at: line.at, what: `${words(line.action)} ${what}`, tone, detail };
}

/** Only the last word on each message: that it was begun is of interest only while nothing else is known. */
function settled<T extends { id: string; result: string }>(lines: T[], begun: string): T[] {
  const done = new Set(lines.filter((line) => line.result !== begun).map((line) => line.id));
  return lines.filter((line) => line.result !== begun || !done.has(line.id));
}

export function timelineOf(detail: FindingDetail): Step[] {
  const { finding } = detail;
  const took = (Date.parse(finding.detected_at) - Date.parse(finding.first_event_at)) / 1000;
  const steps: Step[] = [
    { at: finding.first_event_at, what: 'First call of the episode', detail: '', tone: 'info' },
    { at: finding.detected_at, what: 'Detected', detail: `${duration(took)} after the first call`, tone: 'accent' },
    ...settled(detail.notifications, 'sending').map(notified),
    ...settled(detail.responses, 'intended').map(responded),
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
    ...settled(detail.notifications, 'sending').map(notified),
    ...settled(detail.responses, 'intended').map(responded),
  ];
  if (incident.status === 'closed') {
    steps.push({ at: incident.last_event_at, what: 'Last call', detail: 'closed', tone: 'info' });
  }
  return steps.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** What stands between a token and its use: the newest word of the journal of responses. */
export function responseState(responses: Response[]): { label: string; tone: Tone; at: string } | undefined {
  const newest = responses.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const delivered = newest.find((line) => line.result === 'delivered');
  const line = delivered ?? newest[0];
  if (line === undefined) return undefined;
  const labels: Record<Response['result'], { label: string; tone: Tone }> = {
    delivered: { label: 'Revoked', tone: 'critical' },
    intended: { label: 'Revocation asked for', tone: 'high' },
    failed: { label: 'Revocation failed', tone: 'critical' },
    would_respond: { label: 'Would be revoked (dry run)', tone: 'accent' },
    withheld: { label: 'Revocation withheld', tone: 'high' },
    unknown: { label: 'Revocation unconfirmed', tone: 'high' },
  };
  return { ...labels[line.result], at: line.at };
}
