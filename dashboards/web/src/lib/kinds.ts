// What sorts of credentials are called.
import type { TokenKind } from './api/types';

export const KIND_NAMES: Record<TokenKind, string> = {
  api_key: 'API key',
  jwt: 'JWT grant',
  session: 'Session',
  unknown: 'Unknown kind',
};
