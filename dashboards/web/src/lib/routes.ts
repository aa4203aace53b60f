// Which page a path names. Pure.

export type Route =
  | { page: 'overview' }
  | { page: 'findings' }
  | { page: 'finding'; id: string }
  | { page: 'incidents' }
  | { page: 'incident'; id: string }
  | { page: 'tokens' }
  | { page: 'token'; id: string }
  | { page: 'responses' }
  | { page: 'response'; id: string }
  | { page: 'ledger' }
  | { page: 'silences' }
  | { page: 'detectors' }
  | { page: 'audit' }
  | { page: 'detector'; name: string }
  | { page: 'login' }
  | { page: 'unknown' };

/** Pages that one word names. */
const PLAIN = ['findings', 'incidents', 'tokens', 'responses', 'ledger', 'silences', 'detectors', 'audit', 'login'] as const;

export function routeOf(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const [section, id] = parts;
  if (section === undefined) return { page: 'overview' };
  if (parts.length === 1) {
    const known = PLAIN.find((page) => page === section);
    if (known !== undefined) return { page: known };
  } else if (parts.length === 2 && id !== undefined) {
    const decoded = decode(id);
    if (decoded !== undefined && section === 'findings') return { page: 'finding', id: decoded };
    if (decoded !== undefined && section === 'incidents') return { page: 'incident', id: decoded };
    if (decoded !== undefined && section === 'responses') return { page: 'response', id: decoded };
    if (decoded !== undefined && section === 'tokens') return { page: 'token', id: decoded };
  } else if (parts.length === 3 && section === 'docs' && id === 'detectors' && parts[2] !== undefined) {
    const name = decode(parts[2]);
    if (name !== undefined) return { page: 'detector', name };
  }
  return { page: 'unknown' };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

export function findingPath(id: string): string {
  return `/findings/${encodeURIComponent(id)}`;
}

export function incidentPath(id: string): string {
  return `/incidents/${encodeURIComponent(id)}`;
}

export function responsePath(id: string): string {
  return `/responses/${encodeURIComponent(id)}`;
}

/** The page about what the audit trail or a verdict names, if it has one. */
export function subjectPath(subject: string): string | undefined {
  if (subject.startsWith('fnd_')) return findingPath(subject);
  if (subject.startsWith('inc_')) return incidentPath(subject);
  if (subject.startsWith('tok_')) return tokenPath(subject);
  if (subject.startsWith('rsp_')) return responsePath(subject);
  if (subject.startsWith('sil_')) return `/silences#${encodeURIComponent(subject)}`;
  return undefined;
}

/** The documentation of a detector. */
export function detectorPath(name: string): string {
  return `/docs/detectors/${encodeURIComponent(name)}`;
}

export function tokenPath(id: string): string {
  return `/tokens/${encodeURIComponent(id)}`;
}

/** The page that a pasted id names. */
export function pathOfId(text: string): string | undefined {
  const id = text.trim();
  if (/^tok_[0-9a-hjkmnp-tv-z]{26}$/.test(id)) return tokenPath(id);
  if (/^fnd_[0-9a-hjkmnp-tv-z]{26}$/.test(id)) return findingPath(id);
  if (/^inc_[0-9a-hjkmnp-tv-z]{26}$/.test(id)) return incidentPath(id);
  if (/^rsp_[0-9a-z]+$/.test(id)) return responsePath(id);
  return undefined;
}

/** Where to go after login: a path of this console, never another host. */
export function safeReturn(path: string | null): string {
  return path !== null && /^\/(?![/\\])/.test(path) && !path.startsWith('/login') ? path : '/';
}
