#!/usr/bin/env python3
"""100,000 damaged records among 100,000 good ones of five gateways, through Kafka and through a file.

Every good one is stored exactly once; every damaged one is counted once, with the reason that it should have, and is in the dead letters;
the process goes on as if nothing were, in bounded memory.
"""

import itertools
import json
import random
import subprocess
import time
from collections import Counter, defaultdict
from datetime import datetime, timezone
from pathlib import Path

import engine
from services import STORE_AND_CONSOLE, Services, json_lines, wait_for

TOPIC = "gateway.access"
PARTITIONS = 6
GOOD, DAMAGED = 100_000, 100_000
HUGE_RECORDS, HUGE_BYTES = 6, 10 << 20
RSS_LIMIT_MB = 768
SEED = 5
LIMIT_SECS = 150

JSON_DAMAGE = {"invalid_json"}
TIME_DAMAGE = {"timestamp_out_of_range", "unreadable_timestamp", "missing_timestamp"}


def config(kafka):
    return f"""
[ingest]
data_dir = "data"
key_file = "data/token.key"

[ingest.kafka]
brokers = ["{kafka}"]
topics = ["{TOPIC}"]

[ingest.files]
paths = ["logs/*.log"]

[ingest.dead_letters]
bytes_limit = "1GiB"
{STORE_AND_CONSOLE}"""


class Records:
    """Good and damaged records; the number of a good one is in its path."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = time.time()

    # -- good -------------------------------------------------------------------------------------------------

    def kong(self, path, at):
        return {
            "request": {"method": "GET", "uri": path, "headers": {"host": "api.example.com", "user-agent": "acme-sdk/2.1", "apikey": self.key()}},
            "response": {"status": 200, "size": 187},
            "latencies": {"kong": 2, "proxy": 31, "request": 34},
            "client_ip": self.address(),
            "started_at": int(at * 1_000),
        }

    def nginx(self, path, at):
        return {
            "msec": f"{at:.3f}",
            "request_id": f"{self.random.getrandbits(128):032x}",
            "remote_addr": self.address(),
            "request_method": "GET",
            "request_uri": path,
            "status": "200",
            "request_time": "0.034",
            "http_user_agent": "acme-sdk/2.1",
            "http_x_api_key": self.key(),
        }

    def envoy(self, path, at):
        return {
            "start_time": self.iso(at),
            "method": "GET",
            "path": path,
            "protocol": "HTTP/2",
            "response_code": 200,
            "response_flags": "-",
            "duration": 12,
            "authority": "api.example.com",
            "user_agent": "acme-sdk/2.1",
            "downstream_remote_address": f"{self.address()}:51244",
            "x-api-key": self.key(),
        }

    def caddy(self, path, at):
        headers = {"User-Agent": ["acme-sdk/2.1"], "X-Api-Key": [self.key()]}
        request = {"remote_ip": self.address(), "client_ip": self.address(), "method": "GET", "host": "api.example.com", "uri": path, "headers": headers}
        return {"level": "info", "ts": at, "logger": "http.log.access.log0", "msg": "handled request", "request": request, "duration": 0.03, "status": 200}

    def combined(self, path, at):
        when = datetime.fromtimestamp(at, timezone.utc).strftime("%d/%b/%Y:%H:%M:%S +0000")
        return f'{self.address()} - - [{when}] "GET {path} HTTP/1.1" 200 187 "-" "acme-sdk/2.1"'

    def envoy_text(self, path, at):
        return f'[{self.iso(at)}] "GET {path} HTTP/2" 200 - 154 0 226 100 "{self.address()}" "acme-sdk/2.1" "-" "api.example.com" "10.0.2.1:80"'

    def good(self, number):
        """The record with this number; times run over the last hour, as if its gateways had just written them."""
        make = (self.kong, self.nginx, self.envoy, self.caddy, self.combined, self.envoy_text)[number % 6]
        record = make(f"/v1/orders/{number}", self.now - 3_600 + number * 3_600 / GOOD)
        return (record if isinstance(record, str) else json.dumps(record, separators=(",", ":"))).encode()

    def any_json(self):
        make = self.random.choice((self.kong, self.nginx, self.envoy, self.caddy))
        return make("/v1/damaged", self.now)

    def key(self):
        return f"pk_{self.random.randrange(20):04}"

    def address(self):
        return f"203.0.113.{self.random.randrange(256)}"

    @staticmethod
    def iso(at):
        return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    # -- damaged: what it is, and the reasons that it may be rejected for ---------------------------------------

    def truncated(self):
        line = json.dumps(self.any_json()).encode()
        return line[: self.random.randrange(1, len(line))], JSON_DAMAGE

    def truncated_text(self):
        line = self.random.choice((self.combined, self.envoy_text))("/v1/damaged", self.now).encode()
        return line[: self.random.randrange(1, line.index(b'"GET'))], {"invalid_line", "unknown_format", "invalid_json"}

    def random_bytes(self):
        noise = self.random.randbytes(self.random.randrange(1, 400)).replace(b"\n", b"\0")
        return b"\xff" + noise, {"not_utf8"}

    def random_text(self):
        noise = "".join(self.random.choices("abcdefgh \"{}[]:,0123-é☃", k=self.random.randrange(20, 200)))
        return f"x{noise}x".encode(), {"unknown_format", "invalid_line"}

    def not_utf8(self):
        """Such bytes alone are replaced and the record is an event; here its end is lost, too."""
        line = json.dumps(self.any_json()).encode()[:-1]
        return line.replace(b"acme", self.random.choice((b"\xc3\x28", b"\xa0\xa1", b"\xf0\x28\x8c\x28", b"\xed\xa0\x80"))), {"not_utf8"}

    def not_an_object(self):
        return self.random.choice((b"null", b"17", b"-1e9", b"true", b'"text"', b"{}", b'{"a":1}', b"[17]", b"[null]")), {
            "unknown_format",
            "invalid_line",
        }

    def wrong_types(self):
        """A time that is no time, in each format."""
        wrong = self.random.choice((None, True, {}, [], {"a": 1}, [1, 2], "", "soon", "yesterday", "-"))
        return self.with_time(wrong), TIME_DAMAGE

    def absurd_time(self):
        wrong = self.random.choice((0, -1, 17, 9e15, -9e18, 1e300, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", 2**63, 2**64))
        return self.with_time(wrong), TIME_DAMAGE

    def with_time(self, value):
        record = self.any_json()
        key = next(key for key in ("started_at", "msec", "start_time", "ts") if key in record)
        record[key] = value
        return json.dumps(record).encode()

    def no_number(self):
        record = json.dumps(self.kong("/v1/damaged", self.now))
        return record.replace(str(int(self.now * 1_000)), self.random.choice(("NaN", "1e400", "Infinity", "0x10", "01", "--1"))).encode(), JSON_DAMAGE

    def nested(self):
        depth = self.random.randrange(200, 3_000)
        opening, closing = self.random.choice((("[", "]"), ('{"a":', "}"), ('[{"a":[', "]}]")))
        bomb = opening * depth + "1" + closing * depth
        record = self.any_json()
        record["extra"] = "BOMB"
        whole = json.dumps(record).replace('"BOMB"', bomb)
        return self.random.choice((bomb, opening * depth, whole)).encode(), {"nesting_too_deep"}

    def nothing_called(self):
        record = self.kong("/v1/damaged", self.now)
        return json.dumps({"started_at": record["started_at"], "latencies": {}}).encode(), {"missing_required_field"}

    def stream_session(self):
        record = self.kong("/v1/damaged", self.now)
        record["session"] = record.pop("request")
        return json.dumps(record).encode(), {"unsupported_record"}

    def huge(self):
        filler = self.random.choice((b"a", b"[", b'{"a":', b"\xff", b'"\\u0000'))
        return (b'{"request":"' + filler * (HUGE_BYTES // len(filler)))[:HUGE_BYTES], {"oversized"}

    def damaged(self):
        """(kind, record, reasons) for ever."""
        kinds = [
            self.truncated, self.truncated, self.truncated_text, self.random_bytes, self.random_text, self.not_utf8, self.not_an_object,
            self.wrong_types, self.absurd_time, self.no_number, self.nothing_called, self.stream_session,
        ]  # fmt: skip
        for index in itertools.count():
            if index % (DAMAGED // HUGE_RECORDS) == 100:
                kind = self.huge
            else:
                # Bombs are a hundred times larger than the others.
                kind = self.nested if index % 100 == 0 else self.random.choice(kinds)
            yield kind.__name__, *kind()


def write_records(path):
    """Writes the file; returns what is expected of each line: its kind and reasons, or None for a good one."""
    records, expected = Records(SEED), []
    damaged = records.damaged()
    order = [True] * GOOD + [False] * DAMAGED
    records.random.shuffle(order)
    number = 0
    with open(path, "wb") as out:
        for is_good in order:
            if is_good:
                line, what = records.good(number), None
                number += 1
            else:
                kind, line, reasons = next(damaged)
                what = (kind, reasons)
            out.write(line + b"\n")
            expected.append(what)
    return expected


def rejected(tokenwatch):
    prefix = 'tokenwatch_ingest_rejected_total{reason="'
    return {name[len(prefix) : -2]: int(value) for name, value in tokenwatch.metrics().items() if name.startswith(prefix) and value}


def peak_rss_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) // 1_024


def check_good(tokenwatch, sources):
    """Each number once from each source."""
    columns = "count() AS events, uniqExact(path) AS paths, uniqExact(topic, partition, offset, record_index) AS origins"
    rows = engine.query(tokenwatch, f"SELECT startsWith(topic, 'file:') AS file, {columns}, min(path) AS first FROM events GROUP BY file")
    assert len(rows) == sources, rows
    for row in rows:
        assert [int(row[name]) for name in ("events", "paths", "origins")] == [GOOD] * 3, row
    strays = engine.query(tokenwatch, "SELECT count() AS count FROM events WHERE NOT match(path, '^/v1/orders/[0-9]+$')")
    assert int(strays[0]["count"]) == 0, f"{strays} events come from damaged records"


def check_rejected(letters, expected, offsets):
    """Each damaged record is among the letters once, with a reason that fits. `offsets` finds the line of a letter."""
    kinds, seen = defaultdict(Counter), set()
    for letter in letters:
        line = offsets(letter)
        assert line not in seen, f"line {line} was rejected twice: {letter}"
        seen.add(line)
        assert expected[line] is not None, f"a good record was rejected: {letter}"
        kind, reasons = expected[line]
        assert letter["reason"] in reasons, f"{kind} was rejected as {letter['reason']}, not as {reasons}: {letter}"
        kinds[kind][letter["reason"]] += 1
    missing = [what[0] for line, what in enumerate(expected) if what and line not in seen]
    assert not missing, f"{len(missing)} damaged records were not rejected: {Counter(missing)}"
    return kinds


def main():
    Path("logs").mkdir()
    expected = write_records("records")
    starts = [0] + list(itertools.accumulate(len(line) for line in open("records", "rb")))
    line_at = {start: line for line, start in enumerate(starts)}
    with Services() as services:
        kafka = services.kafka({TOPIC: PARTITIONS})
        tokenwatch = services.tokenwatch(config(kafka.bootstrap))
        wait_for("readiness", tokenwatch.is_ready)
        tokenwatch.login()
        began = time.monotonic()
        produce(kafka.bootstrap)
        Path("records").rename("logs/records.log")

        sent = 2 * len(expected)

        def is_done():
            metrics = tokenwatch.metrics()
            stored = metrics.get('tokenwatch_store_inserted_rows_total{table="events"}', 0)
            return stored + sum(rejected(tokenwatch).values()) >= sent

        wait_for("the last record", is_done, LIMIT_SECS)
        took_secs = time.monotonic() - began
        counted = rejected(tokenwatch)
        assert sum(counted.values()) == 2 * DAMAGED, f"{sum(counted.values())} rejects counted: {counted}"
        metrics = tokenwatch.metrics()
        assert metrics['tokenwatch_store_inserted_rows_total{table="events"}'] == 2 * GOOD
        assert metrics["tokenwatch_store_engine_restarts_total"] == 0 and metrics["tokenwatch_ingest_dead_letters_lost_total"] == 0
        wait_for("dead letters", lambda: tokenwatch.metrics()["tokenwatch_ingest_dead_letters_written_total"] == 2 * DAMAGED)
        check_good(tokenwatch, sources=2)

        letters = json_lines("data/dead-letters.ndjson.1") + json_lines("data/dead-letters.ndjson")
        assert Counter(letter["reason"] for letter in letters) == Counter(counted), "letters and counters differ"
        from_file = [letter for letter in letters if letter["topic"] != TOPIC]
        kinds = check_rejected(from_file, expected, lambda letter: line_at[letter["offset"]])
        from_kafka = Counter(letter["reason"] for letter in letters if letter["topic"] == TOPIC)
        assert from_kafka == Counter(letter["reason"] for letter in from_file), "Kafka and the file differ"
        origins = {(letter["partition"], letter["offset"]) for letter in letters if letter["topic"] == TOPIC}
        assert len(origins) == DAMAGED, f"{len(origins)} different records of Kafka were rejected"

        peak, engine_peak = peak_rss_mb(tokenwatch.child.pid), peak_rss_mb(engine.pid_of(tokenwatch.child.pid))
        assert peak <= RSS_LIMIT_MB, f"{peak} MB at the peak"
        assert tokenwatch.is_ready()
        assert tokenwatch.stop() == 0, "tokenwatch did not end well"

    print(f"{sent} records in {took_secs:.0f} s: {2 * GOOD} good ones stored exactly once, {2 * DAMAGED} damaged ones rejected")
    print(f"peak memory {peak} MB, of the embedded ClickHouse {engine_peak} MB; {starts[-1] >> 20} MB of records from each source")
    for kind, reasons in sorted(kinds.items()):
        print(f"  {kind:15} {', '.join(f'{reason} {count}' for reason, count in reasons.most_common())}")


def produce(bootstrap):
    limit = f"message.max.bytes={HUGE_BYTES + 1_024}"
    subprocess.run(["kcat", "-b", bootstrap, "-P", "-t", TOPIC, "-X", limit, "-l", "records"], check=True)


if __name__ == "__main__":
    main()
