"""Starts the parts of an end-to-end test in its working directory and stops them at its end, in the opposite order.

    with Services() as services:
        kafka = services.kafka({"gateway.access": 6})
        mail = services.mail_sink()
        tokenwatch = services.tokenwatch(CONFIG)
        ...
        wait_for("a finding", lambda: tokenwatch.get("/findings")["items"])

Every part is real. Addresses are free ports of 127.0.0.1; logs and data stay in the working directory, which `e2e.sh` keeps if the test fails.
Nothing here sleeps for a fixed time: `wait_for` asks until a deadline.
"""

import collections
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY = Path(os.environ.get("REPOSITORY", Path(__file__).resolve().parents[2]))
FETCHED = Path(os.environ.get("FETCHED", REPOSITORY / "deploy/fetched"))
TOKENWATCH = Path(os.environ.get("TOKENWATCH", REPOSITORY / "target/debug/tokenwatch"))
DEV = REPOSITORY / "deploy/dev"
SKIPPED = 77

# What every configuration with the embedded store has in common.
STORE_AND_CONSOLE = f"""
[store.embedded]
path = "clickhouse"
library = "{FETCHED}/chdb/libchdb.so"

[dashboards]
listen = "127.0.0.1:0"
"""

Post = collections.namedtuple("Post", "at path headers body")


def webhook_receiver(name, address, secret="WEBHOOK_SECRET"):
    """Configuration of a receiver of findings at a sink."""
    return f"""
[[alerting.receivers]]
kind = "webhook"
name = "{name}"
url = "http://{address}/findings"
secret_env = ["{secret}"]
allow_private = true
"""


def webhook_target(address, secret="WEBHOOK_SECRET"):
    """Configuration of a sink as the target of responses."""
    return f"""
[alerting.response.target]
name = "gateway"
url = "http://{address}/revoke"
secret_env = ["{secret}"]
allow_private = true
"""


def skip(reason):
    print(f"SKIPPED: {reason}", file=sys.stderr)
    sys.exit(SKIPPED)


def wait_for(what, probe, limit_secs=60):
    """The first truthy answer of `probe`; a probe may fail until then."""
    deadline = time.monotonic() + limit_secs
    problem = None
    while time.monotonic() < deadline:
        try:
            if answer := probe():
                return answer
            problem = None
        except (OSError, ValueError, LookupError) as error:
            problem = error
        time.sleep(0.1)
    raise AssertionError(f"no {what} within {limit_secs} s" + (f": {problem}" if problem else ""))


def json_lines(path):
    """The whole lines of an NDJSON file so far."""
    path = Path(path)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line]


def script(name, *arguments):
    """Runs a script of deploy/dev and returns what it printed."""
    done = subprocess.run([DEV / name, *map(str, arguments)], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.strip()


class Kafka:
    def __init__(self, directory, topics, *settings):
        self.directory = directory
        self.start()
        for topic, partitions in topics.items():
            script("kafka.sh", "topic", "--dir", directory, topic, partitions, *settings)

    def start(self):
        self.bootstrap = script("kafka.sh", "start", "--dir", self.directory)

    def stop(self):
        script("kafka.sh", "stop", "--dir", self.directory)

    def kill(self):
        script("kafka.sh", "kill", "--dir", self.directory)

    def ship(self, topic, path, partition=None):
        """Sends the lines of a file in their order to one partition, or spread over all."""
        where = [] if partition is None else ["-p", str(partition)]
        subprocess.run(["kcat", "-b", self.bootstrap, "-P", "-t", topic, *where, "-l", path], check=True)


class Shipper(threading.Thread):
    """Hands new whole lines of a file to kcat, a few times a second. `tail -F | kcat` would hold the newest line back until the next comes."""

    def __init__(self, kafka, topic, path):
        super().__init__(daemon=True)
        self.command = ["kcat", "-b", kafka.bootstrap, "-P", "-t", topic]
        self.path, self.shipped = Path(path), 0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.2):
            self.ship()

    def ship(self):
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.shipped)
            lines = file.read()
        lines = lines[: lines.rfind(b"\n") + 1]
        if lines:
            subprocess.run(self.command, input=lines, check=True)
            self.shipped += len(lines)

    def stop(self):
        self.stopping.set()
        self.join()


class Process:
    """A program of ours: its standard error goes to NAME.log, its standard output to NAME.out."""

    def __init__(self, name, command, environment=None):
        self.log, self.out = Path(f"{name}.log"), Path(f"{name}.out")
        with self.log.open("ab") as log, self.out.open("wb") as out:
            self.child = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=os.environ | (environment or {})
            )

    def ended(self):
        return self.child.poll() is not None

    def send(self, number):
        self.child.send_signal(number)

    def stop(self, number=signal.SIGTERM, limit_secs=60):
        if not self.ended():
            self.child.send_signal(number)
        try:
            return self.child.wait(limit_secs)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.log} did not end within {limit_secs} s") from None


class Sink(Process):
    """mail_sink.py or webhook_sink.py, and what it has received."""

    def __init__(self, kind, python, arguments, environment=None):
        self.received = Path(f"{kind}.ndjson").resolve()
        super().__init__(kind, [python, DEV / f"{kind}.py", "--out", self.received, *arguments], environment)
        self.address = wait_for(f"address of {kind}", lambda: json.loads(self.out.read_text())["address"])

    def lines(self):
        return json_lines(self.received)

    def control(self, **behaviour):
        request = urllib.request.Request(f"http://{self.address}/control", json.dumps(behaviour).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=10).close()


class HttpSink(ThreadingHTTPServer):
    """Takes every POST; what came is in `received`: when, to which path, with which headers (in lower case), and the body."""

    daemon_threads = True

    def __init__(self):
        received = self.received = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # The body of an answer does not wait until its head was acknowledged.
            disable_nagle_algorithm = True

            def do_POST(self):
                at = time.time()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append(Post(at, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Tokenwatch(Process):
    """`tokenwatch run`; its configuration, console and API."""

    def __init__(self, config, environment):
        self.config, self.environment = Path("tokenwatch.toml"), environment
        self.config.write_text(config)
        self.password = None
        self.run()

    def run(self):
        """Starts it, or starts it again, and waits for its console."""
        self.spawn()
        self.await_console()

    def spawn(self):
        self.log_before = Path("tokenwatch.log").stat().st_size if Path("tokenwatch.log").exists() else 0
        super().__init__("tokenwatch", [TOKENWATCH, "run", "--config", self.config], self.environment)
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def await_console(self):
        def address():
            assert not self.ended(), f"tokenwatch ended with {self.child.returncode}; see {self.log.resolve()}"
            said = self.said()
            if "with the password " in said and self.password is None:
                self.password = said.split("with the password ")[1].split()[0]
            return said.split("Console: ")[1].split()[0]

        self.address = wait_for("console", address)

    def said(self):
        """What it has logged since it was last started."""
        return self.log.read_bytes()[self.log_before :].decode(errors="replace")

    def login(self, user="admin"):
        self.request("POST", "/session", {"username": user, "password": self.password})

    def get(self, path):
        return self.request("GET", path)

    def request(self, method, path, body=None):
        headers = {"X-Tokenwatch-Request": "1", "Origin": self.address, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/api/v1{path}", data, headers, method=method)
        with self.opener.open(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def metrics(self):
        """Every sample by its name with labels."""
        with self.opener.open(f"{self.address}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def is_ready(self):
        try:
            return self.opener.open(f"{self.address}/readyz", timeout=10).status == 200
        except urllib.error.HTTPError:
            return False


class Services(contextlib.ExitStack):
    def kafka(self, topics, *settings):
        """A broker with these topics, each with its partitions and these settings."""
        kafka = Kafka(Path("kafka").resolve(), topics, *settings)
        self.callback(kafka.stop)
        return kafka

    def nginx(self, keys):
        """nginx in front of an API with these keys (see upstream.py); returns its address, and lines go to nginx/access.log."""
        directory = Path("nginx").resolve()
        directory.mkdir()
        (directory / "keys.json").write_text(json.dumps(keys))
        self.callback(script, "nginx.sh", "stop", "--dir", directory)
        return script("nginx.sh", "start", "--dir", directory, "--keys", directory / "keys.json")

    def shipper(self, kafka, topic, path):
        """Follows a log file and ships its lines as they come."""
        shipper = Shipper(kafka, topic, path)
        self.callback(shipper.stop)
        shipper.start()

    def mail_sink(self, *arguments, environment=None):
        return self.process(Sink("mail_sink", script("python.sh"), arguments, environment))

    def webhook_sink(self, *arguments):
        """A receiver whose secret is in its `secret`."""
        secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
        sink = self.process(Sink("webhook_sink", script("python.sh"), arguments, {"WEBHOOK_SECRET": secret}))
        sink.secret = secret
        return sink

    def tokenwatch(self, config, environment=None):
        return self.process(Tokenwatch(config, environment))

    def process(self, process):
        self.callback(process.stop)
        return process
