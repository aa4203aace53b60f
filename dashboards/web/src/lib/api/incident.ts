// The JSON of incidents and explanations. What is unknown is absent.
import type { Handling, Saying } from './operators';
import type { Finding, FindingStatus, FindingToken, Notification, Response, Series, BandPoint, Severity, SubjectKind } from './types';

export interface FamilyEvidence {
  family: string;
  detector: string;
  db: number;
  /** It cannot be explained by a change of habit. */
  hard: boolean;
}

export interface Incident {
  id: string;
  revision: number;
  status: FindingStatus;
  severity: Severity;
  confidence: number;
  evidence_db: number;
  subject: { kind: SubjectKind; id: string };
  token?: FindingToken;
  first_event_at: string;
  last_event_at: string;
  detected_at: string;
  detectors: string[];
  evidence: FamilyEvidence[];
  finding_ids: string[];
  summary: string;
}

export interface IncidentDetail {
  incident: Incident;
  findings: Finding[];
  series: Series & { band: BandPoint[] };
  notifications: Notification[];
  responses: Response[];
  handling: Handling;
  sayings: Saying[];
  /** Of its findings, by their ids. */
  findings_handling: Record<string, Handling>;
}

export type Verdict =
  | 'finding'
  | 'signal'
  | 'unconfirmed'
  | 'common_mode'
  | 'excepted'
  | 'off'
  | 'learning'
  | 'no_data'
  | 'below_threshold';

export interface DetectorView {
  detector: string;
  verdict: Verdict;
  reason: string;
  figures: { name: string; observed: number; expected?: number; threshold?: number }[];
  finding_id?: string;
  severity?: Severity;
}

/** What `tokenwatch explain` tells. */
export interface Account {
  at: string;
  token: FindingToken;
  events: { since: string; count: number; first: string | null; last: string | null };
  explanation: {
    as_of: string;
    baseline_days: number;
    mature_days: number;
    evidence_db: number;
    families: number;
    hard_families: number;
    detectors: DetectorView[];
  } | null;
  findings: { finding: Finding; notifications: Notification[]; responses: Response[] }[];
  fleet: Finding[];
  arrivals: { events: number; late: number; longest_s: number; ahead: number };
  gaps: { from: string; to: string }[];
}
