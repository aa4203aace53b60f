// A development server: /api/v1 over an invented fleet, and the built console under the Content-Security-Policy that
// the real server sends. Not part of what ships. Log in as admin / admin.
//
//   node dev/fixtures.mjs [--port 4180] [--empty] [--slow MS] [--quiet]
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import * as answers from './fixtures/answers.mjs';
import { explain } from './fixtures/explain.mjs';
import * as incidents from './fixtures/incidents.mjs';
import * as operators from './fixtures/operators.mjs';
import { makeFinding, makeFleet } from './fixtures/fleet.mjs';
import { pick } from './fixtures/random.mjs';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '4180' },
    empty: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    slow: { type: 'string', default: '0' },
  },
});

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const COOKIE = 'tokenwatch_session=fixture';
const LIVE_EVERY_MS = 12_000;

const startedAt = Date.now() - 7_412_000;
const fleet = makeFleet(Date.now());
if (options.empty) {
  fleet.findings = [];
  fleet.tokens = [];
}
const streams = new Set();
let failedLogins = 0;

function json(response, status, body, headers = {}) {
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', ...headers });
  response.end(body === undefined ? '' : JSON.stringify(body));
}

function problem(response, status, title, detail, headers) {
  json(response, status, { type: 'about:blank', title, status, detail }, headers);
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? {} : JSON.parse(text);
}

/** What changes something. */
async function change(request, response, path) {
  const body = await bodyOf(request);
  const [, section, id, verb] = path.split('/');
  if (path === '/verdicts') return json(response, 200, operators.say(body, (incident) => incidents.find(fleet, incident)?.finding_ids ?? []));
  if (path === '/silences/preview') return json(response, 200, operators.preview(fleet, body));
  if (path === '/silences') return json(response, 201, operators.makeSilence(fleet, body));
  if (section === 'silences') return json(response, request.method === 'DELETE' ? 204 : 200, operators.changeSilence(fleet, id, request.method === 'DELETE' ? { ends_at: new Date().toISOString() } : body));
  if (section === 'responses') return json(response, 202, operators.order(fleet, id, verb, body));
  if (section === 'detectors') return json(response, 200, operators.demote(id));
  if (verb === 'registration' && (body.allowed_networks ?? []).some((network) => !/^[\d.:a-f/]+$/.test(network))) {
    return problem(response, 400, 'Bad Request', `allowed_networks: "${body.allowed_networks[0]}" is neither a network nor an address`);
  }
  return json(response, 200, { since: new Date().toISOString(), registration: body });
}

async function session(request, response) {
  const user = { name: 'admin', role: 'admin' };
  if (request.method === 'GET') {
    if (request.headers.cookie?.includes(COOKIE)) return json(response, 200, { user });
    return problem(response, 401, 'Unauthorized', 'Log in first.');
  }
  if (request.method === 'DELETE') {
    return json(response, 204, undefined, { 'set-cookie': 'tokenwatch_session=; Max-Age=0; Path=/' });
  }
  if ((await bodyOf(request)).password === 'admin') {
    failedLogins = 0;
    return json(response, 200, { user }, { 'set-cookie': `${COOKIE}; HttpOnly; SameSite=Strict; Path=/` });
  }
  failedLogins += 1;
  if (failedLogins > 3) return problem(response, 429, 'Too many attempts', 'Wait before the next attempt.', { 'retry-after': '30' });
  return problem(response, 401, 'Unauthorized', 'Wrong name or password.');
}

function live(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write('retry: 2000\n\n');
  streams.add(response);
  response.on('close', () => streams.delete(response));
}

function tell(kind, data) {
  for (const stream of streams) stream.write(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);
}

function entity(response, [, section, id, part], query) {
  const finding = section === 'findings' ? fleet.findings.find((known) => known.id === id) : undefined;
  const token = fleet.tokens.find((known) => known.id === (finding?.token.id ?? id));
  if (token === undefined || (section === 'findings' && finding === undefined)) {
    return problem(response, 404, 'Not Found', `Nothing has the id ${id}.`);
  }
  const from = Date.parse(query.get('from') ?? new Date(Date.now() - 86_400_000).toISOString());
  const to = Date.parse(query.get('to') ?? new Date().toISOString());
  const parts = {
    'findings/': () => ({
      ...answers.findingDetail(fleet, finding),
      incident: incidents.find(fleet, finding.incident_id) ?? null,
      notifications: operators.ledgerOf(finding),
      responses: operators.responsesTo(fleet, token).filter((one) => one.finding_id === id),
      handling: operators.handlingOf(id),
      sayings: operators.saidOf(id),
    }),
    'findings/routing': () => operators.routing,
    'findings/events': () => answers.events(fleet, token, query, 180),
    'tokens/': () => ({ token: answers.tokenRow(fleet, token), profile: answers.profile(token), registration: answers.registration(token), incidents: incidents.ofToken(fleet, token), findings: fleet.findings.filter((known) => known.token.id === id).slice(0, 50), responses: operators.responsesTo(fleet, token) }),
    'tokens/series': () => answers.series(fleet, token, from, to),
    'tokens/geography': () => ({ items: answers.places(fleet, token) }),
    'tokens/routes': () => ({ items: answers.routes(token) }),
    'tokens/clients': () => ({ items: answers.clients(fleet, token) }),
    'tokens/explain': () => explain(fleet, token, query.get('at')),
    'tokens/events': () => answers.events(fleet, token, query),
  };
  const answer = parts[`${section}/${part ?? ''}`];
  return answer ? json(response, 200, answer()) : problem(response, 404, 'Not Found', 'No such address.');
}

function api(request, response, path, query) {
  if (path === '/session') return session(request, response);
  if (!request.headers.cookie?.includes(COOKIE)) return problem(response, 401, 'Unauthorized', 'Log in first.');
  if (request.method !== 'GET') return change(request, response, path);
  if (path === '/live') return live(response);
  if (path === '/overview') return json(response, 200, answers.overview(fleet, query.get('range')));
  if (path === '/pipeline') return json(response, 200, answers.pipeline(fleet, startedAt));
  if (path === '/findings') return json(response, 200, operators.withHandling(answers.findings(fleet, query)));
  if (path === '/incidents') return json(response, 200, operators.withHandling(incidents.list(fleet, query)));
  if (path.startsWith('/incidents/')) {
    const detail = incidents.detail(fleet, path.split('/')[2]);
    const id = detail?.incident.id;
    const said = { handling: operators.handlingOf(id), sayings: operators.saidOf(id), findings_handling: operators.withHandling({ items: detail?.findings ?? [] }).handling };
    return detail ? json(response, 200, { ...detail, ...said }) : problem(response, 404, 'Not Found', 'No such incident.');
  }
  if (path === '/tokens') return json(response, 200, answers.tokens(fleet, query));
  if (path === '/notifications') return json(response, 200, operators.ledger(fleet, query));
  if (path === '/silences') return json(response, 200, { items: operators.listSilences(fleet) });
  if (path === '/detectors') return json(response, 200, operators.detectors(fleet));
  if (path === '/audit') return json(response, 200, operators.audit(query));
  if (path === '/responses') return json(response, 200, operators.responses(fleet, query));
  if (path.startsWith('/responses/')) {
    const detail = operators.response(fleet, path.split('/')[2]);
    return detail ? json(response, 200, detail) : problem(response, 404, 'Not Found', 'No such response.');
  }
  return entity(response, path.split('/'), query);
}

function file(response, path) {
  const wanted = normalize(join(DIST, path));
  const found = wanted.startsWith(DIST) && existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(DIST, 'index.html');
  response.writeHead(200, {
    'content-type': TYPES[extname(found)] ?? 'application/octet-stream',
    'content-security-policy': CSP,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  createReadStream(found).pipe(response);
}

createServer((request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  if (!url.pathname.startsWith('/api/v1/')) return file(response, url.pathname);
  const answer = () => api(request, response, url.pathname.slice('/api/v1'.length), url.searchParams);
  return setTimeout(answer, Number(options.slow));
}).listen(Number(options.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${options.port}`));

setInterval(() => {
  const wave = Math.sin(Date.now() / 20_000);
  tell('stats', { t: new Date().toISOString(), events_per_s: Math.round((231 + 40 * wave) * 10) / 10, failures_per_s: 2.1, lag_s: 0.6 });
}, 1000);

setInterval(() => {
  if (options.quiet || fleet.tokens.length === 0) return;
  const finding = makeFinding(pick(fleet.tokens.slice(0, 30), fleet.next), pick(['rate_spike', 'new_geography', 'failure_burst', 'out_of_scope'], fleet.next), Date.now(), fleet.next, 'open');
  fleet.findings.unshift(finding);
  tell('finding', finding);
}, LIVE_EVERY_MS);
