// The JSON of the API, as the `model` crate and the `dashboards` crate serialise it. Times are RFC 3339 in UTC.
// What is unknown is absent.
import type { Incident } from './incident';
import type { Handling, Saying } from './operators';
import type { Response } from './responses';

export type { Response, ResponseResult } from './responses';

export type Severity = 'info' | 'low' | 'medium' | 'high' | 'critical';
export type FindingStatus = 'open' | 'closed';
export type SubjectKind = 'token' | 'source' | 'consumer' | 'fleet';
export type TokenKind = 'api_key' | 'jwt' | 'session' | 'unknown';
export type Outcome =
  | 'ok'
  | 'denied'
  | 'not_found'
  | 'throttled'
  | 'client_error'
  | 'server_error'
  | 'aborted';
export type ResponseMode = 'off' | 'dry_run' | 'enforce';
export type NotificationResult = 'sending' | 'sent' | 'failed' | 'muted' | 'waiting';
export type Range = '1h' | '6h' | '24h' | '7d' | '30d';

export interface User {
  name: string;
  role: string;
}

export interface FindingToken {
  id: string;
  credential_id?: string;
  consumer?: string;
  owner?: string;
  team?: string;
  environment?: string;
}

export interface Evidence {
  observed?: number;
  expected?: number;
  habitual_peak?: number;
  window_s?: number;
  window_start?: string;
  statistic?: string;
  p_value?: number;
  baseline_days?: number;
  usual?: string;
  source_ips?: string[];
  countries?: string[];
  routes?: string[];
  user_agents?: string[];
  request_ids?: string[];
}

export interface Finding {
  id: string;
  revision: number;
  detector: string;
  severity: Severity;
  confidence: number;
  status: FindingStatus;
  evidence_db: number;
  subject: { kind: SubjectKind; id: string };
  token?: FindingToken;
  first_event_at: string;
  last_event_at: string;
  detected_at: string;
  event_count: number;
  summary: string;
  evidence: Evidence;
  incident_id?: string;
  attack: string[];
  owasp: string[];
}

export interface Signal {
  ts: string;
  detector: string;
  subject: { kind: SubjectKind; id: string };
  token?: FindingToken;
  evidence_db: number;
  summary: string;
  evidence: Evidence;
  finding_id?: string;
}

export interface AccessEvent {
  ts: string;
  format: string;
  request_id?: string;
  token?: {
    id: string;
    kind: TokenKind;
    credential_id?: string;
    instance?: string;
    consumer?: string;
    scopes?: string[];
    fingerprint?: string;
  };
  client: {
    ip?: string;
    country?: string;
    city?: string;
    latitude?: number;
    longitude?: number;
    asn?: number;
    as_org?: string;
    user_agent?: string;
    ja4?: string;
  };
  http: {
    method?: string;
    host?: string;
    path?: string;
    route?: string;
    status?: number;
    bytes_in?: number;
    bytes_out?: number;
    latency_ms?: number;
  };
  tls?: { version?: string };
  outcome: Outcome;
  flags?: string[];
  origin: { gateway?: string; topic?: string; partition?: number; offset?: number; index?: number };
}

export interface Notification {
  id: string;
  finding_id: string;
  receiver: string;
  channel: string;
  occasion?: string;
  /** The group that it was announced with. */
  group?: string;
  step?: number;
  severity: Severity;
  /** When the message was decided on; the same in all of its lines. */
  begun_at?: string;
  at: string;
  attempts: number;
  result: NotificationResult;
  reason?: string;
}

export interface ProfilePlace {
  country?: string;
  asn?: number;
  first_seen: string;
  last_seen: string;
}

export interface TokenProfile {
  token_id: string;
  first_seen: string;
  last_seen: string;
  baseline_days: number;
  mature: boolean;
  weekday_hourly: number[];
  weekend_hourly: number[];
  peaks: { window_s: number; calls: number; max_28d: number }[];
  places: ProfilePlace[];
}

export type BySeverity = Record<Severity, number>;

export interface Overview {
  from: string;
  to: string;
  step_s: number;
  calls: { t: string; calls: number; failures: number; denied: number }[];
  totals: { calls: number; failures: number; tokens_active: number; findings_open: BySeverity };
  findings: ({ t: string } & BySeverity)[];
  top_findings: Finding[];
  detectors: { detector: string; count: number }[];
}

export interface LatencySummary {
  count: number;
  total_ms: number;
  p50_ms: number;
  p95_ms: number;
  p99_ms: number;
  max_ms: number;
}

export interface Pipeline {
  ready: boolean;
  version: string;
  started_at: string;
  events_per_s: number;
  kafka: { state: 'up' | 'down' | 'off'; detail?: string };
  store: { state: 'up' | 'down'; detail?: string };
  geo: { state: string; detail?: string };
  lag: { topic: string; partition: number; records: number; seconds: number }[];
  last_event_at?: string | null;
  last_checkpoint_at?: string | null;
  latency: { stored: LatencySummary; finding: LatencySummary; notified: LatencySummary };
  rejected: Record<string, number>;
  engine: { tokens: number; state_bytes: number };
  response_mode: ResponseMode;
}

export interface Paged<T> {
  items: T[];
  next_cursor?: string | null;
  total?: number;
}

/** A page, and where people's words leave what is on it. */
export interface Handled<T> extends Paged<T> {
  handling?: Record<string, Handling>;
}

export interface SeriesPoint {
  t: string;
  calls: number;
  failures: number;
}

export interface BandPoint {
  t: string;
  expected: number;
  high: number;
}

export interface Series {
  from?: string;
  to?: string;
  step_s: number;
  points: SeriesPoint[];
}

export interface FindingDetail {
  finding: Finding;
  incident: Incident | null;
  series: Series & { band: BandPoint[] };
  signals: Signal[];
  notifications: Notification[];
  responses: Response[];
  related: Finding[];
  handling: Handling;
  sayings: Saying[];
}

export interface TokenRow {
  id: string;
  kind: TokenKind;
  credential_id?: string;
  consumer?: string;
  first_seen: string;
  last_seen: string;
  calls_24h: number;
  failures_24h: number;
  findings_open: number;
  worst_severity?: Severity | null;
  countries: string[];
}

export interface Registration {
  token?: string;
  consumer?: string;
  gateway?: string;
  aliases?: string[];
  owner?: string;
  team?: string;
  contact?: string;
  environment?: string;
  class: 'standard' | 'sensitive' | 'privileged';
  scopes?: string[];
  allowed_networks?: string[];
  allowed_countries?: string[];
  created?: string;
  expires?: string;
  revoked?: string;
  rotation_period?: string;
  replaces?: string;
  quota?: string;
  protected: boolean;
}

export interface KnownRegistration {
  of: 'token' | 'credential' | 'consumer';
  origin: 'file' | 'http' | 'api' | 'response';
  since: string;
  registration: Registration;
}

export interface TokenDetail {
  token: TokenRow;
  profile: TokenProfile | null;
  registration: KnownRegistration | null;
  incidents: Incident[];
  findings: Finding[];
  responses: Response[];
}

export interface TokenSeries {
  from: string;
  to: string;
  step_s: number;
  points: SeriesPoint[];
  band: BandPoint[];
}

export interface Place {
  country?: string;
  city?: string;
  latitude?: number;
  longitude?: number;
  asn?: number;
  as_org?: string;
  calls: number;
  failures: number;
  first_seen: string;
  last_seen: string;
}

export interface RouteUse {
  method?: string;
  route?: string;
  calls: number;
  failures: number;
  last_seen: string;
}

export interface ClientUse {
  user_agent?: string;
  ip?: string;
  asn?: number;
  as_org?: string;
  country?: string;
  calls: number;
  failures: number;
  first_seen: string;
  last_seen: string;
}

export interface LiveStats {
  t: string;
  events_per_s: number;
  failures_per_s: number;
  lag_s: number;
}
