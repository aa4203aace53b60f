#!/usr/bin/env python3
"""The token registry in the running service: a file, an inventory service and the API; a change counts from its moment on, survives kill -9,
and an inventory that is suddenly empty is not believed."""

import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from services import STORE_AND_CONSOLE, Services, wait_for

INSIDE, OUTSIDE = "192.0.2.7", "203.0.113.9"
LOG, FILE = Path("access.log"), Path("tokens.csv")


def config(port):
    return f"""
[ingest]
data_dir = "data"
key_file = "data/token.key"

[ingest.files]
paths = ["access.log"]

[ingest.decoder]
format = "kong"

[registry]
file = "tokens.csv"
reload_every = "1s"

[registry.http]
url = "http://127.0.0.1:{port}/tokens"
poll_every = "1s"
{STORE_AND_CONSOLE}"""


class Inventory(BaseHTTPRequestHandler):
    """Answers with `entries`; `asked` counts the answers by their status."""

    entries = [{"token": "key-http", "owner": "Bob", "allowed_networks": ["192.0.2.0/24"]}]
    asked = {200: 0, 304: 0}

    def do_GET(self):
        body = json.dumps(self.entries).encode()
        tag = f'"{len(self.entries)}"'
        status = 304 if self.headers.get("If-None-Match") == tag else 200
        self.asked[status] += 1
        self.send_response(status)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", "0" if status == 304 else str(len(body)))
        self.end_headers()
        if status == 200:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def call(credential, address, number=[0]):
    """Logs a call; what it was for is in its path."""
    number[0] += 1
    record = {
        "request": {"method": "GET", "uri": f"/v1/orders/{number[0]}", "headers": {"user-agent": "acme-sdk/2.1"}},
        "response": {"status": 200, "size": 900},
        "authenticated_entity": {"id": credential},
        "consumer": {"username": "acme"},
        "client_ip": address,
        "started_at": int(time.time() * 1000),
    }
    with LOG.open("a") as log:
        log.write(json.dumps(record) + "\n")


def findings(tokenwatch):
    found = tokenwatch.get("/findings?detector=ip_not_allowed&limit=200")["items"]
    return {finding["token"]["credential_id"]: finding for finding in found}


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Inventory)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    FILE.write_text("token,owner,team,allowed_networks\nkey-file,Ada,orders,192.0.2.0/24\n")
    # Written before the first start: the inventories count for all events of a new deployment.
    for credential in ["key-file", "key-http", "key-api", "key-free"]:
        call(credential, INSIDE)
        call(credential, OUTSIDE)
    with Services() as services:
        tokenwatch = services.tokenwatch(config(server.server_port))
        tokenwatch.login()
        wait_for("two findings", lambda: len(findings(tokenwatch)) == 2)
        first = findings(tokenwatch)
        assert {name: found["token"].get("owner") for name, found in first.items()} == {"key-file": "Ada", "key-http": "Bob"}, first
        assert first["key-file"]["token"]["team"] == "orders", first

        def tokens_seen():
            return {token["credential_id"]: token["id"] for token in tokenwatch.get("/tokens")["items"]}

        # Findings are stored before the events beside them.
        tokens = wait_for("all four tokens", lambda: len(seen := tokens_seen()) == 4 and seen)
        mine = f"/tokens/{tokens['key-api']}/registration"
        since = tokenwatch.request("PUT", mine, {"owner": "Eve", "allowed_networks": ["192.0.2.7"]})["since"]
        call("key-api", OUTSIDE)
        wait_for("the finding of the token that was registered", lambda: "key-api" in findings(tokenwatch))
        found = findings(tokenwatch)["key-api"]
        assert found["event_count"] == 1 and found["first_event_at"] >= since, (since, found)
        assert found["token"]["owner"] == "Eve", found

        # Nothing new is answered without a body; what is suddenly empty is not believed.
        wait_for("an unchanged answer", lambda: Inventory.asked[304] > 0)
        Inventory.entries = []
        refused = 'tokenwatch_pipeline_registry_readings_total{origin="http",result="refused"}'
        wait_for("a refusal", lambda: tokenwatch.metrics().get(refused, 0) > 0)
        assert tokenwatch.metrics()['tokenwatch_pipeline_registry_entries{origin="http"}'] == 1
        FILE.write_text("token,owner,team,allowed_networks\nkey-file,Ada,orders,192.0.2.0/24; 203.0.113.0/24\nkey-free,,orders,\n")
        taken = 'tokenwatch_pipeline_registry_entries{origin="file"}'
        wait_for("the new file", lambda: tokenwatch.metrics()[taken] == 2)

        before = findings(tokenwatch)
        known = tokenwatch.get(mine)
        tokenwatch.stop(signal.SIGKILL)
        tokenwatch.run()
        tokenwatch.login()
        call("key-file", OUTSIDE)
        call("key-api", OUTSIDE)
        wait_for("the second call of the token", lambda: findings(tokenwatch)["key-api"]["event_count"] == 2)
        after = findings(tokenwatch)
        assert {name: found["id"] for name, found in after.items()} == {name: found["id"] for name, found in before.items()}, after
        assert after["key-file"]["event_count"] == 1, "its new network is allowed"
        assert tokenwatch.get(mine) == known, (known, tokenwatch.get(mine))
        tokenwatch.request("DELETE", mine)
        tokenwatch.stop()
    print("file, service and API judged by; changes count from their moment, also after kill -9; an empty answer refused")


if __name__ == "__main__":
    main()
