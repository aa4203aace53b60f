// What the registry says of a token, as rows to read.
import type { KnownRegistration, Registration } from './api/types';

export const ORIGIN_NAMES: Record<KnownRegistration['origin'], string> = {
  file: 'From the inventory file',
  http: 'From the inventory service',
  api: 'Registered by a user',
  response: 'Revoked by a response',
};

const CLASS_NAMES: Record<Registration['class'], string> = {
  standard: 'Standard',
  sensitive: 'Sensitive',
  privileged: 'Privileged',
};

export interface RegistrationRow {
  name: string;
  value: string;
  /** Whether it needs to be seen first. */
  grave: boolean;
}

/** The facts that are there, in the order in which one asks for them; `at` writes a time. */
export function registrationRows(said: Registration, at: (ms: number) => string): RegistrationRow[] {
  const time = (text: string | undefined): string | undefined => (text === undefined ? undefined : at(Date.parse(text)));
  const list = (items: string[] | undefined): string | undefined => (items === undefined || items.length === 0 ? undefined : items.join(', '));
  const rows: [string, string | undefined, boolean?][] = [
    ['Revoked', time(said.revoked), true],
    ['Owner', said.owner],
    ['Team', said.team],
    ['Contact', said.contact],
    ['Environment', said.environment],
    ['Class', CLASS_NAMES[said.class]],
    ['Protected', said.protected ? 'Never revoked by a machine' : undefined, true],
    ['Created', time(said.created)],
    ['Expires', time(said.expires)],
    ['Rotated every', said.rotation_period ?? undefined],
    ['Replaces', said.replaces],
    ['Other names', list(said.aliases)],
    ['Quota', said.quota === undefined ? undefined : said.quota.replace('/', ' calls per ')],
    ['Scopes', list(said.scopes)],
    ['Networks', list(said.allowed_networks)],
    ['Countries', list(said.allowed_countries)],
  ];
  return rows.flatMap(([name, value, grave = false]) => (value === undefined ? [] : [{ name, value, grave }]));
}
