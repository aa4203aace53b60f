#!/usr/bin/env python3
"""The first start as the README has it: the example configuration, no source yet; the console serves, a login works, SIGTERM ends it, users are added."""

import re
import subprocess
import urllib.request

from services import REPOSITORY, TOKENWATCH, Services, wait_for

PASSWORD = "correct horse battery staple"


def main():
    example = (REPOSITORY / "deploy/tokenwatch.example.toml").read_text()
    config = re.sub(r'^listen = .*$', 'listen = "127.0.0.1:0"', example, flags=re.MULTILINE)
    with Services() as services:
        tokenwatch = services.tokenwatch(config)
        wait_for("readiness", tokenwatch.is_ready)
        tokenwatch.login()
        assert tokenwatch.get("/overview?range=1h")["totals"]["calls"] == 0
        page = urllib.request.urlopen(f"{tokenwatch.address}/findings", timeout=10)
        assert "text/html" in page.headers["Content-Type"] and "default-src 'none'" in page.headers["Content-Security-Policy"]
        warnings = [line for line in tokenwatch.said().splitlines() if " WARN " in line or " ERROR " in line]
        assert len(warnings) == 1 and "no source is configured" in warnings[0], warnings
        tokenwatch.stop()
        assert tokenwatch.child.returncode == 0, tokenwatch.said()

        added = [TOKENWATCH, "user", "add", "--config", tokenwatch.config, "ada"]
        subprocess.run(added, input=f"{PASSWORD}\n".encode(), check=True, timeout=60)
        tokenwatch.run()
        assert "with the password" not in tokenwatch.said(), "the first password is shown once"
        tokenwatch.password = PASSWORD
        tokenwatch.login("ada")
    print("started, logged in, stopped, a user added, logged in as that user")


if __name__ == "__main__":
    main()
