// The JSON of incidents and explanations. What is unknown is absent.
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
}
