#!/usr/bin/env python3
"""A webhook receiver that checks signatures with an independent implementation.

Needs the `standardwebhooks` package of PyPI. Writes one JSON object per request to stdout:

    {"id": "ntf_…", "type": "finding.opened", "valid": true, "new": true, "data_id": "fnd_…"}

`new` is false when the id was seen before. Answers 204 if the signature is valid, else 401.

    verify_webhook.py --port 9000 --secret whsec_… [--secret whsec_…] [--seen FILE] [--count N]
    verify_webhook.py --vectors      prints the vectors that the tests of signature.rs use
"""

import argparse
import datetime
import http.server
import json
import os
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def vectors() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.datetime.fromtimestamp(1614265330, tz=datetime.timezone.utc)
    body = '{"test": 2432232314}'
    print(Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body))


def is_valid(secrets: list[str], body: bytes, headers) -> bool:
    wanted = {name.lower(): value for name, value in headers.items()}
    for secret in secrets:
        try:
            Webhook(secret).verify(body, wanted)
            return True
        except WebhookVerificationError:
            continue
    return False


def read_seen(path: str | None) -> set[str]:
    if path is None or not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as file:
        return {line.strip() for line in file}


def handler(options, seen: set[str]):
    class Receiver(http.server.BaseHTTPRequestHandler):
        count = 0

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            valid = is_valid(options.secret, body, self.headers)
            webhook_id = self.headers.get("webhook-id", "")
            new = valid and webhook_id not in seen
            if new:
                seen.add(webhook_id)
                if options.seen:
                    with open(options.seen, "a", encoding="utf-8") as file:
                        file.write(webhook_id + "\n")
                        file.flush()
                        os.fsync(file.fileno())
            self.report(body, webhook_id, valid, new)
            self.send_response(204 if valid else 401)
            self.send_header("content-length", "0")
            self.end_headers()
            Receiver.count += 1

        @staticmethod
        def report(body: bytes, webhook_id: str, valid: bool, new: bool) -> None:
            try:
                message = json.loads(body)
                data = message.get("data", {})
                # A finding's own id; for `token.revoke`, that of the finding behind it.
                data_id = data.get("id") or data.get("finding", {}).get("id")
                line = {"id": webhook_id, "type": message.get("type"), "valid": valid, "new": new}
                line["data_id"] = data_id
            except (ValueError, AttributeError):
                line = {"id": webhook_id, "type": None, "valid": valid, "new": new}
            print(json.dumps(line), flush=True)

        def log_message(self, *_args) -> None:
            pass

    return Receiver


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--secret", action="append", default=[])
    parser.add_argument("--seen", help="file that keeps the ids across restarts")
    parser.add_argument("--count", type=int, help="ends after so many requests")
    parser.add_argument("--vectors", action="store_true")
    options = parser.parse_args()
    if options.vectors:
        vectors()
        return 0
    if not options.secret:
        parser.error("--secret is needed")
    receiver = handler(options, read_seen(options.seen))
    server = http.server.HTTPServer(("127.0.0.1", options.port), receiver)
    print(json.dumps({"listening": server.server_port}), file=sys.stderr, flush=True)
    while options.count is None or receiver.count < options.count:
        server.handle_request()
    return 0


if __name__ == "__main__":
    sys.exit(main())
