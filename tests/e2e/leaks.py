#!/usr/bin/env python3
"""Leaks: a generated repository with one live token among thousands of look-alikes is scanned, what was found is reported, a partner's report
is believed only with the partner's signature, and a raw token is nowhere afterwards. `leaks.py 100000` makes the repository that large."""

import base64
import contextlib
import io
import json
import random
import string
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from services import STORE_AND_CONSOLE, TOKENWATCH, Services, wait_for

FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
FOUND = 3
LOG, REPOSITORY = Path("access.log"), Path("repository")
BEARER = "bearer-of-the-scanner-of-our-wikis"
LETTERS = string.ascii_letters + string.digits
DICE = random.Random(7)


def secret():
    return "acme_live_" + "".join(DICE.choices(LETTERS, k=32))


LIVE, TAKEN_OUT, REPORTED, OTHERS = secret(), secret(), secret(), secret()


def config(keys):
    Path("bearer").write_text(BEARER)
    Path("bearer").chmod(0o600)
    return f"""
[log]
level = "debug"

[ingest]
data_dir = "data"
key_file = "data/token.key"

[ingest.files]
paths = ["access.log"]

[ingest.decoder]
format = "kong"

[leaks]
token_file = "bearer"
github_keys_url = "http://127.0.0.1:{keys}/keys"
{STORE_AND_CONSOLE}"""


def call(key, address="192.0.2.7", status=200):
    record = {
        "request": {"method": "GET", "uri": "/v1/orders/17", "headers": {"user-agent": "acme-sdk/2.1", "apikey": key}},
        "response": {"status": status, "size": 900},
        "consumer": {"username": "acme"},
        "client_ip": address,
        "started_at": int(time.time() * 1000),
    }
    with LOG.open("a") as log:
        log.write(json.dumps(record) + "\n")


def git(*arguments):
    command = ["git", "-C", str(REPOSITORY), "-c", "gc.auto=0", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def repository():
    """A repository of look-alikes: the live token in one file of its tree, another in its history and in an archive."""
    for number in range(FILES):
        folder = REPOSITORY / f"package{number // 500}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"# Module {number}", f'KEY = "{secret()}"', f'NAME = "{LIVE[:-1]}{LETTERS[number % 61]}"' if number % 20 == 0 else "pass"]
        (folder / f"module{number}.py").write_text("\n".join(line for line in lines if LIVE not in line) + "\n")
    (REPOSITORY / "package0/settings.py").write_text(f'import os\n\nKEY = "{LIVE}"\n')
    (REPOSITORY / ".env").write_text(f"KEY={TAKEN_OUT}\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "Begin")
    (REPOSITORY / ".env").write_text("KEY=\n")
    git("commit", "-qam", "Take the key out")
    git("gc", "-q")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("deploy/.env", f"A=1\nKEY={TAKEN_OUT}\n")
    Path("backup.zip").write_bytes(archive.getvalue())


def scan(*arguments):
    done = subprocess.run([TOKENWATCH, "leaks", "scan", "--json", *arguments], capture_output=True, text=True)
    print(done.stderr.strip().splitlines()[-1] if done.stderr else "", file=sys.stderr)
    assert LIVE not in done.stdout + done.stderr and TAKEN_OUT not in done.stdout + done.stderr, "a token was printed"
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def openssl(*arguments, given=b""):
    return subprocess.run(["openssl", *arguments], check=True, input=given, capture_output=True).stdout


class Keys(BaseHTTPRequestHandler):
    answer = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_):
        pass


def make_keys():
    public = []
    for name, current in [("current", True), ("old", False)]:
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.pem")
        key = openssl("ec", "-in", f"{name}.pem", "-pubout").decode()
        public.append({"key_identifier": name, "key": key, "is_current": current})
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "forged.pem")
    Keys.answer = json.dumps({"public_keys": public}).encode()


def post(tokenwatch, path, body, headers):
    request = urllib.request.Request(f"{tokenwatch.address}/api/v1{path}", body, {"Content-Type": "application/json", **headers})
    with contextlib.closing(urllib.request.urlopen(request, timeout=30)) as answer:
        return json.load(answer)


def refused(status, *arguments):
    try:
        post(*arguments)
    except urllib.error.HTTPError as error:
        assert error.code == status, (error.code, error.read())
    else:
        raise AssertionError("it was believed")


def signed(body, key="current", identifier="current"):
    signature = base64.b64encode(openssl("dgst", "-sha256", "-sign", f"{key}.pem", given=body)).decode()
    return {"GITHUB-PUBLIC-KEY-IDENTIFIER": identifier, "GITHUB-PUBLIC-KEY-SIGNATURE": signature}


def leaked(tokenwatch):
    found = tokenwatch.get("/findings?detector=leaked_token&limit=200")["items"]
    return {finding["token"]["id"]: finding for finding in found}


def main():
    make_keys()
    repository()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for key in [LIVE, TAKEN_OUT, REPORTED]:
        call(key)
    with Services() as services:
        tokenwatch = services.tokenwatch(config(server.server_port))
        tokenwatch.login()
        wait_for("three tokens", lambda: len(tokenwatch.get("/tokens")["items"]) == 3)
        ids = [token["id"] for token in tokenwatch.get("/tokens")["items"]]
        Path("known").write_text("\n".join(ids) + "\n")
        configuration = str(tokenwatch.config)

        code, found = scan("--config", configuration, "--known", "known", str(REPOSITORY), "backup.zip")
        places = {(hit["entry"] if "entry" in hit else Path(hit["file"]).name, hit["line"]) for hit in found}
        want = {("settings.py", 3), ("package0/settings.py", 3), (".env", 1), ("deploy/.env", 2)}
        assert code == FOUND and places == want, (code, found)
        live = next(hit["token"] for hit in found if hit["file"].endswith("settings.py"))

        bearer = {"Authorization": f"Bearer {BEARER}"}
        report = json.dumps([{"id": live, "place": "our wiki"}, {"token": OTHERS}]).encode()
        refused(401, tokenwatch, "/leaks", report, {"Authorization": "Bearer wrong"})
        told = post(tokenwatch, "/leaks", report, bearer)
        assert told == [{"token": live, "status": "live"}, {"status": "unknown"}], told
        wait_for("the finding", lambda: live in leaked(tokenwatch))
        finding = leaked(tokenwatch)[live]
        assert finding["severity"] == "critical" and "our wiki" in finding["summary"], finding
        assert "not used since" in finding["summary"] or "between exposure and report" in finding["summary"], finding
        assert finding["incident_id"], finding
        call(LIVE)
        wait_for("the use after it", lambda: leaked(tokenwatch)[live]["event_count"] == 1)
        assert leaked(tokenwatch)[live]["id"] == finding["id"], "it is another finding"
        post(tokenwatch, "/leaks", report, bearer)
        assert len(leaked(tokenwatch)) == 1, "told twice"

        body = json.dumps([{"token": t, "type": "acme_key", "url": "https://github.com/x", "source": "commit"} for t in [REPORTED, OTHERS]]).encode()
        refused(401, tokenwatch, "/leaks/github", body, {})
        refused(401, tokenwatch, "/leaks/github", body, signed(body, key="forged"))
        refused(401, tokenwatch, "/leaks/github", body, signed(body, key="old", identifier="old"))
        refused(401, tokenwatch, "/leaks/github", body + b" ", signed(body))
        assert len(leaked(tokenwatch)) == 1, "a forged report was believed"
        labels = [entry["label"] for entry in post(tokenwatch, "/leaks/github", body, signed(body))]
        assert labels == ["true_positive", "false_positive"], labels
        wait_for("the partner's finding", lambda: len(leaked(tokenwatch)) == 2)

        before = leaked(tokenwatch)
        tokenwatch.stop()
        code, found = scan("--config", configuration, str(REPOSITORY / "package0"))
        assert code == FOUND and [(hit["token"], hit["status"], hit["consumer"]) for hit in found] == [(live, "live", "acme")], found
        tokenwatch.run()
        tokenwatch.login()
        assert {name: found["id"] for name, found in leaked(tokenwatch).items()} == {name: found["id"] for name, found in before.items()}
        tokenwatch.stop()
    for secret_ in [LIVE, TAKEN_OUT, REPORTED, OTHERS, BEARER]:
        grep = subprocess.run(["grep", "-rlF", "--", secret_, "data", *map(str, Path(".").glob("*.log"))], capture_output=True, text=True)
        places = [place for place in grep.stdout.splitlines() if place != str(LOG)]
        assert not places, f"{secret_[:14]}… stands in {places}"
    print("found by their fingerprints and nothing else; reported, told once, after a restart too; forged reports refused; no token kept")


if __name__ == "__main__":
    main()
