// Lists of findings under live updates: which belong to a filter, and where a new version goes. Pure.
import type { Finding } from './api/types';
import { rank } from './severity';

export type FindingSort = '-detected_at' | 'detected_at' | '-severity' | '-last_event_at';

export interface FindingFilter {
  severity: string;
  detector: string;
  status: string;
  token: string;
  consumer: string;
  handling: string;
  q: string;
  range: string;
  sort: FindingSort;
}

const SORTS: readonly FindingSort[] = ['-detected_at', 'detected_at', '-severity', '-last_event_at'];

/** The filter that a query string holds. */
export function filterOf(query: URLSearchParams): FindingFilter {
  const sort = SORTS.find((known) => known === query.get('sort')) ?? '-detected_at';
  const text = (key: string): string => query.get(key) ?? '';
  return {
    severity: text('severity'),
    detector: text('detector'),
    status: text('status'),
    token: text('token'),
    consumer: text('consumer'),
    handling: text('handling'),
    q: text('q'),
    range: text('range'),
    sort,
  };
}

function oneOf(list: string, value: string): boolean {
  return list === '' || list.split(',').includes(value);
}

/** Whether `finding` would be in the list; the server has the last word at the next load. */
export function matches(finding: Finding, filter: FindingFilter): boolean {
  const { token } = finding;
  if (!oneOf(filter.severity, finding.severity)) return false;
  if (!oneOf(filter.detector, finding.detector)) return false;
  if (filter.status !== '' && filter.status !== finding.status) return false;
  if (filter.token !== '' && token?.id !== filter.token) return false;
  if (filter.consumer !== '' && token?.consumer !== filter.consumer) return false;
  // What comes in live was spoken of by nobody yet.
  if (filter.handling !== '' && filter.handling !== 'new') return false;
  if (filter.q === '') return true;
  const text = [finding.summary, finding.id, finding.subject.id, token?.id, token?.credential_id, token?.consumer]
    .join(' ')
    .toLowerCase();
  return text.includes(filter.q.toLowerCase());
}

/** Replaces an older version of the same finding in place; `undefined` when the list does not hold it. */
export function replaceVersion(list: Finding[], finding: Finding): Finding[] | undefined {
  const index = list.findIndex((known) => known.id === finding.id);
  const known = list[index];
  if (known === undefined) return undefined;
  if (known.revision > finding.revision) return list;
  return list.with(index, finding);
}

/** Compares as the overview's list of top findings does: open before closed, gravest first, then newest. */
export function byUrgency(a: Finding, b: Finding): number {
  if (a.status !== b.status) return a.status === 'open' ? -1 : 1;
  return rank(b.severity) - rank(a.severity) || b.detected_at.localeCompare(a.detected_at);
}

/** What the overview shows: everything open comes first, then the gravest of the range. */
export function topOf(open: Finding[], ofRange: Finding[], limit: number): Finding[] {
  const byId = new Map([...ofRange, ...open].map((finding) => [finding.id, finding]));
  return [...byId.values()].sort(byUrgency).slice(0, limit);
}

/** The top list with `finding` in it, at most `limit` long. */
export function withTop(list: Finding[], finding: Finding, limit: number): Finding[] {
  const replaced = replaceVersion(list, finding) ?? [...list, finding];
  return replaced.toSorted(byUrgency).slice(0, limit);
}
