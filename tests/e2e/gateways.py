#!/usr/bin/env python3
"""What real gateways log of real requests becomes the right events: nginx, Caddy and HAProxy as Debian ships them, with the configuration that the
documentation tells people to paste, each asked the same things: keys, JWTs, refusals, failures, a client that hangs up, IPv6, hostile bytes.

Envoy, Traefik and newer Caddys come from elsewhere; ENVOY=/path/to/envoy, TRAEFIK=… and CADDY=… have them asked, too.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from services import REPOSITORY, TOKENWATCH, wait_for

KEY = "pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K"
GUESS = "pk_live_this0is1nobodys2key3at4all5x"
IN_URL = "pk_live_aV5nH0jC3uLi8SoE1kTq9WxD"
PASSWORD = "correct-horse-battery-7"
GATEWAYS = REPOSITORY / "deploy/gateways"
START_LIMIT_SECS = 20


def jwt():
    claims = {"iss": "https://id.example.com", "sub": "svc-billing", "azp": "billing", "jti": "j-1", "scope": "orders:read", "exp": 1795333200}
    parts = [{"alg": "RS256", "kid": "k1"}, claims]
    encode = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    return ".".join([*map(encode, parts), "c2lnbmF0dXJlLXRoYXQtbm9ib2R5LWNoZWNrcw"])


JWT = jwt()
SECRETS = [KEY, GUESS, IN_URL, PASSWORD, JWT.split(".")[2], base64.b64encode(f"ada:{PASSWORD}".encode()).decode()]


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/v1/slow":
            time.sleep(1.5)
        keys = [self.headers.get("X-Api-Key"), (self.headers.get("Authorization") or "").removeprefix("Bearer ")]
        status = 401 if GUESS in keys else {"/v1/failing": 503, "/v1/forbidden": 403}.get(path, 200)
        body = b'{"status":%d}\n' % status
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # The client may have hung up.
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Gateways hang up when their clients do."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def replace(text, *pairs):
    """Replaces what only the example has; what is not there is a mistake."""
    for old, new in pairs:
        assert old in text, f"{old!r} is not in the configuration any more"
        text = text.replace(old, new)
    return text


def documented(page, language):
    """The first block in a language on a page of docs/formats."""
    text = (REPOSITORY / "docs/formats" / page).read_text(encoding="utf-8")
    return re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1]


def nginx(folder, port, upstream, log):
    (folder / "tmp").mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"  {kind}_temp_path {folder}/tmp/{kind};\n" for kind in kinds)
    config = folder / "nginx.conf"
    config.write_text(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
{temporary}  include {GATEWAYS}/nginx/log_format.conf;
  server {{
    listen 127.0.0.1:{port}; listen [::1]:{port};
    access_log {log} tokenwatch;
    location / {{ proxy_pass http://{upstream}; }}
  }}
}}
""")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return [program, "-e", folder / "error.log", "-p", folder, "-c", config]


def caddy(folder, port, upstream, log):
    example = (GATEWAYS / "caddy/Caddyfile").read_text(encoding="utf-8")
    config = folder / "Caddyfile"
    pairs = [("api.example.com {", f"http://:{port} {{"), ("/var/log/caddy/tokenwatch.json", str(log)), ("localhost:9000", upstream)]
    config.write_text("{\n\tadmin off\n\tservers {\n\t\tlog_credentials\n\t}\n}\n" + replace(example, *pairs))
    return [os.environ.get("CADDY") or shutil.which("caddy"), "run", "--adapter", "caddyfile", "--config", config]


def haproxy(folder, port, upstream, log):
    example = documented("haproxy.md", "haproxy")
    target = re.search(r"^    log 127.*$", example, re.MULTILINE)[0]
    pairs = [(target, "    log stdout len 8192 format raw local0"), ("bind :443 ssl crt /etc/haproxy/api.pem", f"bind 127.0.0.1:{port}\n    bind [::1]:{port}")]
    config = folder / "haproxy.cfg"
    config.write_text(
        "defaults\n    mode http\n    option abortonclose\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n"
        f"{replace(example, *pairs)}    default_backend api\nbackend api\n    server one {upstream}\n"
    )
    return [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", config]


def envoy(folder, port, upstream, log):
    host, target = upstream.split(":")
    example = (GATEWAYS / "envoy/access_log.yaml").read_text(encoding="utf-8")
    example = replace(example, ("/var/log/envoy/tokenwatch.json", str(log)))
    log_lines = "".join(f"          {line}\n" for line in example.splitlines() if not line.startswith("#"))
    address = lambda ip: f'{{ socket_address: {{ address: "{ip}", port_value: {port} }} }}'
    config = folder / "envoy.yaml"
    config.write_text(f"""static_resources:
  listeners:
  - address: {address("127.0.0.1")}
    additional_addresses: [{{ address: {address("::1")} }}]
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          use_remote_address: true
{log_lines}          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
          route_config:
            virtual_hosts:
            - {{ name: api, domains: ["*"], routes: [{{ name: orders, match: {{ prefix: "/" }}, route: {{ cluster: api }} }}] }}
  clusters:
  - name: api
    load_assignment:
      cluster_name: api
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: "{host}", port_value: {target} }} }} }} }}] }}]
""")
    return [os.environ["ENVOY"], "-c", config, "--concurrency", "1", "--log-level", "error", "--file-flush-interval-msec", "100", "--use-dynamic-base-id"]


def traefik(folder, port, upstream, log):
    example = replace(documented("traefik.md", "yaml"), ("/var/log/traefik/access.json", str(log)))
    routes = folder / "routes.yaml"
    routes.write_text(f"""http:
  routers: {{ orders: {{ rule: "PathPrefix(`/`)", service: api }} }}
  services: {{ api: {{ loadBalancer: {{ servers: [{{ url: "http://{upstream}" }}] }} }} }}
""")
    config = folder / "traefik.yaml"
    both = replace(example, ("X-Api-Key: keep", "Authorization: keep\n        X-Api-Key: keep"))
    config.write_text(f'{both}entryPoints: {{ web: {{ address: ":{port}" }} }}\nproviders: {{ file: {{ filename: "{routes}" }} }}\n')
    return [os.environ["TRAEFIK"], f"--configfile={config}"]


class Gateway:
    """A running gateway and what it logged."""

    def __init__(self, start, upstream):
        self.name, self.folder = start.__name__, Path(start.__name__).resolve()
        self.folder.mkdir()
        self.port, self.log = free_port(), self.folder / "access.log"
        command = start(self.folder, self.port, upstream, self.log)
        self.out = (self.folder / "out").open("wb")
        # HAProxy logs to its standard output.
        stdout = self.log.open("wb") if start is haproxy else self.out
        self.child = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self.out)
        wait_for(f"{self.name} that listens", self.listens, START_LIMIT_SECS)

    def listens(self):
        assert self.child.poll() is None, f"{self.name} ended: {(self.folder / 'out').read_text()}"
        socket.create_connection(("127.0.0.1", self.port), 1).close()
        return True

    def ask(self, number, path, *headers, host="127.0.0.1", hang_up=False):
        """One request on a connection of its own, byte by byte as written; the status that came back."""
        lines = [b"GET " + path + b" HTTP/1.1", b"Host: api.example.com", b"User-Agent: probe/1.%d" % number, *headers, b"Connection: close", b"", b""]
        with socket.create_connection((host, self.port), 10) as connection:
            connection.sendall(b"\r\n".join(lines))
            if hang_up:
                time.sleep(0.3)
                return None
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None

    def stop(self):
        self.child.terminate()
        self.child.wait(30)
        self.out.close()


QUERY_KEY = f"/v1/orders?limit=1&api_key={IN_URL}".encode()
# What is asked: path, headers, how; and what the event must say.
CALLS = [
    (b"/v1/orders?limit=10", [b"X-Api-Key: " + KEY.encode()], {}, {"path": "/v1/orders", "status": 200, "kind": "api_key"}),
    (b"/v1/orders", [b"Authorization: Bearer " + JWT.encode()], {}, {"status": 200, "kind": "jwt", "consumer": "billing", "instance": "j-1"}),
    (b"/v1/orders", [b"X-Api-Key: " + GUESS.encode()], {}, {"status": 401, "outcome": "denied", "kind": "api_key"}),
    (b"/v1/forbidden", [b"X-Api-Key: " + KEY.encode()], {}, {"status": 403, "outcome": "denied", "kind": "api_key"}),
    (b"/v1/failing", [b"X-Api-Key: " + KEY.encode()], {}, {"status": 503, "outcome": "server_error"}),
    (b"/v1/slow", [b"X-Api-Key: " + KEY.encode()], {"hang_up": True}, {"outcome": "aborted", "kind": "api_key"}),
    (b"/v1/orders", [b"X-Api-Key: " + KEY.encode()], {"host": "::1"}, {"ip": "::1", "status": 200}),
    (QUERY_KEY, [], {}, {"path": "/v1/orders", "kind": "api_key", "flags": "token_in_url"}),
    (b"/v1/%2e%2f%00%ff/caf%C3%A9/x%22%7D", [], {}, {}),
    (b"/v1/\xc3\xa9/\xff\xfe\"\\x", [], {}, {}),
    (b"/v1/orders", [b'X-Forwarded-For: 1.2.3.4", "status":"200', b"Referer: https://h/?token=" + IN_URL.encode()], {}, {"ip": "127.0.0.1"}),
    (b"/v1/orders", [b"Authorization: Basic " + base64.b64encode(f"ada:{PASSWORD}".encode())], {}, {"status": 200, "kind": "api_key"}),
    (b"/v1/orders", [b"X-Api-Key: \xff\xfe\x80" + KEY.encode() + b'"}\\'], {}, {}),
    (b"/v1/" + b"a" * 1_500, [], {}, {}),
]


def ask_everything(gateway):
    """The statuses that came back."""
    statuses = [gateway.ask(number, path, *headers, **how) for number, (path, headers, how, _) in enumerate(CALLS)]
    # Bytes that are no request: TLS to a port without it, and a line without an end.
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\xff\r\n\r\n", b"GET /" + KEY.encode() + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", gateway.port), 10) as connection, contextlib.suppress(OSError):
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65_536)
    return statuses


def decode(gateway):
    """The events and the rejects of a gateway's log, which holds no secret any more."""
    rejects = gateway.folder / "rejects.ndjson"
    command = [TOKENWATCH, "decode", "--format", "auto", "--rejects", rejects, gateway.log]
    out = subprocess.run(command, cwd=gateway.folder, stdout=subprocess.PIPE, check=True).stdout.decode()
    refused = rejects.read_text(encoding="utf-8") if rejects.exists() else ""
    for secret in SECRETS:
        assert secret not in out and secret not in refused, f"{gateway.name}: {secret} came out"
    return [json.loads(line) for line in out.splitlines()], [json.loads(line) for line in refused.splitlines()]


def check(gateway, statuses, events, rejects):
    by_number = {}
    for event in events:
        agent = re.fullmatch(r"probe/1\.(\d+)", event["client"].get("user_agent", ""))
        if agent:
            by_number[int(agent[1])] = event
    key_ids = set()
    for number, (path, _, how, expected) in enumerate(CALLS):
        event = by_number.get(number)
        # What a gateway refuses to read as a request it need not log with its headers.
        if event is None and statuses[number] in (400, None) and not how:
            continue
        assert event, f"{gateway.name}: no event of {path}, which was answered by {statuses[number]}"
        token, http = event.get("token", {}), event["http"]
        found = {**token, **http, "ip": event["client"].get("ip"), "outcome": event["outcome"]}
        for name, value in expected.items():
            actual = event.get("flags", []) if name == "flags" else found.get(name)
            assert value == actual or (name == "flags" and value in actual), f"{gateway.name}, {path}: {name} is {actual}, not {value}: {event}"
        assert statuses[number] is None or http.get("status") == statuses[number], f"{gateway.name}, {path}: {event}"
        if number in (0, 3, 6):
            key_ids.add(token["id"])
    assert len(key_ids) == 1, f"{gateway.name}: one key is {key_ids}"
    unread = [reject for reject in rejects if reject["reason"] not in ("unsupported_record", "missing_required_field")]
    assert not unread, f"{gateway.name}: {unread}"
    return key_ids.pop()


def main():
    server = Server(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    upstream = "{}:{}".format(*server.server_address)
    asked = [nginx, caddy, haproxy, *[start for start in (envoy, traefik) if start.__name__.upper() in os.environ]]
    with contextlib.ExitStack() as stack:
        gateways = [Gateway(start, upstream) for start in asked]
        for gateway in gateways:
            stack.callback(gateway.stop)
        answers = {gateway.name: ask_everything(gateway) for gateway in gateways}
        for gateway in gateways:
            wait_for(f"{gateway.name}'s log", lambda log=gateway.log: re.search(rb'probe.?/1\.13"', log.read_bytes()), 10)
    for gateway in gateways:
        events, rejects = decode(gateway)
        check(gateway, answers[gateway.name], events, rejects)
        print(f"{gateway.name}: {len(events)} events, {len(rejects)} rejects")


if __name__ == "__main__":
    main()
