// Speaks to the HTTP API of the dashboards crate. Every failure becomes an ApiError with words for people; 401 is
// announced to `onUnauthorized`, so that the session store can show the login.
import type { Account, Incident, IncidentDetail } from './incident';
import type { AuditLine, DetectorRecord, Matcher, NewVerdict, RoutingAccount, Silence, SilencePreview } from './operators';
import type { Response, ResponseDetail, ResponseVerb } from './responses';
import type {
  AccessEvent,
  ClientUse,
  Finding,
  FindingDetail,
  Handled,
  Notification,
  Overview,
  Paged,
  Pipeline,
  Place,
  Registration,
  RouteUse,
  TokenDetail,
  TokenRow,
  TokenSeries,
  User,
} from './types';

const BASE = '/api/v1';

export type Query = Record<string, string | number | undefined | null>;

export class ApiError extends Error {
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  /** Seconds to wait, where the server says. */
  readonly retryAfter: number | undefined;

  constructor(status: number, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the server could not be reached or is failing, as opposed to having refused. */
  get away(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

let unauthorized: () => void = () => {};

/** Says what to do when the session has ended. */
export function onUnauthorized(handler: () => void): void {
  unauthorized = handler;
}

/** The query text of `query`, without what is empty; starts with `?` unless nothing is left. */
export function queryText(query: Query): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

async function problem(response: globalThis.Response): Promise<ApiError> {
  let message = `The server answered ${response.status}.`;
  try {
    const body = (await response.json()) as { title?: string; detail?: string };
    message = body.detail || body.title || message;
  } catch {
    // Not a problem document, for instance a proxy's page: the status has to do.
  }
  const retryAfter = Number(response.headers.get('retry-after'));
  return new ApiError(response.status, message, retryAfter > 0 ? retryAfter : undefined);
}

async function request<T>(path: string, init: RequestInit, quiet401 = false): Promise<T> {
  let response: globalThis.Response;
  try {
    response = await fetch(BASE + path, { credentials: 'same-origin', ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The server does not answer.');
  }
  if (!response.ok) {
    if (response.status === 401 && !quiet401) unauthorized();
    throw await problem(response);
  }
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { headers: { accept: 'application/json' } };
  if (signal) init.signal = signal;
  return request(path + queryText(query), init);
}

const MUTATION = { 'x-tokenwatch-request': '1' };

function change<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
  if (body === undefined) return request(path, { method, headers: MUTATION });
  const headers = { ...MUTATION, 'content-type': 'application/json' };
  return request(path, { method, headers, body: JSON.stringify(body) });
}

const at = encodeURIComponent;

export const api = {
  session: () => request<{ user: User }>('/session', {}, true),
  login: (username: string, password: string) =>
    request<{ user: User }>(
      '/session',
      {
        method: 'POST',
        headers: { ...MUTATION, 'content-type': 'application/json' },
        body: JSON.stringify({ username, password }),
      },
      true,
    ),
  logout: () => request<void>('/session', { method: 'DELETE', headers: MUTATION }, true),

  overview: (range: string, signal?: AbortSignal) => get<Overview>('/overview', { range }, signal),
  pipeline: (signal?: AbortSignal) => get<Pipeline>('/pipeline', {}, signal),

  findings: (query: Query, signal?: AbortSignal) => get<Handled<Finding>>('/findings', query, signal),
  finding: (id: string, signal?: AbortSignal) =>
    get<FindingDetail>(`/findings/${encodeURIComponent(id)}`, {}, signal),
  findingEvents: (id: string, query: Query, signal?: AbortSignal) =>
    get<Paged<AccessEvent>>(`/findings/${encodeURIComponent(id)}/events`, query, signal),

  incidents: (query: Query, signal?: AbortSignal) => get<Handled<Incident>>('/incidents', query, signal),
  incident: (id: string, signal?: AbortSignal) =>
    get<IncidentDetail>(`/incidents/${encodeURIComponent(id)}`, {}, signal),

  routing: (finding: string, signal?: AbortSignal) => get<RoutingAccount>(`/findings/${at(finding)}/routing`, {}, signal),
  say: (verdict: NewVerdict) => change<{ said_of: number }>('POST', '/verdicts', verdict),
  ledger: (query: Query, signal?: AbortSignal) => get<Paged<Notification>>('/notifications', query, signal),
  detectors: (query: Query, signal?: AbortSignal) => get<{ items: DetectorRecord[] }>('/detectors', query, signal),
  demote: (detector: string) => change<{ configuration: string }>('POST', `/detectors/${at(detector)}/demotion`),
  audit: (query: Query, signal?: AbortSignal) => get<Paged<AuditLine> & { actions: string[] }>('/audit', query, signal),

  silences: (signal?: AbortSignal) => get<{ items: Silence[] }>('/silences', {}, signal),
  previewSilence: (matcher: Matcher) => change<SilencePreview>('POST', '/silences/preview', { matcher }),
  createSilence: (silence: { starts_at?: string; ends_at: string; reason: string; matcher: Matcher }) => change<Silence>('POST', '/silences', silence),
  changeSilence: (id: string, changed: { ends_at?: string; reason?: string }) => change<Silence>('PATCH', `/silences/${at(id)}`, changed),
  endSilence: (id: string) => change<void>('DELETE', `/silences/${at(id)}`),

  responses: (query: Query, signal?: AbortSignal) => get<Paged<Response>>('/responses', query, signal),
  response: (id: string, signal?: AbortSignal) => get<ResponseDetail>(`/responses/${at(id)}`, {}, signal),
  order: (id: string, verb: ResponseVerb, note: string) => change<{ response: Response }>('POST', `/responses/${at(id)}/${verb}`, { note }),

  register: (token: string, entry: Partial<Registration>) => change<{ since: string; registration: Registration }>('PUT', `/tokens/${at(token)}/registration`, entry),
  unregister: (token: string) => change<void>('DELETE', `/tokens/${at(token)}/registration`),

  tokens: (query: Query, signal?: AbortSignal) => get<Paged<TokenRow>>('/tokens', query, signal),
  token: (id: string, signal?: AbortSignal) =>
    get<TokenDetail>(`/tokens/${encodeURIComponent(id)}`, {}, signal),
  tokenSeries: (id: string, query: Query, signal?: AbortSignal) =>
    get<TokenSeries>(`/tokens/${encodeURIComponent(id)}/series`, query, signal),
  tokenPlaces: (id: string, query: Query, signal?: AbortSignal) =>
    get<{ items: Place[] }>(`/tokens/${encodeURIComponent(id)}/geography`, query, signal),
  tokenRoutes: (id: string, query: Query, signal?: AbortSignal) =>
    get<{ items: RouteUse[] }>(`/tokens/${encodeURIComponent(id)}/routes`, query, signal),
  tokenClients: (id: string, query: Query, signal?: AbortSignal) =>
    get<{ items: ClientUse[] }>(`/tokens/${encodeURIComponent(id)}/clients`, query, signal),
  explain: (id: string, query: Query, signal?: AbortSignal) =>
    get<Account>(`/tokens/${encodeURIComponent(id)}/explain`, query, signal),
  tokenEvents: (id: string, query: Query, signal?: AbortSignal) =>
    get<Paged<AccessEvent>>(`/tokens/${encodeURIComponent(id)}/events`, query, signal),
};
