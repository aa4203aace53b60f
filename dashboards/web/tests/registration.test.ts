import { expect, test } from 'vitest';

import { registrationRows } from '../src/lib/registration';

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
