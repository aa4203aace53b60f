// What operators do, in the browser: a word on a finding, its ledger, a silence from it, several findings at once, the
// registration of its token, and the trail of all of it.

/** Runs its checks on `page`, which is logged in as an administrator; `found.finding` is about `found.token`. */
export async function operatorChecks({ page, url, check, expect, found, complaints }) {
  const dialog = page.getByRole('dialog');
  const handling = page.getByRole('region', { name: 'Handling' });

  await check('a finding is acknowledged with a note, and says who deals with it', async () => {
    await page.goto(`${url}/findings/${found.finding}`);
    await handling.getByRole('button', { name: 'Acknowledge' }).click();
    await dialog.getByText('Ends its repeated messages').waitFor();
    await dialog.getByLabel('Note').fill('calling the owner');
    await dialog.getByRole('button', { name: 'Acknowledge' }).click();
    await handling.getByText('Acknowledged').first().waitFor();
    await handling.getByText('calling the owner').waitFor();
    await handling.getByText('by admin').waitFor();
  });

  await check('its ledger tells what was sent to whom, line by line, and which way it goes', async () => {
    const ledger = page.locator('[data-ledger]');
    await ledger.locator('.answers li').filter({ hasText: 'told' }).first().waitFor();
    await ledger.locator('details').first().locator('summary').click();
    const lines = await ledger.locator('details').first().locator('ol li').count();
    expect(lines >= 2, `${lines} lines: a message is begun and sent`);
    await ledger.getByText('Which way it goes').click();
    await ledger.locator('.routes li').filter({ hasText: 'takes it' }).first().waitFor();
  });

  await check('a silence like it is previewed before it can be made, and made', async () => {
    await page.getByRole('button', { name: 'Silence like this' }).click();
    await dialog.getByText('would be muted').waitFor();
    await dialog.getByLabel('Reason').fill('load test until noon');
    await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.locator('details.more summary').click();
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Silences' }).click();
    const card = page.locator('[data-silence]').filter({ hasText: 'load test until noon' });
    await card.getByText('Active').waitFor();
    await card.getByText('by admin').waitFor();
  });

  await check('a silence is extended, then ended', async () => {
    const card = page.locator('[data-silence]').filter({ hasText: 'load test until noon' });
    const before = await card.textContent();
    await card.getByRole('button', { name: 'Extend' }).click();
    await dialog.getByRole('button', { name: 'Extend' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.waitForFunction((text) => [...document.querySelectorAll('[data-silence]')].every((one) => one.textContent !== text), before);
    await card.getByRole('button', { name: 'End now' }).click();
    await dialog.getByRole('button', { name: 'End it' }).click();
    await card.getByText('Ended').waitFor();
  });

  await check('a response that is held shows what it would hit, and is approved', async () => {
    await page.goto(`${url}/responses`);
    const held = page.locator('[data-response][data-result="held"]').first();
    await held.getByText('unless somebody approves').waitFor();
    const id = (await held.getAttribute('data-response')) ?? '';
    await held.getByRole('link', { name: 'Details' }).click();
    await page.getByRole('heading', { name: 'Blast radius', level: 2 }).waitFor();
    await page.getByText('Calls a minute').first().waitFor();
    await page.getByRole('button', { name: 'Approve' }).click();
    await dialog.getByText('is asked at once to suspend the token').waitFor();
    await dialog.getByLabel('Note').fill('the owner confirms');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await page.locator(`[data-response="${id}"][data-result="delivered"]`).waitFor();
    await page.getByText('the owner confirms').waitFor();
    await page.getByText('Answered').waitFor();
  });

  await check('several findings are judged and closed at once, from the list', async () => {
    await page.goto(`${url}/findings?handling=new`);
    const boxes = page.locator('tbody .tick input');
    await boxes.first().waitFor();
    const ticked = await page.locator('tr[data-finding]').evaluateAll((rows) => rows.slice(0, 2).map((row) => row.dataset.finding));
    for (const id of ticked) await page.locator(`tr[data-finding="${id}"] .tick input`).check();
    const bar = page.getByRole('region', { name: 'Ticked rows' });
    await bar.getByText(ticked.length === 1 ? '1 finding' : '2 findings').waitFor();
    await bar.getByRole('button', { name: 'Verdict' }).click();
    await dialog.getByLabel('Expected change').check();
    await dialog.getByRole('button', { name: 'Judge and close' }).click();
    await page.waitForFunction((ids) => ids.every((id) => document.querySelector(`tr[data-finding="${id}"]`) === null), ticked);
    await page.goto(`${url}/findings?handling=closed`);
    for (const id of ticked) await page.locator(`tr[data-finding="${id}"]`).getByText('Closed, expected change').waitFor();
  });

  await check('verdicts make a detector’s precision', async () => {
    await page.goto(`${url}/detectors`);
    await page.locator('tr[data-detector]').filter({ hasText: '0 %' }).first().waitFor();
  });

  await check('a token is registered; what is wrong is said at its field', async () => {
    await page.goto(`${url}/tokens/${found.token}`);
    // The response that was approved above may have registered it already.
    await page.getByRole('button', { name: /^(Register|Edit)$/ }).click();
    await dialog.getByLabel('Owner').fill('Ada Lovelace');
    await dialog.getByLabel('Networks').fill('ten');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByText('is neither a network').waitFor();
    expect((await dialog.getByLabel('Networks').getAttribute('aria-invalid')) === 'true', 'the field is not marked');
    // The browser reports the refusal of this one request by itself.
    const refusal = complaints.splice(0);
    expect(refusal.length === 1 && refusal[0].includes('400'), refusal.join('; '));
    await dialog.getByLabel('Networks').fill('0.0.0.0/0');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('Registered by a user').waitFor();
  });

  await check('the ledger and the audit trail list all of it', async () => {
    await page.goto(`${url}/ledger?finding=${found.finding}`);
    await page.locator('tr[data-line="sent"]').first().waitFor();
    await page.goto(`${url}/audit`);
    for (const action of ['acknowledged', 'expected_change', 'closed', 'silence_created', 'silence_ended', 'registration_put']) {
      await page.locator(`tr[data-action="${action}"]`).first().waitFor();
    }
    await page.getByRole('searchbox', { name: 'Search the trail' }).fill('calling the owner');
    await page.waitForURL('**/audit?q=*');
    await page.locator('section[aria-busy="false"] tr[data-action]').first().waitFor();
    const actions = await page.locator('tr[data-action]').evaluateAll((rows) => rows.map((row) => row.dataset.action));
    expect(actions.every((action) => action === 'acknowledged'), actions.join(', '));
  });
}
