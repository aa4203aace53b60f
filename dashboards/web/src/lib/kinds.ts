// What sorts of credentials and subjects are called.
import type { SubjectKind, TokenKind } from './api/types';

export const KIND_NAMES: Record<TokenKind, string> = {
  api_key: 'API key',
  jwt: 'JWT grant',
  session: 'Session',
  unknown: 'Unknown kind',
};

/** What a chart of a subject's calls is called; only a token has a baseline of its own. */
export function callsOf(subject: SubjectKind): string {
  const titles: Record<SubjectKind, string> = {
    token: 'Against the token’s own baseline',
    source: 'Calls from this source',
    consumer: 'Calls of this consumer',
    fleet: 'Calls of the whole fleet',
  };
  return titles[subject];
}
