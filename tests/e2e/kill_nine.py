#!/usr/bin/env python3
"""Kill -9 in the middle of many events from Kafka, ten times at random moments, against an undisturbed run over the same topic.

Afterwards the store holds every event exactly once, the findings are those of the undisturbed run, no webhook was accepted as new twice, and
no finding was answered twice. E2E_KILL_EVENTS, E2E_KILLS and E2E_SEED change the size and repeat a run.
"""

import contextlib
import os
import random
import re
import time
from pathlib import Path

import engine
import traffic
from services import FETCHED, STORE_AND_CONSOLE, Services, wait_for, webhook_receiver, webhook_target

EVENTS = int(os.environ.get("E2E_KILL_EVENTS", 200_000))
KILLS = int(os.environ.get("E2E_KILLS", 10))
SEED = int(os.environ.get("E2E_SEED", random.randrange(1_000_000)))
TOPIC, PARTITIONS = "gateway.access", 3
# Every third kill strikes a process that has just been started, within this time.
EARLY_SECS = 3.0
LIMIT_SECS = 600

CONFIG = """
[log]
level = "info,tokenwatch=debug"

[ingest]
key_file = "{key}"

[ingest.geo]
databases = {geo}

[ingest.kafka]
brokers = ["{bootstrap}"]
topics = ["{topic}"]
batch_records = 5000

# The shortest that brokers allow by default: a kill costs as much.
[ingest.kafka.options]
"session.timeout.ms" = 6000

[pipeline]
checkpoint_interval = "2s"

[alerting]
max_age = "30d"
retry_delays = ["1s", "2s", "4s"]
{receiver}
[[alerting.routes]]
severity = "low"
receivers = ["soc"]

[alerting.response]
mode = "enforce"
max_per_hour = 1000
{target}"""


class Run:
    """One Tokenwatch with a data folder and a receiver of its own, from the start of the topic to its end."""

    def __init__(self, services, kafka):
        self.sink = services.webhook_sink()
        config = CONFIG.format(
            key=Path("../token.key").resolve(),
            geo=[str(path) for path in sorted((FETCHED / "geo").glob("*.mmdb"))],
            bootstrap=kafka.bootstrap,
            topic=TOPIC,
            receiver=webhook_receiver("soc", self.sink.address),
            target=webhook_target(self.sink.address),
        )
        self.started = time.monotonic()
        self.tokenwatch = services.tokenwatch(config + STORE_AND_CONSOLE + traffic.POLICY, {"WEBHOOK_SECRET": self.sink.secret})
        self.recognised = 0

    def consume(self):
        """Waits until every event is in a checkpoint, every message sent and every response answered."""
        wait_for("checkpoint at the end of the topic", lambda: engine.consumed(self.tokenwatch) >= EVENTS, LIMIT_SECS)
        self.seconds = time.monotonic() - self.started
        self.findings = {row["id"]: row for row in engine.query(self.tokenwatch, FINDINGS)}
        wanted = {id for id, row in self.findings.items() if row["severity"] != "info"}
        self.opened = wait_for("message for every finding", lambda: self.messages("finding.opened", wanted))
        wait_for("answer to every response", lambda: not engine.query(self.tokenwatch, UNANSWERED))
        self.responses = engine.query(self.tokenwatch, RESPONSES)
        self.stored = engine.stored(self.tokenwatch)
        self.note_recognised()
        self.tokenwatch.stop()

    def messages(self, kind, wanted):
        """The ids of the findings that a message of this kind was accepted about, once those are all that are wanted."""
        taken = [line["data"]["id"] for line in self.sink.lines() if line["type"] == kind and line["outcome"] == "new"]
        return sorted(taken) if wanted <= set(taken) else None

    def note_recognised(self):
        told = re.findall(r"events\.count=(\d+) events\.fresh=(\d+)", plain(self.tokenwatch.said()))
        self.recognised += sum(int(count) - int(fresh) for count, fresh in told)


FINDINGS = """
SELECT id, detector, toString(severity) AS severity, revision, toString(status) AS status, event_count, summary
FROM findings FINAL ORDER BY id
"""
# The journal's last word on every response.
RESPONSES = """
SELECT id, any(finding_id) AS finding, groupUniqArray(toString(result)) AS results,
    argMax(toString(result), (at, result)) AS outcome FROM responses GROUP BY id ORDER BY id
"""
UNANSWERED = f"SELECT id FROM ({RESPONSES}) WHERE length(results) = 1 AND results[1] = 'intended'"


def plain(text):
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def kill_again_and_again(run, chance):
    """Kills at random points of the work that is left; returns the seconds from each restart until the console answers."""
    tokenwatch, ready_secs = run.tokenwatch, []
    for number in range(KILLS):
        if number % 3 == 2:
            time.sleep(chance.uniform(0, EARLY_SECS))
            done, where = None, "while starting"
        else:
            if number:
                tokenwatch.await_console()
                ready_secs.append(time.monotonic() - started)
            done = wait_for("engine", lambda: engine.events(tokenwatch) + 1) - 1
            target = done + chance.uniform(0, 1.8) * (EVENTS - done) / (KILLS - number + 1)
            wait_for("events to be killed in", lambda: engine.events(tokenwatch) >= target, LIMIT_SECS)
            time.sleep(chance.uniform(0, 0.5))
            done, where = engine.events(tokenwatch), "while reading"
        assert not tokenwatch.ended(), "it ended before it was killed"
        run.note_recognised()
        engine.kill_both(tokenwatch)
        print(f"kill {number + 1}: {where}, {'' if done is None else f'{done} events stored'}", flush=True)
        started = time.monotonic()
        tokenwatch.spawn()
    tokenwatch.await_console()
    return ready_secs


def difference(undisturbed, disturbed):
    """Findings whose last version differs in anything but its number, as text; empty if none do.

    In few calls spread over days, partitions are days apart when they are read: which is ahead may decide over one version more, and over how
    many peers had done the same by then, which a summary may name.
    """

    def said(finding):
        peers = r"(one|[0-9,]+) of [0-9,]+ tokens does?|(one|[0-9,]+) of [0-9,]+ tokens do|no other token does"
        return {**finding, "revision": None, "summary": re.sub(peers, "peers", finding.get("summary", ""))}

    lines = []
    for id in sorted(undisturbed.keys() | disturbed.keys()):
        left, right = (said(run.get(id, {})) for run in (undisturbed, disturbed))
        if left != right:
            lines.append(f"{id}\n  undisturbed {left}\n  killed      {right}")
    return "\n".join(lines)


def check(undisturbed, disturbed):
    assert set(disturbed.stored.values()) == {EVENTS}, f"not every event exactly once: {disturbed.stored}"
    assert set(undisturbed.stored.values()) == {EVENTS}, f"not every event exactly once: {undisturbed.stored}"
    changed = difference(undisturbed.findings, disturbed.findings)
    assert not changed, f"findings differ:\n{changed}"
    for run in (undisturbed, disturbed):
        accepted = [line["id"] for line in run.sink.lines() if line["outcome"] == "new"]
        assert len(accepted) == len(set(accepted)), "a webhook was accepted as new twice"
        assert all(line["verified"] for line in run.sink.lines()), "a webhook was not signed by us"
        # The id is the finding's and the target's; nothing of ours is sent again where the answer was lost.
        revoked = [line["id"] for line in run.sink.lines() if line["type"] == "token.revoke"]
        assert len(revoked) == len(set(revoked)), "a token was revoked twice for one finding"
    assert disturbed.opened == undisturbed.opened, "other findings were announced"
    # What a kill has cut off in the middle is unknown for ever; nothing else may differ.
    answered = [{row["finding"]: row["outcome"] for row in run.responses} for run in (undisturbed, disturbed)]
    assert answered[0].keys() == answered[1].keys(), f"other findings were answered: {answered}"
    assert all(result in (answered[0][id], "unknown") for id, result in answered[1].items()), f"answered differently: {answered}"
    return answered[1]


def main():
    print(f"{EVENTS} events, {KILLS} kills, seed {SEED}", flush=True)
    chance = random.Random(SEED)
    with Services() as services:
        kafka = services.kafka({TOPIC: PARTITIONS})
        for partition, path in enumerate(traffic.write(Path("lines"), EVENTS, PARTITIONS, SEED)):
            kafka.ship(TOPIC, path, partition)
        runs = []
        for name in ("undisturbed", "killed"):
            Path(name).mkdir()
            with contextlib.chdir(name), Services() as own:
                run = Run(own, kafka)
                ready_secs = kill_again_and_again(run, chance) if name == "killed" else []
                run.consume()
                runs.append(run)
                print(f"{name}: {run.seconds:.1f} s, {EVENTS / run.seconds:.0f} events/s, {run.stored}, {len(run.findings)} findings", flush=True)
    undisturbed, disturbed = runs
    answered = check(undisturbed, disturbed)
    detectors = [row["detector"] for row in undisturbed.findings.values()]
    print(f"findings, the same in both: { {name: detectors.count(name) for name in sorted(set(detectors))} }")
    renumbered = sum(row["revision"] != disturbed.findings[id]["revision"] for id, row in undisturbed.findings.items())
    print(f"findings with another number of versions: {renumbered}")
    print(f"replayed events recognised: {disturbed.recognised}; duplicates: {disturbed.stored['events'] - disturbed.stored['origins']}")
    outcomes = [line["outcome"] for line in disturbed.sink.lines()]
    print(f"webhooks: { {name: outcomes.count(name) for name in sorted(set(outcomes))} }; responses: {sorted(answered.values())}")
    print(f"console after a kill: {min(ready_secs):.1f} to {max(ready_secs):.1f} s")


if __name__ == "__main__":
    main()
