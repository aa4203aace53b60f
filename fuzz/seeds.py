"""Writes the seeds of the fuzz targets: every line of the fixtures behind the byte that chooses its format, and behind that of `auto`.

    python3 fuzz/seeds.py FOLDER
"""

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FIXTURES = REPOSITORY / "ingest/tests/fixtures"
# Longer lines slow the fuzzer down and hold nothing that shorter ones do not.
LINE_BYTES_LIMIT = 4_096


def formats():
    """The formats in the order of `FormatChoice::ALL`."""
    source = (REPOSITORY / "ingest/src/format.rs").read_text(encoding="utf-8")
    names = re.search(r"pub const ALL: .*?= \[(.*?)\];", source, re.DOTALL)[1]
    return [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower() for name in re.findall(r"Self::(\w+)", names)]


def main():
    folder = Path(sys.argv[1])
    for target in ("decode", "secret", "config"):
        (folder / target).mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(formats()):
        lines = (FIXTURES / name / "lines.log").read_bytes().splitlines()
        for number, line in enumerate(lines):
            if len(line) > LINE_BYTES_LIMIT:
                continue
            for target in ("decode", "secret"):
                (folder / target / f"{name}-{number}").write_bytes(bytes([index]) + line)
                (folder / target / f"auto-{name}-{number}").write_bytes(b"\0" + line)
    for config in FIXTURES.glob("*/config.json"):
        (folder / "config" / config.parent.name).write_bytes(config.read_bytes())


if __name__ == "__main__":
    main()
