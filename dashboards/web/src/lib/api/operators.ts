// The JSON of what people say and do: words on findings, silences, the audit trail, and what came of them.
import type { Finding, Severity, SubjectKind } from './types';

export type Word =
  | 'acknowledged'
  | 'acknowledgement_withdrawn'
  | 'true'
  | 'benign'
  | 'expected_change'
  | 'duplicate'
  | 'closed'
  | 'reopened';

export interface Saying {
  subject: string;
  at: string;
  actor: string;
  word: Word;
  duplicate_of?: string;
  note?: string;
}

export type HandlingState = 'new' | 'acknowledged' | 'closed';

/** Where people's words leave a finding or an incident; not whether its episode goes on. */
export interface Handling {
  state: HandlingState;
  actor?: string;
  at?: string;
  verdict?: Saying;
}

export interface NewVerdict {
  subjects: string[];
  verdict: Word;
  duplicate_of?: string;
  close?: boolean;
  note?: string;
}

export interface Matcher {
  severity?: Severity;
  detectors?: string[];
  subjects?: SubjectKind[];
  tokens?: string[];
  consumers?: string[];
  owners?: string[];
  teams?: string[];
  environments?: string[];
  tags?: string[];
  findings?: string[];
  incidents?: string[];
}

export interface Silence {
  id: string;
  starts_at: string;
  ends_at: string;
  created_by: string;
  reason: string;
  matcher: Matcher;
  state: 'pending' | 'active' | 'ended';
}

export interface SilencePreview {
  open: number;
  matched: number;
  looked_at: number;
  is_partial: boolean;
  findings: Finding[];
}

export interface RouteStep {
  route: string;
  depth: number;
  verdict: 'takes' | 'leaves_it_to_child' | 'shut' | 'not_asked' | { mismatch: string };
}

/** Which routes take a finding, as they are configured now. */
export interface RoutingAccount {
  steps: RouteStep[];
  ways: { receiver: string; route: string; terms: string[] }[];
}

export interface DetectorRecord {
  detector: string;
  findings: number;
  judged: number;
  true_positives: number;
  benign: number;
  expected_changes: number;
  duplicates: number;
  messages: number;
  false_messages: number;
  precision?: { share: number; low: number; high: number };
  demotion?: string;
}

export interface AuditLine {
  at: string;
  actor: string;
  action: string;
  subject: string;
  detail: string;
}
