#!/usr/bin/env python3
"""How many events a second `tokenwatch run` stores and judges, with the embedded ClickHouse: from a file, and from Apache Kafka.

    deploy/dev/bench_pipeline.py [--events N] [--rounds N] [--source file|kafka] [BINARY…]

Several binaries take turns, so that what else the machine does falls on all of them. The lines are those of the benchmark `replay`. A rate is
that from the first batch stored to the last; CPU seconds are of the whole process, and of the engine beside it.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/e2e"))

import engine  # noqa: E402
import services  # noqa: E402

TOPIC, PARTITIONS = "gateway.access", 3
TICKS = os.sysconf("SC_CLK_TCK")
LIMIT_SECS = 900
STORED = "tokenwatch_pipeline_events_total"

CONFIG = """
[ingest]
key_file = "{directory}/token.key"

[ingest.decoder]
format = "kong"

[ingest.geo]
databases = {geo}

{source}

[store.embedded]
path = "clickhouse"
library = "{library}"

[dashboards]
listen = "127.0.0.1:0"
"""
SOURCES = {
    "file": '[ingest.files]\npaths = ["{directory}/all.ndjson"]',
    "kafka": '[ingest.kafka]\nbrokers = ["{bootstrap}"]\ntopics = ["{topic}"]',
}


def write_lines(directory, count):
    """Writes all lines to one file, and those of each token to the file of its partition."""
    bench = ["cargo", "bench", "--locked", "-q", "-p", "tokenwatch", "--bench", "replay", "--", "--write", directory / "all.ndjson", str(count)]
    subprocess.run(bench, cwd=REPOSITORY, check=True)
    paths = [directory / f"{partition}.ndjson" for partition in range(PARTITIONS)]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in paths]
        for line in stack.enter_context((directory / "all.ndjson").open("rb")):
            key = line.split(b'"apikey":"', 1)[1].split(b'"', 1)[0]
            files[zlib.crc32(key) % PARTITIONS].write(line)
    return paths


def cpu_secs(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def run(binary, config, count):
    """One start of the service, from nothing stored to everything stored; what it took."""
    services.TOKENWATCH = binary
    with services.Services() as parts:
        tokenwatch = parts.tokenwatch(config)
        pids = tokenwatch.child.pid, engine.pid_of(tokenwatch.child.pid)
        before, begun = services.wait_for("first batch", lambda: stored(tokenwatch, 1))
        after, ended = services.wait_for("last batch", lambda: stored(tokenwatch, count), LIMIT_SECS)
        samples = tokenwatch.metrics()
        cpu, memory = [cpu_secs(pid) for pid in pids], [peak_mib(pid) for pid in pids]
        held = services.wait_for("count of what is stored", lambda: engine.stored(tokenwatch))
    assert set(held.values()) == {count}, f"not every event exactly once: {held}"
    return {
        "events/s": (after - before) / (ended - begun),
        "CPU s": cpu[0],
        "engine CPU s": cpu[1],
        "peak MiB": memory[0],
        "engine peak MiB": memory[1],
        "batches": samples["tokenwatch_pipeline_batches_total"],
        "write s": samples["tokenwatch_pipeline_batch_write_seconds_sum"],
    }


def stored(tokenwatch, count):
    """How many events are stored, and when that was, once they are `count`."""
    events = tokenwatch.metrics()[STORED]
    return (events, time.monotonic()) if events >= count else None


def show(name, runs):
    median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    spread = f"{min(run['events/s'] for run in runs):.0f} to {max(run['events/s'] for run in runs):.0f}"
    print(f"{name}: " + ", ".join(f"{value:.0f} {key}" for key, value in median.items()) + f" ({spread})", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=500_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--source", choices=SOURCES, action="append")
    arguments.add_argument("binary", nargs="*", type=lambda path: Path(path).resolve(), default=[REPOSITORY / "target/release/tokenwatch"])
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="tokenwatch-bench-") as directory, contextlib.chdir(directory), services.Services() as parts:
        directory = Path(directory)
        paths = write_lines(directory, arguments.events)
        names = {"directory": directory, "topic": TOPIC, "library": services.FETCHED / "chdb/libchdb.so"}
        names["geo"] = [str(path) for path in sorted((services.FETCHED / "geo").glob("*.mmdb"))]
        sources = arguments.source or list(SOURCES)
        if "kafka" in sources:
            kafka = parts.kafka({TOPIC: PARTITIONS})
            names["bootstrap"] = kafka.bootstrap
            for partition, path in enumerate(paths):
                kafka.ship(TOPIC, path, partition)
        runs = {}
        for number in range(arguments.rounds):
            for source in sources:
                config = CONFIG.format(source=SOURCES[source].format(**names), **names)
                for binary in arguments.binary:
                    with tempfile.TemporaryDirectory(dir=directory) as own, contextlib.chdir(own):
                        runs.setdefault(f"{source}, {binary.name}", []).append(run(binary, config, arguments.events))
        for name, rounds in runs.items():
            show(name, rounds)


if __name__ == "__main__":
    main()
