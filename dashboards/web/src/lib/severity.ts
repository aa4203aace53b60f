// Severities in order, their names, and what they ask of people.
import type { Severity } from './api/types';

/** Gravest first: the order in which people read them. */
export const SEVERITIES: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

export const SEVERITY_NAMES: Record<Severity, string> = {
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  low: 'Low',
  info: 'Info',
};

export const SEVERITY_MEANINGS: Record<Severity, string> = {
  critical: 'act now',
  high: 'page',
  medium: 'ticket',
  low: 'worth a look',
  info: 'context',
};

/** 0 for info to 4 for critical. */
export function rank(severity: Severity): number {
  return SEVERITIES.length - 1 - SEVERITIES.indexOf(severity);
}

export function isSeverity(text: string): text is Severity {
  return (SEVERITIES as readonly string[]).includes(text);
}
