// The detectors' contract names, in the order of the documentation, and what each counts.

export const DETECTORS: readonly string[] = ['rate_spike', 'new_geography', 'failure_burst', 'out_of_scope'];

/** What the figures `observed` and `expected` of a detector's evidence count. */
export function countedBy(detector: string): string {
  if (detector === 'failure_burst') return 'failed calls';
  if (detector === 'out_of_scope') return 'calls outside its scope';
  return 'calls';
}
