#!/usr/bin/env python3
"""The console in headless Chromium against the demo: log in, a finding appears live, its page, its token, its events; what operators do; screenshots."""

import os
import pathlib
import subprocess

from demo import Demo
from services import REPOSITORY, Services

RUN_SECS = 150


def main():
    shots = pathlib.Path(os.environ.get("CONSOLE_SHOTS", "shots")).resolve()
    with Services() as services:
        demo = services.process(Demo(RUN_SECS))
        environment = {
            **os.environ,
            "CONSOLE_URL": demo.address,
            "CONSOLE_USER": "admin",
            "CONSOLE_PASSWORD": demo.password,
            "CONSOLE_SHOTS": str(shots),
        }
        console = ["node", f"{REPOSITORY}/dashboards/web/e2e/console.mjs"]
        subprocess.run(console, env=environment, check=True, timeout=RUN_SECS)
    taken = sorted(path.name for path in shots.glob("*.png"))
    assert len(taken) >= 12, taken
    print(f"{len(taken)} screenshots")


if __name__ == "__main__":
    main()
