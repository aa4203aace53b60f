// Responses in words: where each stands, how long each step took, what can be done about it. Pure.
import type { EffectState, Response, ResponseAction, ResponseResult, ResponseVerb } from './api/responses';
import { count, duration, figure, latency, words } from './format';
import type { Tone } from './timeline';

export const ACTION_NAMES: Record<ResponseAction, string> = {
  throttle: 'Throttle',
  restrict: 'Restrict to known networks',
  suspend: 'Suspend',
  revoke: 'Revoke',
};

export const STATES: Record<ResponseResult, { label: string; tone: Tone }> = {
  held: { label: 'Held', tone: 'high' },
  intended: { label: 'Asked for', tone: 'accent' },
  delivered: { label: 'Done', tone: 'ok' },
  failed: { label: 'Failed', tone: 'critical' },
  would_respond: { label: 'Dry run', tone: 'accent' },
  withheld: { label: 'Withheld', tone: 'info' },
  unknown: { label: 'Unconfirmed', tone: 'high' },
  vetoed: { label: 'Vetoed', tone: 'info' },
  lapsed: { label: 'Lapsed', tone: 'info' },
  undoing: { label: 'Being undone', tone: 'accent' },
  undone: { label: 'Undone', tone: 'info' },
  undo_failed: { label: 'Undo failed', tone: 'critical' },
};

export const EFFECTS: Record<EffectState, { label: string; tone: Tone }> = {
  watching: { label: 'Watching its calls', tone: 'accent' },
  effective: { label: 'Took effect', tone: 'ok' },
  ineffective: { label: 'Without effect: calls are still let in', tone: 'critical' },
  unobserved: { label: 'Nobody called since', tone: 'info' },
};

export const VERB_NAMES: Record<ResponseVerb, string> = { approve: 'Approve', veto: 'Veto', undo: 'Undo' };

const REASONS: Record<string, string> = {
  protected_token: 'the token is protected',
  protected_credential: 'the credential is protected',
  protected_consumer: 'the consumer is protected',
  already_revoked: 'the token is revoked already',
  rate_limited: 'too many responses within the hour',
  too_old: 'the finding was too old to act on',
  superseded: 'another response took its place',
  process_died: 'the process died between asking and hearing',
};

/** A short code of the journal in words. */
export function responseReason(reason: string | undefined): string {
  if (reason === undefined || reason === '') return '';
  const status = /^http_(\d{3})$/.exec(reason);
  return REASONS[reason] ?? (status ? `the target answered ${status[1]}` : words(reason).toLowerCase());
}

/** What a verb does to this response, said before it is done. */
export function verbDoes(response: Response, verb: ResponseVerb): string {
  const dry = response.mode === 'dry_run' ? ' This is a dry run: nothing is asked of anybody.' : '';
  const what = ACTION_NAMES[response.action].toLowerCase();
  if (verb === 'veto') return `${response.target} is not asked to ${what} the token. It stays as it is.${dry}`;
  if (verb === 'undo') return `${response.target} is asked to take it back. Calls with the token are let in again.${dry}`;
  const missing = approvalsMissing(response);
  if (missing > 1) return `One of ${response.approvals_needed} approvals. Nothing happens until ${missing - 1} more ${missing === 2 ? 'person has' : 'people have'} approved.${dry}`;
  return `${response.target} is asked at once to ${what} the token.${dry}`;
}

/** How many people have still to approve. */
export function approvalsMissing(response: Response): number {
  return Math.max(0, (response.approvals_needed ?? 1) - (response.approvals?.length ?? 0));
}

/** What happens when nobody decides, and in how long. */
export function holdText(response: Response, now: number): string {
  if (response.result !== 'held' || response.held_until === undefined) return '';
  const left = (Date.parse(response.held_until) - now) / 1000;
  const end = response.at_hold_end === 'act' ? 'it is done unless somebody vetoes' : 'it lapses unless somebody approves';
  return left > 0 ? `In ${duration(left)} ${end}.` : 'Its hold has ended; what comes of it shows in a moment.';
}

/** What exactly is asked for: until when, at how many calls, from where. */
export function termsOf(response: Response): string[] {
  const terms: string[] = [];
  if (response.calls_per_minute !== undefined) terms.push(`${count(response.calls_per_minute)} calls a minute`);
  if (response.lasts_s !== undefined && response.ends_at === undefined) terms.push(`for ${duration(response.lasts_s)}`);
  if (response.networks?.length) terms.push(`from ${response.networks.join(', ')} alone`);
  return terms;
}

/** A step of the way from detection to effect; `took` is how long after the step before. */
export interface ResponseStep {
  name: string;
  at: string;
  took: string;
}

/** Detection, decision, request, answer, effect, as far as it came. */
export function stepsOf(response: Response): ResponseStep[] {
  const all: [string, string | undefined][] = [
    ['Detected', response.detected_at],
    ['Decided', response.decided_at],
    ['Asked', response.asked_at],
    ['Answered', response.answered_at],
    ['Took effect', response.effect?.effective_at],
  ];
  const steps: ResponseStep[] = [];
  let before: number | undefined;
  for (const [name, at] of all) {
    if (at === undefined) continue;
    const ms = Date.parse(at);
    steps.push({ name, at, took: before === undefined ? '' : latency(Math.max(0, ms - before)) });
    before = ms;
  }
  return steps;
}

/** From detection to effect, or to the answer while no effect is known. */
export function timeToEffect(response: Response): string | undefined {
  const end = response.effect?.effective_at ?? response.answered_at;
  if (end === undefined || response.detected_at === undefined) return undefined;
  return latency(Math.max(0, Date.parse(end) - Date.parse(response.detected_at)));
}

/** How the token was used before: what stops when it stops. */
export function blastRows(response: Response): { name: string; value: string }[] {
  const radius = response.blast_radius;
  if (radius === undefined) return [];
  const rows: [string, string | undefined][] = [
    ['Calls a minute', radius.calls_per_minute === undefined ? undefined : figure(radius.calls_per_minute)],
    ['Calls in 24 h', radius.calls_24h === undefined ? undefined : count(radius.calls_24h)],
    ['Owner', [radius.owner, radius.team].filter((part) => part).join(', ') || undefined],
    ['Contact', radius.contact],
    ['Environment', radius.environment],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

/** The newest line of each response, the newest response first. */
export function newestOf(lines: readonly Response[]): Response[] {
  const newest = new Map<string, Response>();
  for (const line of lines) {
    const known = newest.get(line.id);
    const apart = known === undefined ? 1 : Date.parse(line.at) - Date.parse(known.at);
    // Of two lines of the same moment, the one that says how it ended is the newer.
    if (apart > 0 || (apart === 0 && line.result !== 'intended')) newest.set(line.id, line);
  }
  return [...newest.values()].toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
}
