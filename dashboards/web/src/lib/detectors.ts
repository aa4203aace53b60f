// The detectors' contract names, as far as the documentation has a page of each (a test of the workspace sees to that), and
// what each counts.
export { DOCUMENTED as DETECTORS } from './detector-pages';

const COUNTED: Record<string, string> = {
  data_volume_spike: 'bytes',
  failure_burst: 'failed calls',
  endpoint_enumeration: 'distinct paths',
  token_sharing: 'networks',
  out_of_scope: 'calls outside its scope',
  new_endpoint: 'calls to new endpoints',
  privilege_use: 'privileged calls',
  credential_stuffing: 'tokens tried',
  token_guessing: 'refused calls',
  fleet_failure: 'tokens that fail together',
  ip_not_allowed: 'calls from other networks',
  geofence_violation: 'calls from other countries',
  expired_token_use: 'calls after its end',
  revoked_token_use: 'calls after its revocation',
  long_lived_token: 'days',
  rotation_overdue: 'days',
  blind_window: 'calls, records or seconds, as its statistic says',
};

/** What the figures `observed` and `expected` of a detector's evidence count. */
export function countedBy(detector: string): string {
  return COUNTED[detector] ?? 'calls';
}
