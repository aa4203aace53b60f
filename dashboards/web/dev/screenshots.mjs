// Takes pictures of every page at 390 and 1440 pixels, dark and light, and lists console errors.
//
//   node dev/screenshots.mjs [--url http://127.0.0.1:4180] [--out FOLDER] [--only name,…]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { chromium } from 'playwright-core';

import { LAUNCH } from '../e2e/browser.mjs';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:4180' },
    out: { type: 'string', default: 'shots' },
    only: { type: 'string', default: '' },
    full: { type: 'boolean', default: false },
    themes: { type: 'string', default: 'dark,light' },
    widths: { type: 'string', default: '1440,390' },
  },
});
mkdirSync(options.out, { recursive: true });

const browser = await chromium.launch(LAUNCH);
let errors = 0;

async function login(page) {
  await page.goto(options.url);
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill('admin');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('#main').waitFor();
}

for (const width of options.widths.split(',').map(Number)) {
  for (const colorScheme of options.themes.split(',')) {
    const context = await browser.newContext({ viewport: { width, height: width === 390 ? 844 : 900 }, colorScheme, deviceScaleFactor: 1 });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      errors += 1;
      console.log(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => {
      errors += 1;
      console.log(`page error: ${error.stack ?? error}`);
    });
    await page.goto(options.url);
    await page.getByLabel('Name').waitFor();
    await page.screenshot({ path: join(options.out, `login-${width}-${colorScheme}.png`) });
    await login(page);
    const found = await page.evaluate(async () => {
      const get = async (path) => (await fetch(`/api/v1${path}`)).json();
      const findings = await get('/findings?limit=50');
      const finding = findings.items.find((f) => f.detector === 'rate_spike' && f.status === 'open') ?? findings.items[0];
      const geo = findings.items.find((f) => f.detector === 'new_geography' && f.severity === 'critical') ?? findings.items[0];
      const incidents = await get('/incidents?sort=-severity');
      const responses = await get('/responses');
      return { response: responses.items[1]?.id, incident: incidents.items[0]?.id, finding: finding?.id, geo: geo?.token?.id };
    });
    const pages = { overview: '/', findings: '/findings', finding: `/findings/${found.finding}`, incidents: '/incidents', incident: `/incidents/${found.incident}`, docs: '/docs/detectors/rate_spike', tokens: '/tokens', token: `/tokens/${found.geo}`, responses: '/responses', response: `/responses/${found.response}`, ledger: '/ledger', silences: '/silences', detectors: '/detectors', audit: '/audit', unknown: '/nowhere' };
    for (const [name, path] of Object.entries(pages)) {
      if (options.only !== '' && !options.only.split(',').includes(name)) continue;
      await page.goto(options.url + path);
      await page.waitForLoadState('load');
      await page.waitForTimeout(1200);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) console.log(`${name} at ${width}: ${overflow} px too wide`);
      const path_ = join(options.out, `${name}-${width}-${colorScheme}.png`);
      await page.screenshot({ path: path_, fullPage: options.full || width === 390 });
    }
    await context.close();
  }
}
await browser.close();
console.log(`${errors} console errors`);
