import { expect, test } from 'vitest';

import type { Registration } from '../src/lib/api/types';
import { registrationRows } from '../src/lib/registration';
import { entryOf, valuesOf } from '../src/lib/registration-form';

test('only what is said becomes a row, a revocation first', () => {
  const rows = registrationRows(
    { class: 'privileged', protected: false, owner: 'Ada', revoked: '2026-11-22T06:40:00.000Z', quota: '100/day', scopes: [], allowed_countries: ['DE', 'AT'] },
    (ms) => new Date(ms).toISOString(),
  );
  expect(rows.map((row) => `${row.name}: ${row.value}`)).toEqual([
    'Revoked: 2026-11-22T06:40:00.000Z',
    'Owner: Ada',
    'Class: Privileged',
    'Quota: 100 calls per day',
    'Countries: DE, AT',
  ]);
  expect(rows[0]?.grave).toBe(true);
});

test('what is saved as it was shown says the same', () => {
  const said: Registration = {
    class: 'sensitive',
    protected: true,
    owner: 'Ada',
    revoked: '2026-11-22T06:40:00.000Z',
    gateway: 'kong',
    aliases: ['tok_0kb9pz7fpavkj9fx2btege9yg5', 'orders-key'],
    allowed_networks: ['203.0.113.0/24'],
    quota: '100/day',
  };
  expect(entryOf(valuesOf(said), said)).toEqual(said);
});
