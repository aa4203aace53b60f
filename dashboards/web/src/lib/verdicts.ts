// What detectors concluded of a token: their words, their order, and what surrounds them. Pure.
import type { Account, DetectorView, Verdict } from './api/incident';
import { count, dayTimeSeconds, duration } from './format';

export const VERDICT_NAMES: Record<Verdict, string> = {
  finding: 'Finding',
  signal: 'Signal only',
  unconfirmed: 'Not confirmed yet',
  common_mode: 'Happened to many',
  excepted: 'Excepted',
  learning: 'Learning',
  below_threshold: 'Below threshold',
  no_data: 'No data',
  off: 'Off',
};

const ORDER = Object.keys(VERDICT_NAMES);

/** What says most first; the order of the documentation within one verdict. */
export function byVerdict(views: DetectorView[]): DetectorView[] {
  return views.toSorted((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict));
}

/** What the store knows around the events, a sentence each. */
export function surroundings(account: Account): string[] {
  const { arrivals, explanation, findings } = account;
  const at = (time: string): string => `${dayTimeSeconds(Date.parse(time))} UTC`;
  const found = new Set(explanation?.detectors.map((view) => view.finding_id));
  const sentences = findings
    .filter(({ finding }) => !found.has(finding.id))
    .map(({ finding }) => `Stored, and not found again with this configuration: ${finding.summary}`);
  for (const view of explanation?.detectors ?? []) {
    if (view.finding_id !== undefined && !findings.some(({ finding }) => finding.id === view.finding_id)) {
      sentences.push(`${view.finding_id} is not stored: the service had another configuration then, or has not read these events.`);
    }
  }
  for (const finding of account.fleet) {
    sentences.push(`The whole fleet was in trouble from ${at(finding.first_event_at)} to ${at(finding.last_event_at)}; soft findings are held back meanwhile.`);
  }
  if (arrivals.late > 0) {
    sentences.push(`${count(arrivals.late)} of its ${count(arrivals.events)} events of the day before were stored more than 10 min after they happened, the last of them ${duration(arrivals.longest_s)} late.`);
  }
  if (arrivals.ahead > 0) sentences.push(`${count(arrivals.ahead)} of its events carry times too far ahead to be believed.`);
  for (const gap of account.gaps) {
    const seconds = (Date.parse(gap.to) - Date.parse(gap.from)) / 1000;
    sentences.push(`No event of any token is stored from ${at(gap.from)} to ${at(gap.to)} (${duration(seconds)}).`);
  }
  return sentences;
}
