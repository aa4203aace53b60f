// Pictures of the pages at the widths and in the themes that the README shows.
import { join } from 'node:path';

const SIZES = [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
];
const THEMES = ['dark', 'light'];
/** Pages of what operators do, in one theme: their parts are those of the others. */
const OPERATORS = { responses: '/responses', ledger: '/ledger', silences: '/silences', detectors: '/detectors', audit: '/audit' };

/** Takes them; gives the pages that are wider than their screen. */
export async function takeScreenshots({ browser, url, shots, found, state, watch }) {
  const pages = {
    overview: '/',
    findings: '/findings',
    finding: `/findings/${found.finding}`,
    tokens: '/tokens',
    token: `/tokens/${found.token}`,
  };
  const wide = [];
  for (const viewport of SIZES) {
    for (const colorScheme of THEMES) {
      const context = await browser.newContext({ viewport, colorScheme, storageState: state });
      const page = await context.newPage();
      watch(page);
      for (const [name, path] of Object.entries({ ...pages, ...(colorScheme === 'dark' ? OPERATORS : {}) })) {
        await page.goto(url + path);
        await settled(page);
        const file = `${name}-${viewport.width}-${colorScheme}.png`;
        await page.screenshot({ path: join(shots, file) });
        if (name === 'token') {
          await page.getByRole('heading', { name: 'Geography', level: 2 }).scrollIntoViewIfNeeded();
          await page.locator('svg[role="img"], .empty').first().waitFor();
          await page.screenshot({ path: join(shots, `token-map-${viewport.width}-${colorScheme}.png`) });
        }
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (excess > 0) wide.push(`${name} at ${viewport.width}: ${excess} px too wide`);
      }
      await context.close();
    }
  }
  return wide;
}

/** Waits until everything that loads has loaded. The live stream never ends, so the network is never idle. */
async function settled(page) {
  await page.locator('#main h1').first().waitFor();
  await page.waitForFunction(() => document.querySelector('[aria-label="Loading"], [aria-busy="true"]') === null);
  await page.evaluate(() => document.fonts.ready);
}
