// The registration of a token as a form: fields as texts, and back to what the API takes. Pure.
import type { Registration } from './api/types';
import { listOf } from './silences';

export interface Field {
  key: keyof Registration;
  label: string;
  hint: string;
  kind: 'text' | 'list' | 'time' | 'class' | 'flag';
}

export const FIELDS: readonly Field[] = [
  { key: 'owner', label: 'Owner', hint: 'Who answers for it', kind: 'text' },
  { key: 'team', label: 'Team', hint: '', kind: 'text' },
  { key: 'contact', label: 'Contact', hint: 'An address or a channel', kind: 'text' },
  { key: 'environment', label: 'Environment', hint: 'production, staging', kind: 'text' },
  { key: 'class', label: 'Class', hint: 'How much harm it can do', kind: 'class' },
  { key: 'allowed_networks', label: 'Networks', hint: '203.0.113.0/24, one or several', kind: 'list' },
  { key: 'allowed_countries', label: 'Countries', hint: 'DE, AT', kind: 'list' },
  { key: 'scopes', label: 'Scopes', hint: 'orders:read', kind: 'list' },
  { key: 'created', label: 'Created', hint: '2026-09-01 or a time, UTC', kind: 'time' },
  { key: 'expires', label: 'Expires', hint: '2027-09-01 or a time, UTC', kind: 'time' },
  { key: 'rotation_period', label: 'Rotate every', hint: '90d', kind: 'text' },
  { key: 'quota', label: 'Quota', hint: '100000/day', kind: 'text' },
  { key: 'replaces', label: 'Replaces', hint: 'The token or credential before it', kind: 'text' },
  { key: 'aliases', label: 'Other names', hint: 'tok_…, or what another gateway calls it', kind: 'list' },
  { key: 'gateway', label: 'Gateway', hint: 'kong: whose name of the credential this is', kind: 'text' },
  { key: 'protected', label: 'Protected', hint: 'Never revoked by a machine', kind: 'flag' },
];

export type FormValues = Record<string, string | boolean>;

/** The fields' texts, from what is registered. */
export function valuesOf(said: Partial<Registration> | undefined): FormValues {
  const text = (field: Field): string | boolean => {
    const value = said?.[field.key];
    if (field.kind === 'flag') return value === true;
    if (field.kind === 'class') return typeof value === 'string' ? value : 'standard';
    if (Array.isArray(value)) return value.join(', ');
    return typeof value === 'string' ? value : '';
  };
  return Object.fromEntries(FIELDS.map((field) => [field.key, text(field)]));
}

/** What to send: nothing of what is empty. `revoked` is kept, which the form does not show. */
export function entryOf(values: FormValues, said: Partial<Registration> | undefined): Partial<Registration> {
  const entry: Record<string, unknown> = said?.revoked === undefined ? {} : { revoked: said.revoked };
  for (const field of FIELDS) {
    const value = values[field.key];
    if (field.kind === 'flag') entry[field.key] = value === true;
    else if (typeof value === 'string' && value.trim() !== '') {
      entry[field.key] = field.kind === 'list' ? listOf(value) : value.trim();
    }
  }
  return entry as Partial<Registration>;
}

/** The field that a complaint of the API begins with, and the rest of it. */
export function complaintOf(detail: string): { key: string | undefined; message: string } {
  const match = /^(\w+): (.+)$/s.exec(detail);
  const key = match?.[1];
  return FIELDS.some((field) => field.key === key) ? { key, message: match?.[2] ?? detail } : { key: undefined, message: detail };
}
