"""A small API behind the gateway of the end-to-end tests. It decides who may do what, so that the gateway logs real 200s, 401s, 403s and 404s.

    python3 deploy/dev/upstream.py --keys keys.json [--listen 127.0.0.1:0] [--revoked FILE]

keys.json: {"the raw key": {"name": "tok_…", "allow": ["GET /v1/orders"]}}; `name` is what a revocation calls it (its token or credential id),
`allow` a list of method and path prefix, `*` any method.
The key comes in `X-Api-Key`, `apikey`, or `Authorization: Bearer`. Without a known key: 401. Key or its name in FILE: 401. Not allowed: 403.
A path with a segment `missing`: 404. `/status/503`: that status. All else: 200. The first line on stdout is {"address": "127.0.0.1:PORT"}.
"""

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def key(self):
        authorization = self.headers.get("Authorization", "")
        bearer = authorization[7:] if authorization.lower().startswith("bearer ") else None
        return self.headers.get("X-Api-Key") or self.headers.get("apikey") or bearer

    def status(self):
        path = self.path.split("?", 1)[0]
        key = self.key()
        holder = self.server.keys.get(key)
        if holder is None or self.server.is_revoked(key, holder["name"]):
            return 401
        allowed = any(self.matches(rule, path) for rule in holder["allow"])
        if not allowed:
            return 403
        segments = path.split("/")
        if "missing" in segments:
            return 404
        if path.startswith("/status/") and segments[2].isdigit():
            return int(segments[2])
        return 200

    def matches(self, rule, path):
        method, _, prefix = rule.partition(" ")
        return method in ("*", self.command) and path.startswith(prefix)

    def handle_call(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.status()
        body = json.dumps({"status": status}).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_call

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def is_revoked(self, *names):
        if self.revoked is None or not self.revoked.exists():
            return False
        lines = set(self.revoked.read_text(encoding="utf-8").split("\n"))
        return any(name in lines for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--keys", required=True)
    parser.add_argument("--revoked", type=Path)
    arguments = parser.parse_args()
    host, port = arguments.listen.rsplit(":", 1)
    server = Server((host, int(port)), Handler)
    server.keys = json.loads(Path(arguments.keys).read_text(encoding="utf-8"))
    server.revoked = arguments.revoked
    print(json.dumps({"address": "{}:{}".format(*server.server_address)}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    sys.exit(main())
