#!/usr/bin/env python3
"""How many requests a second `/gateway/v1/check` answers, and how soon, in turns with a static file of nginx with one worker.

    deploy/dev/bench_deny_list.py [--seconds N] [--rounds N] [--connections N] [BINARY]

Both keep connections alive, and `wrk` asks with one thread. The requests carry an API key of which the list knows nothing.
"""

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/e2e"))

import gateways  # noqa: E402
import services  # noqa: E402

KEY = "key-of-a-machine-0123456789"
HEADERS = {
    "X-Tokenwatch-Key": KEY,
    "X-Api-Key": "pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K",
    "X-Original-URI": "/v1/orders/17?limit=20",
    "X-Real-IP": "203.0.113.7",
    "User-Agent": "acme-sdk/2.1",
    "Accept": "application/json",
}
TICKS = os.sysconf("SC_CLK_TCK")
UNITS = {"us": 0.001, "ms": 1.0, "s": 1_000.0}


def config(directory):
    return f"""
[ingest]
key_file = "{directory}/token.key"

[store.embedded]
path = "clickhouse"
library = "{services.FETCHED}/chdb/libchdb.so"

[dashboards]
listen = "127.0.0.1:0"

[[alerting.response.targets]]
kind = "denylist"
name = "gateways"
check_key_env = ["CHECK_KEY"]
"""


def nginx(parts, directory):
    """nginx with one worker and a file of three bytes."""
    port = gateways.free_port()
    (directory / "tmp").mkdir()
    (directory / "answer").write_text("ok\n")
    temporary = "".join(f"  {kind}_temp_path {directory}/tmp/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (directory / "nginx.conf").write_text(f"""daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;
events {{}}
http {{
{temporary}  access_log off; sendfile on; tcp_nopush on; open_file_cache max=10; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; root {directory}; }}
}}
""")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    child = parts.process(services.Process("nginx", [program, "-e", directory / "error.log", "-p", directory, "-c", directory / "nginx.conf"]))
    url = f"http://127.0.0.1:{port}/answer"
    services.wait_for("nginx", lambda: urllib.request.urlopen(url, timeout=5).read())
    return url, child.child.pid


def cpu_secs(pid):
    """Of a process and its children; the engine beside Tokenwatch does nothing meanwhile."""
    own = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(own[11]) + int(own[12])) / TICKS + sum(cpu_secs(child) for child in children)


def measure(url, pid, seconds, connections):
    """Requests a second, p50 and p99 in milliseconds, and CPU microseconds for each request."""
    headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
    before = cpu_secs(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *headers, url]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    used = cpu_secs(pid) - before
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    latency = [float(value) * UNITS[unit] for value, unit in re.findall(r"^\s+(?:50|99)%\s+([\d.]+)(us|ms|s)$", said, re.M)]
    requests = int(re.search(r"(\d+) requests in", said)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
    return rate, *latency, used / requests * 1e6


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--connections", type=int, default=32)
    arguments.add_argument("binary", nargs="?", type=lambda path: Path(path).resolve(), default=REPOSITORY / "target/release/tokenwatch")
    arguments = arguments.parse_args()
    services.TOKENWATCH = arguments.binary
    with tempfile.TemporaryDirectory(prefix="tokenwatch-bench-") as directory, contextlib.chdir(directory), services.Services() as parts:
        os.chmod(directory, 0o755)
        directory = Path(directory)
        tokenwatch = parts.tokenwatch(config(directory), {"CHECK_KEY": KEY})
        services.wait_for("readiness", tokenwatch.is_ready)
        url, pid = nginx(parts, directory)
        asked = {"nginx, a file": (url, pid), "tokenwatch, check": (f"{tokenwatch.address}/gateway/v1/check", tokenwatch.child.pid)}
        rounds = {name: [] for name in asked}
        for _ in range(arguments.rounds):
            for name, (url, pid) in asked.items():
                rounds[name].append(measure(url, pid, arguments.seconds, arguments.connections))
    print(f"{arguments.connections} connections, medians of {arguments.rounds} rounds of {arguments.seconds} s; load {os.getloadavg()[0]:.1f}")
    for name, measured in rounds.items():
        rate, p50, p99, cpu = (statistics.median(column) for column in zip(*measured))
        low, high = min(measured)[0], max(measured)[0]
        print(f"{name:18} {rate:9,.0f}/s ({low:,.0f} to {high:,.0f})  p50 {p50:.3f} ms  p99 {p99:.3f} ms  {cpu:.1f} µs of CPU each")


if __name__ == "__main__":
    main()
