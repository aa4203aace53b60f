// Which page a path names. Pure.

export type Route =
  | { page: 'overview' }
  | { page: 'findings' }
  | { page: 'finding'; id: string }
  | { page: 'incidents' }
  | { page: 'incident'; id: string }
  | { page: 'tokens' }
  | { page: 'token'; id: string }
  | { page: 'detector'; name: string }
  | { page: 'login' }
  | { page: 'unknown' };

export function routeOf(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const [section, id] = parts;
  if (section === undefined) return { page: 'overview' };
  if (parts.length === 1) {
    if (section === 'findings' || section === 'incidents' || section === 'tokens' || section === 'login') {
      return { page: section };
    }
  } else if (parts.length === 2 && id !== undefined) {
    const decoded = decode(id);
    if (decoded !== undefined && section === 'findings') return { page: 'finding', id: decoded };
    if (decoded !== undefined && section === 'incidents') return { page: 'incident', id: decoded };
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
  return undefined;
}

/** Where to go after login: a path of this console, never another host. */
export function safeReturn(path: string | null): string {
  return path !== null && /^\/(?![/\\])/.test(path) && !path.startsWith('/login') ? path : '/';
}
