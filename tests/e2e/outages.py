#!/usr/bin/env python3
"""ClickHouse away and Kafka away under load: nothing is lost, memory stays bounded, and everything recovers by itself.

Calls come to Kafka all the time. Meanwhile the embedded engine is stopped (it hangs), is killed again and again, and the broker is killed; then
Tokenwatch is stopped in good order and started again. E2E_OUTAGE_SECS is the length of each outage, E2E_RATE the calls per second.
"""

import itertools
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
import urllib.error
from pathlib import Path

import engine
import traffic
from services import FETCHED, STORE_AND_CONSOLE, Services, wait_for

OUTAGE_SECS = int(os.environ.get("E2E_OUTAGE_SECS", 20))
RATE = int(os.environ.get("E2E_RATE", 3_000))
TOPIC, PARTITIONS, TOKENS = "gateway.access", 3, 300
# An outage is told, and its end is, within these times. ClickHouse is asked every 2 s and may take 5 s for the answer.
TOLD_SECS = 12
RECOVERY_SECS = 15
STOP_SECS = 15
# librdkafka's prefetch of 64 MiB, the batches in flight and their rows.
GROWTH_LIMIT_MB = 300

CONFIG = """
[log]
level = "info,tokenwatch=debug"

[ingest]
key_file = "token.key"

[ingest.geo]
databases = {geo}

[ingest.kafka]
brokers = ["{bootstrap}"]
topics = ["{topic}"]
"""


class Load(threading.Thread):
    """Calls of many tokens, `RATE` a second, until it is stopped; an idempotent producer loses and doubles nothing itself."""

    def __init__(self, kafka):
        super().__init__(daemon=True)
        patience = ["-E", "-X", "enable.idempotence=true", "-X", "message.timeout.ms=300000"]
        command = ["kcat", "-b", kafka.bootstrap, "-P", "-t", TOPIC, "-X", "queue.buffering.max.messages=1000000", *patience]
        self.log = Path("load.log").open("wb")
        self.kcat = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=self.log)
        self.tokens = [traffic.Token(number, random.Random(number)) for number in range(TOKENS)]
        self.produced, self.stopping = 0, threading.Event()

    def run(self):
        due = time.monotonic()
        tokens = itertools.cycle(self.tokens)
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            due += 0.1
            now = time.time() * 1_000
            for token in itertools.islice(tokens, RATE // 10):
                token.call(now)
                self.kcat.stdin.write(token.line(token.calls.pop()).encode())
                self.produced += 1

    def stop(self):
        """Returns how many calls were produced; all of them are in Kafka then."""
        if not self.stopping.is_set():
            self.stopping.set()
            self.join()
            self.kcat.stdin.close()
            assert self.kcat.wait(60) == 0, "kcat could not deliver everything; see load.log"
        return self.produced


class Memory(threading.Thread):
    """Samples the resident memory of Tokenwatch and of its engine and keeps the peaks of each phase, in MB."""

    def __init__(self, tokenwatch):
        super().__init__(daemon=True)
        self.tokenwatch, self.phase, self.peaks = tokenwatch, None, {}
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.5):
            pids = [self.tokenwatch.child.pid]
            try:
                pids.append(engine.pid_of(pids[0]))
            except LookupError:
                pass
            sizes = [resident_mb(pid) for pid in pids]
            peaks = self.peaks.setdefault(self.phase, [0, 0])
            for index, size in enumerate(sizes):
                peaks[index] = max(peaks[index], size)

    def stop(self):
        self.stopping.set()
        self.join()


def resident_mb(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) // 1_024 if found else 0


def readiness(tokenwatch):
    """Status of `/readyz` and the names of the reasons that it gives."""
    try:
        with tokenwatch.opener.open(f"{tokenwatch.address}/readyz", timeout=10) as answer:
            return answer.status, []
    except urllib.error.HTTPError as error:
        return error.code, [reason["name"] for reason in json.loads(error.read())["reasons"]]


class Outages:
    def __init__(self, tokenwatch, memory):
        self.tokenwatch, self.memory = tokenwatch, memory

    def wait_for_steady(self, what):
        wait_for(what, lambda: readiness(self.tokenwatch)[0] == 200 and self.lag() <= 2 * RATE, 120)

    def lag(self):
        return self.tokenwatch.metrics()["tokenwatch_ingest_kafka_lag_records"]

    def outage(self, name, reason, metric, begin, during, end):
        """Begins an outage, checks that it is told, ends it, checks that this is told too and that what has piled up is caught up with."""
        self.memory.phase = name
        started = time.monotonic()
        begin()

        def kept_up(probe):
            # An engine that was killed is back within a second: the outage goes on while it is asked.
            during()
            return probe()

        wait_for(f"/readyz with 503 for {reason}", lambda: kept_up(lambda: readiness(self.tokenwatch) == (503, [reason])), TOLD_SECS)
        told = time.monotonic() - started
        wait_for(f"{metric} of 0", lambda: kept_up(lambda: self.tokenwatch.metrics()[metric] == 0), TOLD_SECS)
        while time.monotonic() - started < OUTAGE_SECS:
            during()
            assert not self.tokenwatch.ended(), f"it ended while {name}"
            time.sleep(0.5)
        end()
        ended = time.monotonic()
        wait_for("/readyz with 200", lambda: readiness(self.tokenwatch)[0] == 200, RECOVERY_SECS)
        ready = time.monotonic() - ended
        assert self.tokenwatch.metrics()[metric] == 1, f"{metric} is not 1 although it is ready"
        self.wait_for_steady(f"end of what piled up while {name}")
        caught_up = time.monotonic() - ended
        print(f"{name}: told after {told:.1f} s; ready {ready:.1f} s after its end, caught up after {caught_up:.1f} s", flush=True)

    def all(self, kafka):
        def engine_pid():
            return wait_for("engine", lambda: engine.pid_of(self.tokenwatch.child.pid))

        def kill_engine():
            try:
                os.kill(engine.pid_of(self.tokenwatch.child.pid), signal.SIGKILL)
            except (LookupError, ProcessLookupError):
                pass

        def nothing():
            pass

        stopped = engine_pid()
        store, broker = "tokenwatch_store_up", "tokenwatch_ingest_kafka_up"
        self.outage(
            "ClickHouse hangs", "store", store, lambda: os.kill(stopped, signal.SIGSTOP), nothing, lambda: os.kill(stopped, signal.SIGCONT)
        )
        self.outage("ClickHouse dies", "store", store, kill_engine, kill_engine, nothing)
        self.outage("Kafka is away", "kafka", broker, kafka.kill, nothing, kafka.start)


def stop_and_start(tokenwatch):
    """In good order, under load: everything is checkpointed, so that nothing is recognised as stored at the next start."""
    started = time.monotonic()
    status = tokenwatch.stop(signal.SIGTERM, STOP_SECS)
    assert status == 0, f"it ended with {status}"
    print(f"stopped in good order in {time.monotonic() - started:.1f} s", flush=True)
    tokenwatch.run()
    known, recognised = wait_for("assignment of every partition", lambda: assigned(tokenwatch))
    assert (known, recognised) == (PARTITIONS, 0), f"{known} streams were known, {recognised} events to be recognised"
    print("replayed after it: 0 events", flush=True)


def assigned(tokenwatch):
    """How many of the assigned partitions have a position and how many events past it are stored, once all are assigned; while the process before
    is leaving the group they come one after the other."""
    told = re.findall(r"streams\.count=(\d+) streams\.known=(\d+) events\.stored=(\d+)", plain(tokenwatch.said()))
    count, known, recognised = (sum(map(int, numbers)) for numbers in zip(*told))
    return (known, recognised) if count >= PARTITIONS else None


def plain(text):
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def main():
    with Services() as services:
        kafka = services.kafka({TOPIC: PARTITIONS})
        geo = [str(path) for path in sorted((FETCHED / "geo").glob("*.mmdb"))]
        config = CONFIG.format(geo=geo, bootstrap=kafka.bootstrap, topic=TOPIC)
        tokenwatch = services.tokenwatch(config + STORE_AND_CONSOLE)
        load, memory = Load(kafka), Memory(tokenwatch)
        services.callback(load.stop)
        services.callback(memory.stop)
        memory.phase = "undisturbed"
        load.start()
        memory.start()
        outages = Outages(tokenwatch, memory)
        outages.wait_for_steady("steady state")
        wait_for("ten seconds of it", lambda: engine.events(tokenwatch) >= 10 * RATE)
        outages.all(kafka)
        memory.phase = "stopped and started"
        stop_and_start(tokenwatch)
        outages.wait_for_steady("steady state")
        produced = load.stop()
        wait_for("checkpoint at the end of the topic", lambda: engine.consumed(tokenwatch) >= produced, 120)
        stored = engine.stored(tokenwatch)
        memory.stop()
        rejoined = len(re.findall("Kafka partitions assigned", tokenwatch.log.read_text(errors="replace")))
        report(produced, stored, rejoined, memory.peaks)


def report(produced, stored, rejoined, peaks):
    print(f"produced {produced}; stored {stored}; partitions assigned {rejoined} times")
    for phase, (ours, engines) in peaks.items():
        print(f"peak of memory, {phase}: {ours} MB, its engine {engines} MB")
    assert set(stored.values()) == {produced}, f"not every event exactly once: {stored}, produced {produced}"
    usual = peaks["undisturbed"][0]
    grown = {phase: ours for phase, (ours, _) in peaks.items() if ours > usual + GROWTH_LIMIT_MB}
    assert not grown, f"memory grew from {usual} MB to {grown}"


if __name__ == "__main__":
    main()
