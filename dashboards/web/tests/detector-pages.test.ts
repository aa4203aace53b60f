import { expect, test } from 'vitest';

import { detectorPage, DOCUMENTED } from '../src/lib/detector-pages';

test('every page of the documentation is built in, as HTML without a heading of its own', async () => {
  expect(DOCUMENTED).toContain('rate_spike');
  for (const name of DOCUMENTED) {
    const page = await detectorPage(name);
    expect(page?.name).toBe(name);
    expect(page?.html).toContain('<p>');
    expect(page?.html).not.toContain('<h1');
  }
});

test('what is no detector has no page', async () => {
  expect(await detectorPage('../alerting')).toBeUndefined();
  expect(await detectorPage('nothing')).toBeUndefined();
});
