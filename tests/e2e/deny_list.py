#!/usr/bin/env python3
"""What is done about leaked tokens by those that ask: Debian's nginx asks about every request (`auth_request`, with the configuration that people
are told to paste), a gateway polls the list, and an identity provider is pushed a security event token, which PyPI's PyJWT verifies by the
published keys. Who has another token is served all the while; the list outlives a restart, and what was undone leaves it."""

import base64
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gateways import free_port, replace
from leaks import openssl
from services import FETCHED, REPOSITORY, TOKENWATCH, Process, Services, script, wait_for

LOG = Path("access.log").resolve()
KEYS = {name: f"{name}-key-of-a-machine-0123456789" for name in ("feed", "check", "leaks")}
STOLEN, OTHER = "pk_live_3xQm81Vd0hTzJr5NcYw7Lb2K", "pk_live_Z7tBq4Ws9eRk2MfXp6Gd1Uy8"
ISSUER, AUDIENCE = "https://tokenwatch.example.com", "https://idp.example.com"


def jwt(subject, number):
    claims = {"iss": "https://id.example.com", "sub": subject, "azp": subject, "jti": f"{subject}-{number}", "exp": int(time.time()) + 3_600}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "kid": "k1"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in [*parts, b"signature of the provider"])


def config(port, receiver):
    for name, key in KEYS.items():
        Path(f"{name}.key").write_text(key)
        Path(f"{name}.key").chmod(0o600)
    return f"""
[ingest]
data_dir = "data"
key_file = "data/token.key"

[ingest.files]
paths = ["{LOG}"]

[ingest.decoder]
format = "nginx"

[leaks]
token_file = "leaks.key"

[store.embedded]
path = "data/clickhouse"
library = "{FETCHED}/chdb/libchdb.so"

[dashboards]
listen = "127.0.0.1:{port}"

[alerting.response]
mode = "enforce"

[alerting.response.ssf]
issuer = "{ISSUER}"
key_file = ["new.pem", "old.pem"]

[[alerting.response.targets]]
kind = "denylist"
name = "gateways"
feed_key_file = ["feed.key"]
check_key_file = ["check.key"]

[[alerting.response.targets]]
kind = "ssf"
name = "idp"
url = "http://127.0.0.1:{receiver}/events"
audience = "{AUDIENCE}"
events = ["session_revoked", "credential_compromise"]
subject = "consumer"
subject_issuer = "https://id.example.com"
credential_type = "app"
allow_private = true

[[alerting.response.rules]]
name = "grants"
kinds = ["jwt"]
action = "revoke"
targets = ["gateways", "idp"]

[[alerting.response.rules]]
name = "the rest"
action = "suspend"
lasts = "1h"
targets = ["gateways"]
"""


class Receiver(BaseHTTPRequestHandler):
    """Takes security event tokens as RFC 8935 has it."""

    received = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.received.append((self.headers["Content-Type"], body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def nginx(services, port):
    """nginx with an API that answers itself, below what asks; returns its address."""
    folder, listen, api = Path("nginx").resolve(), free_port(), free_port()
    (folder / "tmp").mkdir(parents=True)
    temporary = "".join(f"  {kind}_temp_path {folder}/tmp/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    asks = replace((REPOSITORY / "deploy/gateways/nginx/deny_list.conf").read_text(), ('"KEY"', f'"{KEYS["check"]}"'))
    (folder / "deny_list.conf").write_text(asks)
    (folder / "nginx.conf").write_text(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
{temporary}  include {REPOSITORY}/deploy/gateways/nginx/log_format.conf;
  upstream tokenwatch {{ server 127.0.0.1:{port}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{listen};
    access_log {LOG} tokenwatch;
    include {folder}/deny_list.conf;
    location / {{
      auth_request /_tokenwatch;
      auth_request_set $tokenwatch_verdict $upstream_http_x_tokenwatch_verdict;
      add_header X-Verdict $tokenwatch_verdict always;
      proxy_pass http://127.0.0.1:{api};
    }}
  }}
  server {{
    listen 127.0.0.1:{api};
    access_log off;
    return 200 "ok\\n";
  }}
}}
""")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    services.process(Process("nginx", [program, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"]))
    return f"http://127.0.0.1:{listen}"


def fetch(url, headers=None):
    """Status, headers and body, whatever the status."""
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()


def feed(tokenwatch, query="", **headers):
    asked = {"Authorization": f"Bearer {KEYS['feed']}"} | headers
    status, told, body = fetch(f"{tokenwatch.address}/gateway/v1/denylist{query}", asked)
    return status, told["ETag"], json.loads(body) if body else None


def report(tokenwatch, id):
    body = json.dumps([{"id": id, "place": "a public repository"}]).encode()
    headers = {"Authorization": f"Bearer {KEYS['leaks']}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{tokenwatch.address}/api/v1/leaks", body, headers), timeout=30) as answer:
        assert json.load(answer) == [{"token": id, "status": "live"}]


VERIFY = """
import json, sys
import jwt
jwks, audience, tokens = json.load(sys.stdin)
keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys}
for token in tokens:
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, keys[header["kid"]].key, algorithms=["ES256"], audience=audience, issuer="ISSUER")
    changed = token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB")
    try:
        jwt.decode(changed, keys[header["kid"]].key, algorithms=["ES256"], audience=audience)
    except jwt.InvalidSignatureError:
        print(json.dumps([header, claims]))
""".replace("ISSUER", ISSUER)


def verified(tokenwatch):
    """Headers and claims of the tokens that were pushed, as PyJWT reads them with the published keys."""
    status, _, configuration = fetch(f"{tokenwatch.address}/.well-known/ssf-configuration")
    assert status == 200, status
    configuration = json.loads(configuration)
    assert configuration["issuer"] == ISSUER and configuration["jwks_uri"].startswith(ISSUER), configuration
    jwks = json.loads(fetch(tokenwatch.address + configuration["jwks_uri"].removeprefix(ISSUER))[2])
    assert [key["alg"] for key in jwks["keys"]] == ["ES256", "RS256"] and not any("d" in key for key in jwks["keys"]), jwks
    assert all(kind == "application/secevent+jwt" for kind, _ in Receiver.received), Receiver.received
    asked = json.dumps([jwks, AUDIENCE, [token for _, token in Receiver.received]])
    done = subprocess.run([script("python.sh"), "-c", VERIFY], input=asked, stdout=subprocess.PIPE, check=True, text=True)
    tokens = [json.loads(line) for line in done.stdout.splitlines()]
    assert {header["kid"] for header, _ in tokens} == {jwks["keys"][0]["kid"]}, tokens
    return tokens


def check_pushed(tokenwatch):
    wait_for("two security event tokens", lambda: len(Receiver.received) == 2, 30)
    tokens = verified(tokenwatch)
    assert len(tokens) == 2 and all(header["typ"] == "secevent+jwt" for header, _ in tokens), tokens
    kinds = [list(claims["events"])[0].removeprefix("https://schemas.openid.net/secevent/") for _, claims in tokens]
    assert kinds == ["caep/event-type/session-revoked", "risc/event-type/credential-compromise"], kinds
    subject = {"format": "iss_sub", "iss": "https://id.example.com", "sub": "thief"}
    assert all(claims["sub_id"] == subject and not {"sub", "exp"} & set(claims) for _, claims in tokens), tokens


def check_feed(tokenwatch, ids):
    """What a gateway is told that polls; returns the version and the entries by token."""
    assert fetch(f"{tokenwatch.address}/gateway/v1/denylist", {"Authorization": "Bearer wrong"})[0] == 401
    status, tag, whole = feed(tokenwatch)
    entries = {entry["token"]["id"]: entry for entry in whole["entries"]}
    assert status == 200 and set(entries) == set(ids.values()) and tag == f'"{whole["version"]}"', whole
    assert entries[ids["grant"]]["action"] == "revoke" and entries[ids["grant"]]["token"]["consumer"] == "thief", entries
    assert entries[ids["key"]]["action"] == "suspend" and "until" in entries[ids["key"]], entries
    assert feed(tokenwatch, **{"If-None-Match": tag})[0] == 304
    assert feed(tokenwatch, "?since=" + "0" * 31 + "1")[0] == 410
    return whole["version"], entries


def main():
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "new.pem")
    openssl("genrsa", "-out", "old.pem", "2048")
    LOG.touch()
    port, receiver = free_port(), serve(Receiver)
    with Services() as services:
        tokenwatch = services.tokenwatch(config(port, receiver))
        address = nginx(services, port)
        tokenwatch.login()

        def call(**headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            status, told, _ = fetch(f"{address}/v1/orders/17", headers)
            return status, told["X-Verdict"]

        def by_grant(subject, number):
            return call(Authorization=f"Bearer {jwt(subject, number)}")

        wait_for("nginx", lambda: call(X_Api_Key=OTHER) == (200, "allow"))
        for answer in (call(X_Api_Key=STOLEN), by_grant("thief", 1), by_grant("owner", 1)):
            assert answer == (200, "allow"), answer
        assert fetch(f"{tokenwatch.address}/gateway/v1/check", {"X-Tokenwatch-Key": "wrong"})[0] == 401
        wait_for("four tokens", lambda: len(tokenwatch.get("/tokens")["items"]) == 4)
        tokens = tokenwatch.get("/tokens")["items"]
        stolen = subprocess.run(
            [TOKENWATCH, "token", "id", "--config", "tokenwatch.toml"], input=STOLEN, stdout=subprocess.PIPE, check=True, text=True
        ).stdout.strip()
        ids = {"key": stolen, "grant": next(token["id"] for token in tokens if token.get("consumer") == "thief")}

        _, _, before = feed(tokenwatch)
        assert before["entries"] == [], before
        began = time.monotonic()
        for id in ids.values():
            report(tokenwatch, id)
        wait_for("the stolen key refused", lambda: call(X_Api_Key=STOLEN) == (403, "suspended"), 30)
        # Another JWT of the same grant is the same token.
        wait_for("the stolen grant refused", lambda: by_grant("thief", 2) == (403, "revoked"), 30)
        refused_secs = time.monotonic() - began

        def everybody():
            assert call(X_Api_Key=OTHER) == (200, "allow") and by_grant("owner", 2) == (200, "allow"), "somebody else is refused"
            assert call(Authorization=f"Bearer {OTHER}", X_Api_Key=STOLEN)[0] == 403, "a second credential hides the first"
            assert fetch(f"{address}/v1/orders?api_key={STOLEN}")[0] == 403, "in the URL it is not known"
            # As Envoy asks, with a client that tells another path.
            asked = f"{tokenwatch.address}/gateway/v1/check/v1/orders?api_key={STOLEN}"
            assert fetch(asked, {"X-Tokenwatch-Key": KEYS["check"], "X-Original-URI": "/v1/orders"})[0] == 403, "a header hides the URL"

        everybody()
        version, entries = check_feed(tokenwatch, ids)
        _, _, delta = feed(tokenwatch, f"?since={before['version']}")
        assert {entry["token"]["id"] for entry in delta["added"]} == set(ids.values()) and delta["version"] == version, delta
        check_pushed(tokenwatch)

        assert tokenwatch.stop() == 0, "tokenwatch did not end well"
        assert call(X_Api_Key=STOLEN) == (200, None), "nginx waits for a Tokenwatch that is away"
        tokenwatch.run()
        tokenwatch.login()
        wait_for("the list again", lambda: call(X_Api_Key=STOLEN) == (403, "suspended"), 30)
        everybody()
        after = feed(tokenwatch)[2]
        # Other JWTs of the grant were seen meanwhile; all else is as it was.
        for entry in [*entries.values(), *after["entries"]]:
            assert set(entry["token"].pop("jwt_ids", [])) <= {"thief-1", "thief-2"}, entry
        assert {entry["token"]["id"]: entry for entry in after["entries"]} == entries, (after, entries)
        version = after["version"]
        tokenwatch.request("POST", f"/responses/{entries[ids['key']]['response_id']}/undo", {})
        wait_for("the key let in again", lambda: call(X_Api_Key=STOLEN) == (200, "allow"), 30)
        _, _, delta = feed(tokenwatch, f"?since={version}")
        assert delta["removed"] == [entries[ids["key"]]["response_id"]], delta
        assert by_grant("thief", 3) == (403, "revoked"), "another response was undone"
        checks = {name: value for name, value in tokenwatch.metrics().items() if name.startswith("tokenwatch_alerting_deny_list_checks")}
        assert checks['tokenwatch_alerting_deny_list_checks_total{verdict="revoked"}'] == 1, checks
        assert tokenwatch.stop() == 0, "tokenwatch did not end well"
    for secret in [STOLEN, OTHER, *KEYS.values(), jwt("thief", 1).split(".")[2]]:
        grep = subprocess.run(["grep", "-rlF", "--", secret, "data", "tokenwatch.log", "tokenwatch.out"], capture_output=True, text=True)
        assert not grep.stdout, f"{secret[:14]}… stands in {grep.stdout.split()}"
    print(f"refused at nginx {refused_secs:.1f} s after the report, also after a restart, until undone; polled by version; told to an identity provider")


if __name__ == "__main__":
    sys.exit(main())
