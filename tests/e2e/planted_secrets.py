#!/usr/bin/env python3
"""Secrets planted in every format and every place, in good records and in damaged ones, through Kafka, HTTP push and files: none may come out again.

Looked through afterwards, for each secret in every spelling (as it is, percent-encoded, in base64, in hexadecimal, escaped as JSON) and for
pieces of it: all columns of all tables, every file of the data folder, the log at its most talkative, the topic and the file of dead
letters, mails, webhooks and log alerts, every page of the API, and what `decode` and `replay` write.
"""

import json
import os
import random
import subprocess
import time
import urllib.request
from collections import Counter
from pathlib import Path

import engine
import planted
from services import FETCHED, TOKENWATCH, Services, json_lines, wait_for

TOPIC, LETTERS = "gateway.access", "tokenwatch.dead-letters"
PUSH_KEY = "push-key-of-the-edge-gateway"
PUSH_BYTES = 2 << 20
BURST = 24
SEED = 6
EXCERPT_BYTES = 90
EXPECTED = {"failure_burst", "out_of_scope"}

MAPPED = """
[ingest.decoder]
format = "mapped"

[ingest.decoder.mapped.fields]
timestamp = "/when"
method = "/call/verb"
path = "/call/url"
host = "/call/host"
route = "/call/route"
status = "/call/code"
client_ip = "/who/peer"
consumer = "/who/name"
credential_id = "/who/credential"
user_agent = "/headers/agent"
authorization = "/headers/auth"
api_key = "/headers/key"
cookie = "/headers/cookie"
"""


def config(kafka, mail, webhook, tokens, letters, decoder=""):
    host, port = mail.rsplit(":", 1)
    return f"""
[log]
level = "debug"

[ingest]
data_dir = "data"
key_file = "data/token.key"
{decoder}
[ingest.kafka]
brokers = ["{kafka}"]
topics = ["{TOPIC}"]

[ingest.files]
paths = ["logs/*.log"]

[ingest.http_push]
enabled = true
keys = [{{ name = "edge", key_env = "PUSH_KEY" }}]

[ingest.dead_letters]
to = "{letters}"
topic = "{LETTERS}"
path = "dead-letters.ndjson"

[store.embedded]
path = "data/clickhouse"
library = "{FETCHED}/chdb/libchdb.so"

[pipeline]
checkpoint_interval = "1s"
# The same lines come in three ways, and all of them are to be stored.
redelivery_horizon = "0s"

[dashboards]
listen = "127.0.0.1:0"

# All of them fail at the same time here, which would otherwise be an outage.
[detectors.fleet_failure]
fleet_tokens = 1000000
group_tokens = 1000000

[[detectors.out_of_scope.policies]]
tokens = {json.dumps(tokens)}
consumers = ["nobody"]
allow = [{{ methods = ["GET"], routes = ["/v2/{{*rest}}"] }}]

[[alerting.receivers]]
kind = "log"
name = "log"
file = "alerts.ndjson"

[[alerting.receivers]]
kind = "email"
name = "on-call"
host = "{host}"
port = {port}
tls = "none"
from = "tokenwatch@example.com"
to = ["on-call@example.com"]

[[alerting.receivers]]
kind = "webhook"
name = "soc"
url = "http://{webhook}/findings"
secret_env = ["WEBHOOK_SECRET"]
allow_private = true

[[alerting.routes]]
severity = "info"
receivers = ["log", "on-call", "soc"]
# Every finding reaches everybody here, also those of an incident that was told.
inhibit = false
"""


class Search:
    """Looks for all spellings of all secrets, and notes where it found one."""

    def __init__(self, secrets):
        self.needles = [(needle, secret.kind) for secret in secrets for needle in secret.spellings()]
        self.bytes, self.found, self.places = 0, [], Counter()

    def hits(self, haystack):
        haystack = haystack.lower()
        return [(needle, kind, haystack.index(needle)) for needle, kind in self.needles if needle in haystack]

    def look(self, where, haystack):
        self.bytes += len(haystack)
        self.places[where.split(" ")[0]] += 1
        for needle, kind, at in self.hits(haystack):
            around = haystack[max(0, at - EXCERPT_BYTES) : at + len(needle) + EXCERPT_BYTES]
            self.found.append(f"{where}: {kind} as {needle.decode()} in {around!r}")

    def look_into_files(self, root, where):
        for path in Path(root).rglob("*"):
            if path.is_file():
                self.look(f"{where} {path}", path.read_bytes())


def lines_of(formats, secrets, seed):
    """Good lines and damaged ones of these formats, in the order of time within each format."""
    chance, good, damaged = random.Random(seed), [], []
    for format in formats:
        for secret in secrets:
            lines = planted.whole_lines(format, secret, time.time() - 120, len(good) + seed * 1_000_000, BURST)
            good += lines
            damaged += [line.replace(b"\n", b" ") for line in planted.damaged_lines(lines, chance)]
    return good, [line for line in damaged if line.strip()]


def token_id(secret, environment):
    command = [TOKENWATCH, "token", "id", "--config", "tokenwatch.toml"]
    done = subprocess.run(command, input=secret.text, stdout=subprocess.PIPE, check=True, text=True, env=os.environ | environment)
    return done.stdout.strip()


def push(tokenwatch, lines):
    """Ships lines over HTTP, in requests of a bounded size; returns the answers."""
    answers, body = [], []

    def send():
        headers = {"Authorization": f"Bearer {PUSH_KEY}", "Content-Type": "application/x-ndjson"}
        request = urllib.request.Request(f"{tokenwatch.address}/ingest/v1/events", b"\n".join(body) + b"\n", headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            answers.append(answer.read())
        body.clear()

    for line in lines:
        if sum(map(len, body[:1])) * len(body) > PUSH_BYTES:
            send()
        body.append(line)
    send()
    accepted = sum(json.loads(answer)["accepted"] for answer in answers)
    assert accepted == len(lines), f"{accepted} of {len(lines)} pushed records were accepted"
    return b"".join(answers)


def progress(tokenwatch):
    """Records decoded, events and rejects that came of them, events stored."""
    metrics = tokenwatch.metrics()

    def total(family):
        return int(sum(value for name, value in metrics.items() if name.split("{")[0] == family))

    stored = metrics.get('tokenwatch_store_inserted_rows_total{table="events"}', 0)
    return total("tokenwatch_ingest_records_total"), total("tokenwatch_ingest_events_total"), total("tokenwatch_ingest_rejected_total"), stored


def feed(tokenwatch, kafka, lines, name):
    """The lines by all three ways; waits until they are all stored or rejected."""
    before = progress(tokenwatch)[0]
    Path(name).write_bytes(b"\n".join(lines) + b"\n")
    kafka.ship(TOPIC, name)
    answers = push(tokenwatch, lines)
    Path("logs", f"{name}.log").write_bytes(Path(name).read_bytes())

    def is_done():
        records, events, _, stored = progress(tokenwatch)
        return records - before == 3 * len(lines) and stored == events

    wait_for(f"all of {name}", is_done, 90)
    return answers


def spool_is_clean(search):
    return not any(search.hits(path.read_bytes()) for path in Path("data/spool").rglob("*") if path.is_file())


def api_pages(tokenwatch):
    """Every page of the API that shows something of a token or a finding."""

    def walk(path):
        cursor = None
        while True:
            page = tokenwatch.get(path + ("&" if "?" in path else "?") + "limit=200" + (f"&cursor={cursor}" if cursor else ""))
            yield path, page
            cursor = page["next_cursor"]
            if cursor is None:
                return

    yield "/overview", tokenwatch.get("/overview?range=1h")
    yield "/pipeline", tokenwatch.get("/pipeline")
    for path, page in walk("/findings"):
        yield path, page
        for finding in page["items"]:
            yield f"/findings/{finding['id']}", tokenwatch.get(f"/findings/{finding['id']}")
            yield from walk(f"/findings/{finding['id']}/events")
    for path, page in walk("/tokens"):
        yield path, page
        for token in page["items"]:
            for part in ("", "/series", "/geography", "/routes", "/clients"):
                yield f"/tokens/{token['id']}{part}", tokenwatch.get(f"/tokens/{token['id']}{part}")
            yield from walk(f"/tokens/{token['id']}/events")


def look_into_tables(tokenwatch, search):
    """Every row of every table of ours, and what the engine logs about its queries, if it does."""
    where = "database = 'tokenwatch' OR (database = 'system' AND name LIKE '%_log')"
    for table in engine.query(tokenwatch, f"SELECT database, name FROM system.tables WHERE {where}"):
        name = f"{table['database']}.`{table['name']}`"
        search.look(f"table {name}", engine.ask(tokenwatch, f"SELECT * FROM {name} FORMAT Native"))


def look_into_commands(search, config_file, files, environment):
    for format, name in files:
        for command in ("decode", "replay"):
            extra = ["--rejects", "rejects.ndjson"] if command == "decode" else ["--signals", "signals.ndjson"]
            arguments = [TOKENWATCH, command, "--config", config_file, "--format", format, *extra, name]
            done = subprocess.run(arguments, capture_output=True, check=True, env=os.environ | environment)
            assert done.stdout, f"{command} {name} wrote nothing"
            search.look(f"{command} {name}, standard output", done.stdout)
            search.look(f"{command} {name}, standard error", done.stderr)
            search.look(f"{command} {name}, {extra[1]}", Path(extra[1]).read_bytes())


def main():
    Path("logs").mkdir()
    secrets = planted.secrets(SEED)
    search = Search(secrets)
    with Services() as services:
        kafka = services.kafka({TOPIC: 3, LETTERS: 1})
        mail, webhook = services.mail_sink(), services.webhook_sink()
        environment = {"WEBHOOK_SECRET": webhook.secret, "PUSH_KEY": PUSH_KEY}

        def configured(letters, decoder=""):
            return config(kafka.bootstrap, mail.address, webhook.address, tokens, letters, decoder)

        tokens = []
        Path("tokenwatch.toml").write_text(configured("file"))
        tokens += [token_id(secret, environment) for secret in secrets]

        # First the gateways' formats, with dead letters in a topic; then the mapped one, with dead letters in a file.
        rounds = [([name for name in planted.FORMATS if name != "mapped"], "kafka", ""), (["mapped"], "file", MAPPED)]
        tokenwatch, good, damaged = None, 0, 0
        for index, (formats, letters, decoder) in enumerate(rounds):
            whole, broken = lines_of(formats, secrets, index + 1)
            assert search.hits(b"\n".join(whole)) and search.hits(b"\n".join(broken)), "nothing is planted"
            if tokenwatch is None:
                tokenwatch = services.tokenwatch(configured(letters, decoder), environment)
            else:
                assert tokenwatch.stop() == 0, "tokenwatch did not end well"
                tokenwatch.config.write_text(configured(letters, decoder))
                tokenwatch.run()
            wait_for("readiness", tokenwatch.is_ready)
            tokenwatch.login()
            search.look("push answers", feed(tokenwatch, kafka, whole, f"whole-{index}"))
            assert progress(tokenwatch)[1:3] == (3 * len(whole), 0), f"good lines were rejected: {progress(tokenwatch)}"
            search.look("push answers", feed(tokenwatch, kafka, broken, f"broken-{index}"))
            wait_for("a clean spool", lambda: spool_is_clean(search))
            good, damaged = good + len(whole), damaged + len(broken)
            wait_for("messages", lambda: {m["data"]["id"] for m in webhook.lines()} >= {f["id"] for f in tokenwatch.get("/findings?limit=200")["items"]})

        # What many failures may be the fleet's is told a minute later.
        wait_for("findings of several sorts", lambda: {finding["detector"] for finding in tokenwatch.get("/findings?limit=200")["items"]} >= EXPECTED, 150)
        findings = tokenwatch.get("/findings?limit=200")["items"]
        wait_for("mails", lambda: len(mail.lines()) >= len(findings))
        for path, page in api_pages(tokenwatch):
            search.look(f"API {path}", json.dumps(page).encode())
        search.look("metrics", json.dumps(tokenwatch.metrics()).encode())
        look_into_tables(tokenwatch, search)
        consumed = subprocess.run(["kcat", "-b", kafka.bootstrap, "-C", "-t", LETTERS, "-e", "-q"], stdout=subprocess.PIPE, check=True)
        search.look("topic of dead letters", consumed.stdout)
        assert tokenwatch.stop() == 0, "tokenwatch did not end well"

        letters = [json.loads(line) for line in consumed.stdout.splitlines()] + json_lines("data/dead-letters.ndjson")
        search.look_into_files("data", "file")
        for path in ("tokenwatch.log", "tokenwatch.out", "alerts.ndjson", mail.received, webhook.received):
            search.look(f"file {path}", Path(path).read_bytes())
        mapped = [("mapped", "whole-1"), ("mapped", "broken-1")]
        look_into_commands(search, "tokenwatch.toml", [("auto", "whole-0"), ("auto", "broken-0"), *mapped], environment)

    alerts = json_lines("alerts.ndjson")
    assert len(alerts) >= len(findings) and len(letters) > damaged, (len(alerts), len(letters), damaged)
    print(f"{len(secrets)} secrets in {len(search.needles)} spellings, in {good} good and {damaged} damaged lines of {len(planted.FORMATS)} formats, three times each")
    print(f"{len(findings)} findings, {len(mail.lines())} mails, {len(webhook.lines())} webhooks, {len(alerts)} log alerts, {len(letters)} dead letters")
    print(f"looked through {search.bytes >> 20} MB: {', '.join(f'{count} of {place}' for place, count in search.places.items())}")
    for found in search.found[:40]:
        print(f"FOUND {found}")
    assert not search.found, f"{len(search.found)} secrets came out again"


if __name__ == "__main__":
    main()
