"""A receiver of signed webhooks, and a gateway that does as it is told by them.

    $(deploy/dev/python.sh) deploy/dev/webhook_sink.py --out hooks.ndjson [--listen 127.0.0.1:0] [--revoked FILE]
                            [--fail RATE] [--limit RATE] [--hang RATE] [--lose RATE] [--hang-secs 60] [--gone]

Signatures are checked by PyPI's `standardwebhooks`, which shares no code with Tokenwatch; the secret (`whsec_…`) is in WEBHOOK_SECRET. The
first line on stdout is {"address": "127.0.0.1:PORT"}. Every POST becomes one JSON line in --out:

    {"at", "path", "id", "type", "verified", "error", "outcome", "status", "data"}

`outcome` is `new` (taken, first time), `duplicate` (taken before; answered 200 again), `refused` (not signed by us: 401), `failed` (told to
answer 500), `limited` (told to answer 429 and to come back after a second), `hung` (told to answer nothing for a while, nothing taken), `lost` (taken, but the answer never sent) or `gone` (410). An id that
is `new` twice would be a message delivered twice. `--fail 0.2` means every fifth request, by chance. The rates can be changed while it runs:

    curl -X PUT http://ADDRESS/control -d '{"fail": 1.0}'

With --revoked it is the gateway: a taken `token.revoke` appends the names of the token (id, credential, consumer's) to that file, one per
line, and `upstream.py` turns calls with that token away from then on.
"""

import argparse
import json
import os
import random
import sys
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

BODY_BYTES_LIMIT = 1 << 20


class State:
    def __init__(self, arguments):
        self.webhook = Webhook(os.environ["WEBHOOK_SECRET"])
        self.out = open(arguments.out, "a", encoding="utf-8")
        self.revoked = arguments.revoked
        self.hang_secs = arguments.hang_secs
        self.behaviour = {"fail": arguments.fail, "limit": arguments.limit, "hang": arguments.hang, "lose": arguments.lose, "gone": arguments.gone}
        self.taken = set()
        self.lock = threading.Lock()

    def record(self, **fields):
        line = json.dumps({"at": datetime.now(timezone.utc).isoformat(), **fields})
        with self.lock:
            self.out.write(line + "\n")
            self.out.flush()

    def take(self, message_id):
        """True the first time."""
        with self.lock:
            new = message_id not in self.taken
            self.taken.add(message_id)
            return new

    def revoke(self, data):
        token = data.get("token") or {}
        names = [data.get("token_id"), data.get("credential_id"), token.get("id"), token.get("credential_id")]
        with self.lock, open(self.revoked, "a", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in dict.fromkeys(names) if name)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        length = int(self.headers.get("Content-Length", 0))
        return self.rfile.read(min(length, BODY_BYTES_LIMIT))

    def do_PUT(self):
        if self.path != "/control":
            self.answer(404)
            return
        self.server.state.behaviour.update(json.loads(self.body()))
        self.answer(204)

    def do_POST(self):
        state = self.server.state
        body = self.body()
        message_id, error, message = self.headers.get("webhook-id"), None, {}
        try:
            message = state.webhook.verify(body, dict(self.headers))
        except (WebhookVerificationError, ValueError) as problem:
            error = str(problem)
        outcome, status = self.decide(error, message_id)
        if outcome == "new" and state.revoked and message.get("type") == "token.revoke":
            state.revoke(message.get("data") or {})
        state.record(
            path=self.path,
            id=message_id,
            type=message.get("type"),
            verified=error is None,
            error=error,
            outcome=outcome,
            status=status,
            data=message.get("data"),
        )
        if outcome == "hung":
            time.sleep(state.hang_secs)
        if status is None:
            self.close_connection = True
        else:
            self.answer(status)

    def decide(self, error, message_id):
        """What becomes of a message, and the status that is answered; None is no answer at all."""
        state, rates = self.server.state, self.server.state.behaviour
        if rates["gone"]:
            return "gone", 410
        if error is not None:
            return "refused", 401
        if random.random() < rates["hang"]:
            return "hung", None
        if random.random() < rates["fail"]:
            return "failed", 500
        if random.random() < rates["limit"]:
            return "limited", 429
        lose = random.random() < rates["lose"]
        if not state.take(message_id):
            return "duplicate", 200
        return ("lost", None) if lose else ("new", 200)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--out", required=True)
    parser.add_argument("--revoked")
    parser.add_argument("--fail", type=float, default=0.0)
    parser.add_argument("--limit", type=float, default=0.0)
    parser.add_argument("--hang", type=float, default=0.0)
    parser.add_argument("--lose", type=float, default=0.0)
    parser.add_argument("--hang-secs", type=float, default=60.0)
    parser.add_argument("--gone", action="store_true")
    arguments = parser.parse_args()
    host, port = arguments.listen.rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    server.state = State(arguments)
    print(json.dumps({"address": "{}:{}".format(*server.server_address)}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    sys.exit(main())
