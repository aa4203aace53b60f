// The JSON of responses: what gateways and identity providers were asked to do about a token.
import type { Finding, ResponseMode } from './types';

export type ResponseAction = 'throttle' | 'restrict' | 'suspend' | 'revoke';

export type ResponseResult =
  | 'held'
  | 'intended'
  | 'delivered'
  | 'failed'
  | 'would_respond'
  | 'withheld'
  | 'unknown'
  | 'vetoed'
  | 'lapsed'
  | 'undoing'
  | 'undone'
  | 'undo_failed';

export type EffectState = 'watching' | 'effective' | 'ineffective' | 'unobserved';

export interface NodeEffect {
  gateway: string;
  state: 'effective' | 'ineffective';
  last_accepted_at?: string;
  first_refused_at?: string;
  lag_ms?: number;
  accepted?: number;
  refused?: number;
}

export interface BlastRadius {
  as_of?: string;
  calls_per_minute?: number;
  calls_24h?: number;
  last_call_at?: string;
  clients?: { user_agent: string; calls: number }[];
  networks?: { network: string; country?: string; calls: number }[];
  endpoints?: { endpoint: string; calls: number }[];
  owner?: string;
  team?: string;
  contact?: string;
  environment?: string;
}

/** The newest line of a response's journal. */
export interface Response {
  id: string;
  finding_id: string;
  token_id: string;
  action: ResponseAction;
  target: string;
  mode: ResponseMode;
  at: string;
  result: ResponseResult;
  reason?: string;
  rule?: string;
  detected_at?: string;
  decided_at?: string;
  asked_at?: string;
  answered_at?: string;
  held_until?: string;
  at_hold_end?: 'act' | 'lapse';
  approvals_needed?: number;
  approvals?: { actor: string; at: string }[];
  actor?: string;
  /** Seconds that it lasts, once the target said yes. */
  lasts_s?: number;
  ends_at?: string;
  calls_per_minute?: number;
  networks?: string[];
  can_undo?: boolean;
  blast_radius?: BlastRadius;
  effect?: { state: EffectState; checked_at?: string; effective_at?: string; lag_ms?: number; nodes?: NodeEffect[] };
}

export type ResponseVerb = 'approve' | 'veto' | 'undo';

export interface ResponseOrder {
  at: string;
  actor: string;
  verb: ResponseVerb;
  note?: string;
}

export interface ResponseDetail {
  response: Response;
  lines: Response[];
  orders: ResponseOrder[];
  finding: Finding | null;
  may: Record<ResponseVerb, boolean>;
}
