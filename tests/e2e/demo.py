#!/usr/bin/env python3
"""`tokenwatch demo`: the first finding is there within 30 s, every attack of the demo is found, the stolen token is revoked, and it ends when told."""

import json
import time
import urllib.request
from http.cookiejar import CookieJar

from services import TOKENWATCH, Process, Services, Tokenwatch, wait_for

RUN_SECS = 150
FIRST_FINDING_LIMIT_SECS = 30
ENDING_LIMIT_SECS = 10
# Bursts and spikes are findings a minute after they began, once the fleet is known to be well.
DETECTORS = {"concurrent_use", "failure_burst", "new_geography", "out_of_scope", "rate_spike"}


class Demo(Tokenwatch):
    """The demo; it says on standard error where its console is and how to log in."""

    def __init__(self, run_secs):
        Process.__init__(self, "demo", [TOKENWATCH, "demo", "--for", f"{run_secs}s", "--no-wait"])
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.address = wait_for("console", lambda: self.word_after("Console   "))
        self.password = wait_for("password", lambda: self.word_after("Log in    admin / "))

    def word_after(self, mark):
        assert not self.ended(), f"the demo ended with {self.child.returncode}; see {self.log.resolve()}"
        return self.log.read_text().split(mark)[1].split()[0]


def findings(demo):
    return demo.get("/findings?limit=100")["items"]


def main():
    with Services() as services:
        started = time.monotonic()
        demo = services.process(Demo(RUN_SECS))
        demo.login()
        first = wait_for("first finding", lambda: findings(demo), FIRST_FINDING_LIMIT_SECS - (time.monotonic() - started))
        first_secs = time.monotonic() - started
        wait_for("critical finding", lambda: any(each["severity"] == "critical" for each in findings(demo)), RUN_SECS)

        demo.child.wait(started + RUN_SECS + ENDING_LIMIT_SECS - time.monotonic())
        took_secs = time.monotonic() - started
        assert demo.child.returncode == 0, f"the demo ended with {demo.child.returncode}"
        assert took_secs >= RUN_SECS, f"it ended after {took_secs:.1f} s already"
        lines = demo.out.read_text().splitlines()
        assert len(lines) == 1, f"standard output has one line, not {lines}"
        summary = json.loads(lines[0])
        assert summary["events"] > 10_000, summary
        assert set(summary["findings"]) >= DETECTORS, summary
        assert summary["notifications"]["log"] >= len(DETECTORS), summary
        assert summary["responses"]["delivered"] >= 1, summary
        assert summary["console"] == demo.address, summary
        assert "is revoked" in demo.log.read_text(), "nothing says that the stolen token is revoked"
        print(f"first finding ({first[-1]['detector']}) after {first_secs:.1f} s, all of it {took_secs:.1f} s for {RUN_SECS} s; {lines[0]}")


if __name__ == "__main__":
    main()
