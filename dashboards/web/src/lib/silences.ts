// Silences: what they match, in words; how one is made from a finding. Pure.
import type { Matcher, Silence } from './api/operators';
import type { Finding } from './api/types';
import { shortIds, words } from './format';

/** Before a silence ends, this long, it is said. */
export const WARNING_MS = 3_600_000;
/** The longest that the API takes. */
export const LONGEST_MS = 90 * 86_400_000;

export const DURATIONS: readonly { label: string; ms: number }[] = [
  { label: '1 hour', ms: 3_600_000 },
  { label: '4 hours', ms: 4 * 3_600_000 },
  { label: '1 day', ms: 86_400_000 },
  { label: '1 week', ms: 7 * 86_400_000 },
  { label: '30 days', ms: 30 * 86_400_000 },
];

/** The lists of a matcher that people fill in, with the name of a value. */
export const LISTS = [
  { key: 'consumers', label: 'Consumers', one: 'consumer' },
  { key: 'tokens', label: 'Tokens or credentials', one: 'token' },
  { key: 'owners', label: 'Owners', one: 'owner' },
  { key: 'teams', label: 'Teams', one: 'team' },
  { key: 'environments', label: 'Environments', one: 'environment' },
  { key: 'findings', label: 'Findings', one: 'finding' },
  { key: 'incidents', label: 'Incidents', one: 'incident' },
] as const;

/** Which findings a silence that is made from one mutes. */
export type Likeness = 'kind' | 'token' | 'finding';

export const LIKENESS_NAMES: Record<Likeness, string> = {
  kind: 'This detector on this token',
  token: 'Everything on this token',
  finding: 'This finding alone',
};

/** A matcher for what is like `finding`; `undefined` where there is nothing to tell it by. */
export function matcherLike(finding: Finding, likeness: Likeness): Matcher {
  if (likeness === 'finding') return { findings: [finding.id] };
  const on: Matcher = { tokens: [finding.token?.id ?? finding.subject.id] };
  return likeness === 'token' ? on : { detectors: [finding.detector], ...on };
}

/** A matcher without what is empty, as the API wants it. */
export function tidy(matcher: Matcher): Matcher {
  const entries = Object.entries(matcher).filter(([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0));
  return Object.fromEntries(entries) as Matcher;
}

/** The values of a list that somebody typed, separated by commas or lines. */
export function listOf(text: string): string[] {
  return [...new Set(text.split(/[,\n]/).map((part) => part.trim()).filter((part) => part !== ''))];
}

/** What a matcher asks for, one part per key. */
export function matcherText(matcher: Matcher): string[] {
  const parts: string[] = [];
  if (matcher.severity !== undefined) parts.push(`${words(matcher.severity)} or graver`);
  if (matcher.detectors?.length) parts.push(matcher.detectors.map(words).join(' or '));
  if (matcher.subjects?.length) parts.push(`about a ${matcher.subjects.join(' or ')}`);
  for (const { key, one } of LISTS) {
    const values = matcher[key];
    if (values?.length) parts.push(`${one} ${values.map(shortIds).join(' or ')}`);
  }
  if (matcher.tags?.length) parts.push(`tag ${matcher.tags.join(' or ')}`);
  return parts;
}

/** Whether it is time to say that it ends. */
export function endsSoon(silence: Silence, now: number): boolean {
  return silence.state === 'active' && Date.parse(silence.ends_at) - now <= WARNING_MS;
}

/** The state as of `now`: a list that was loaded a while ago goes on in time. */
export function stateAt(silence: Silence, now: number): Silence['state'] {
  if (Date.parse(silence.ends_at) <= now) return 'ended';
  return Date.parse(silence.starts_at) > now ? 'pending' : 'active';
}

/** Active first, by their ends; then those to come, by their beginnings; then ended ones, the last first. */
export function bySilence(silences: readonly Silence[], now: number): Silence[] {
  const rank = { active: 0, pending: 1, ended: 2 };
  return silences.toSorted((a, b) => {
    const [one, other] = [stateAt(a, now), stateAt(b, now)];
    if (one !== other) return rank[one] - rank[other];
    if (one === 'pending') return Date.parse(a.starts_at) - Date.parse(b.starts_at);
    const apart = Date.parse(a.ends_at) - Date.parse(b.ends_at);
    return one === 'active' ? apart : -apart;
  });
}
