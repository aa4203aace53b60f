#!/usr/bin/env python3
"""Ten thousand findings in a minute, to receivers that fail at random, hang and answer 429, while the process is killed three times.

    TOKENWATCH=target/release/tokenwatch tests/soak/storm.py [--findings 10000] [--seconds 60] [--kills 3] [--faults-for 120] [--suspend-all] [--seed N]

Run it in an empty folder: logs and data stay there. Kafka, the gateway's log lines, the process, its store and the receivers are real; every token
does one thing that its policy forbids, which is one finding. After --faults-for seconds the receivers behave, and everything has to settle. Then:

 - every finding is stored, and the ledger has a last word on it for every receiver that is routed to, which is `sent` or says why not;
 - no receiver was given two messages with different ids about the same finding and occasion, and none took one id as new twice;
 - no response was asked for twice under one id, and none for a finding that had one;
 - memory stayed bounded.

It takes some minutes and is no part of the tests that run on every change.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import engine  # noqa: E402
from services import STORE_AND_CONSOLE, Services, wait_for, webhook_receiver, webhook_target  # noqa: E402

TOPIC, PARTITIONS = "gateway.access", 3
RECEIVERS = {
    "flaky": ["--fail", "0.2", "--lose", "0.03"],
    "hanging": ["--hang", "0.3", "--hang-secs", "2"],
    "limited": ["--limit", "0.5"],
}
SETTLE_SECS = 1_200
# 20,000 findings are held, and a queue of 2,048 messages per receiver; the engine inside has a limit of its own.
RSS_LIMIT_MB = 1_000

CONFIG = """
[ingest]
key_file = "token.key"

[ingest.kafka]
brokers = ["{bootstrap}"]
topics = ["{topic}"]

# The shortest that brokers allow by default: a kill costs as much.
[ingest.kafka.options]
"session.timeout.ms" = 6000

[pipeline]
checkpoint_interval = "2s"

[detectors.out_of_scope]
privileged = ["/admin/{{*rest}}"]

[[detectors.out_of_scope.policies]]
consumers = {consumers}
allow = [{{ routes = ["/v1/{{*rest}}"] }}]

[alerting]
retry_delays = ["1s", "2s", "4s", "8s", "15s", "15s", "30s", "30s", "30s", "30s", "30s"]
reconcile_every = "30s"
{receivers}
[[alerting.routes]]
severity = "info"
receivers = {names}
inhibit = false

[alerting.response]
mode = "enforce"
max_per_hour = {limit}
max_per_hour_per_owner = {limit}
{target}
[[alerting.response.rules]]
severity = "low"
detectors = ["out_of_scope"]
consumers = {suspended}
action = "suspend"
"""
TEAMS = [f"team-{number:02}" for number in range(50)]
# Responses in an hour, at most: with --suspend-all more are wanted than that.
RESPONSES_LIMIT = 1_000

FINDINGS = "SELECT id, toString(severity) AS severity FROM findings FINAL WHERE detector = 'out_of_scope'"
# The last word on every message: of two lines of one moment, the one that says how it ended.
LAST_WORDS = """
SELECT receiver, finding_id, id, occasion, result, reason FROM (
    SELECT receiver, finding_id, id, occasion, toString(result) AS result, reason FROM notifications
    ORDER BY at DESC, result IN ('sent', 'failed', 'muted') DESC LIMIT 1 BY finding_id, id)
"""
RESPONSES = """
SELECT id, any(finding_id) AS finding, argMax(toString(result), (at, toString(result) != 'intended')) AS outcome
FROM responses GROUP BY id
"""


def line(number, at_ms, admin):
    name, path = ("admin-users", "/admin/users") if admin else ("orders-list", "/v1/orders")
    return json.dumps(
        {
            "request": {"id": f"{number:016x}", "method": "GET", "uri": path, "size": 312, "headers": {"host": "api.example.com", "user-agent": "acme-sdk/2.1"}},
            "response": {"status": 200, "size": 1873},
            "latencies": {"request": 34},
            "route": {"name": name},
            "authenticated_entity": {"id": f"credential-{number:06}"},
            "consumer": {"username": f"team-{number % 50:02}"},
            "client_ip": f"5.{number // 62_500 % 250}.{number // 250 % 250}.{number % 250 + 1}",
            "started_at": at_ms,
        },
        separators=(",", ":"),
    )


class Gateway(threading.Thread):
    """Ships the calls of tokens as they are made, evenly over the time."""

    def __init__(self, kafka, findings, seconds):
        super().__init__(daemon=True)
        self.bootstrap, self.findings, self.seconds = kafka.bootstrap, findings, seconds
        self.took_secs = None

    def run(self):
        started = time.monotonic()
        steps = max(1, int(self.seconds * 2))
        for step in range(steps):
            time.sleep(max(0.0, started + step * self.seconds / steps - time.monotonic()))
            first, last = (self.findings * edge // steps for edge in (step, step + 1))
            now = int(time.time() * 1_000)
            for partition in range(PARTITIONS):
                mine = [number for number in range(first, last) if number % PARTITIONS == partition]
                lines = [line(number, now - 1 + admin, admin) for number in mine for admin in (0, 1)]
                command = ["kcat", "-b", self.bootstrap, "-P", "-t", TOPIC, "-p", str(partition)]
                if lines:
                    subprocess.run(command, input="\n".join(lines).encode() + b"\n", check=True)
        self.took_secs = time.monotonic() - started


class Memory(threading.Thread):
    """The largest resident sizes of the process and its engine, a few times a second."""

    def __init__(self, tokenwatch):
        super().__init__(daemon=True)
        self.tokenwatch, self.most_mb = tokenwatch, collections.Counter()
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.3):
            with contextlib.suppress(OSError, LookupError, ValueError):
                pid = self.tokenwatch.child.pid
                for name, each in (("tokenwatch", pid), ("engine", engine.pid_of(pid))):
                    status = Path(f"/proc/{each}/status").read_text()
                    mb = int(status.split("VmRSS:")[1].split()[0]) // 1_024
                    self.most_mb[name] = max(self.most_mb[name], mb)


def sink_of(name):
    """Each in a folder of its own: a sink's files have the name of its kind."""
    folder = Path(name)
    folder.mkdir()
    return contextlib.chdir(folder)


def start(services, suspend_all):
    sinks = {}
    for name, behaviour in {**RECEIVERS, "gateway": ["--fail", "0.1", "--lose", "0.02"]}.items():
        with sink_of(name):
            sinks[name] = services.webhook_sink(*behaviour)
    kafka = services.kafka({TOPIC: PARTITIONS})
    receivers = "".join(webhook_receiver(name, sinks[name].address, f"{name.upper()}_SECRET") for name in RECEIVERS)
    config = CONFIG.format(
        bootstrap=kafka.bootstrap,
        topic=TOPIC,
        consumers=TEAMS,
        suspended=TEAMS if suspend_all else TEAMS[:1],
        limit=RESPONSES_LIMIT,
        receivers=receivers,
        names=list(RECEIVERS),
        target=webhook_target(sinks["gateway"].address, "GATEWAY_SECRET"),
    )
    environment = {f"{name.upper()}_SECRET": sink.secret for name, sink in sinks.items()}
    return kafka, sinks, services.tokenwatch(config + STORE_AND_CONSOLE, environment)


def kill(tokenwatch, number):
    engine.kill_both(tokenwatch)
    started = time.monotonic()
    tokenwatch.spawn()
    tokenwatch.await_console()
    print(f"kill {number}: the console answers after {time.monotonic() - started:.1f} s", flush=True)


def settled(tokenwatch, findings):
    """The last words, once there is a final one for every finding and receiver."""
    words = engine.query(tokenwatch, LAST_WORDS)
    opened = collections.Counter(word["receiver"] for word in words if word["occasion"] == "opened" and word["result"] in ("sent", "failed", "muted"))
    unsettled = sum(word["result"] in ("sending", "waiting") for word in words)
    print(f"  settled {dict(opened)}, {unsettled} not yet", flush=True)
    if all(opened[name] >= findings for name in RECEIVERS) and unsettled == 0:
        return words
    time.sleep(5)
    return None


def check(findings, words, responses, sinks, memory, suspend_all):
    ids = {finding["id"] for finding in findings}
    for name in RECEIVERS:
        heard = collections.Counter(word["finding_id"] for word in words if word["receiver"] == name and word["occasion"] == "opened")
        assert ids <= heard.keys(), f"{len(ids - heard.keys())} findings are not in the ledger of {name}"
        twice = [finding for finding, count in heard.items() if count > 1]
        assert not twice, f"{name} has two first messages about {twice[:3]}"
        told = [line for line in sinks[name].lines() if line["type"] == "finding.opened"]
        names = collections.defaultdict(set)
        for line in told:
            names[line["data"]["id"]].add(line["id"])
        assert all(len(each) == 1 for each in names.values()), f"{name} was given one finding under two ids"
        new = collections.Counter(line["id"] for line in told if line["outcome"] == "new")
        assert max(new.values(), default=0) <= 1, f"{name} took an id as new twice"
        silent = [word for word in words if word["receiver"] == name and word["result"] != "sent" and not word["reason"]]
        assert not silent, f"not sent, and nothing says why: {silent[:3]}"
        sent = {word["finding_id"] for word in words if word["receiver"] == name and word["result"] == "sent"}
        taken = {line["data"]["id"] for line in told if line["outcome"] in ("new", "lost", "duplicate")}
        assert sent & ids <= taken, f"{len(sent & ids - taken)} are sent by the ledger, and {name} never took them"
    asked = collections.Counter(line["id"] for line in sinks["gateway"].lines() if line["outcome"] in ("new", "duplicate", "lost"))
    new = collections.Counter(line["id"] for line in sinks["gateway"].lines() if line["outcome"] == "new")
    assert max(new.values(), default=0) <= 1, "a response was carried out twice"
    of_finding = collections.Counter(response["finding"] for response in responses)
    # What is over the hour's limit is withheld, and says so; nothing is asked for in silence.
    wanted = {finding["id"] for finding in findings if suspend_all}
    assert wanted <= of_finding.keys(), f"{len(wanted - of_finding.keys())} findings have no response"
    assert len(new) <= RESPONSES_LIMIT, f"{len(new)} responses were carried out"
    assert max(of_finding.values()) == 1, "a finding has two responses"
    assert memory.most_mb["tokenwatch"] <= RSS_LIMIT_MB, memory.most_mb
    return asked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--faults-for", type=float, default=120)
    parser.add_argument("--suspend-all", action="store_true", help="not one token in fifty, but each")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    print(f"{arguments.findings} findings in {arguments.seconds:.0f} s, {arguments.kills} kills, seed {arguments.seed}, load {os.getloadavg()[0]:.1f}", flush=True)
    with Services() as services:
        kafka, sinks, tokenwatch = start(services, arguments.suspend_all)
        memory, gateway = Memory(tokenwatch), Gateway(kafka, arguments.findings, arguments.seconds)
        memory.start()
        started = time.monotonic()
        gateway.start()
        for number in range(arguments.kills):
            at = (number + chance.uniform(0.5, 1.0)) * arguments.seconds / arguments.kills
            time.sleep(max(0.0, started + at - time.monotonic()))
            kill(tokenwatch, number + 1)
        gateway.join()
        found = f"{FINDINGS} ORDER BY id"
        wait_for("every finding", lambda: len(engine.query(tokenwatch, found)) >= arguments.findings, 300)
        found_secs = time.monotonic() - started
        time.sleep(max(0.0, started + arguments.faults_for - time.monotonic()))
        for sink in sinks.values():
            sink.control(fail=0, limit=0, hang=0, lose=0)
        words = wait_for("last word on every finding", lambda: settled(tokenwatch, arguments.findings), SETTLE_SECS)
        settled_secs = time.monotonic() - started
        findings, responses = engine.query(tokenwatch, found), engine.query(tokenwatch, RESPONSES)
        memory.stopping.set()
        asked = check(findings, words, responses, sinks, memory, arguments.suspend_all)
        assert len(findings) == arguments.findings, f"{len(findings)} findings"
        print(f"calls shipped in {gateway.took_secs:.0f} s, {len(findings)} findings stored after {found_secs:.0f} s, every last word after {settled_secs:.0f} s")
        for name in RECEIVERS:
            results = collections.Counter(word["result"] for word in words if word["receiver"] == name)
            outcomes = collections.Counter(line["outcome"] for line in sinks[name].lines())
            print(f"{name}: ledger {dict(results)}; requests {dict(outcomes)}")
        outcomes = collections.Counter(response["outcome"] for response in responses)
        repeated = sum(count > 1 for count in asked.values())
        print(f"responses: {dict(outcomes)}; asked of the gateway {len(asked)}, {repeated} of them again under the same id")
        print(f"memory at most: {dict(memory.most_mb)} MB")


if __name__ == "__main__":
    main()
