"""Asks the ClickHouse that `tokenwatch run` has embedded, past Tokenwatch, so that a test counts what is really stored."""

import contextlib
import json
import signal
import urllib.request
from pathlib import Path

from services import wait_for

PASSWORD = b"TOKENWATCH_ENGINE_PASSWORD="
LISTENING = "0A"


def pid_of(parent):
    """The engine's process: the child of `parent` that has the password; LookupError while there is none."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent and PASSWORD in (stat.parent / "environ").read_bytes():
                return int(stat.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    raise LookupError(f"process {parent} has no engine")


def kill_both(tokenwatch):
    """kill -9; returns once the engine, if there was one, has ended with its parent."""
    child = None
    with contextlib.suppress(LookupError):
        child = pid_of(tokenwatch.child.pid)
    tokenwatch.stop(signal.SIGKILL)
    if child:
        wait_for("end of the engine with its parent", lambda: not Path(f"/proc/{child}").exists(), 10)


def port_of(pid):
    """The port of 127.0.0.1 on which a process listens."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # Some are closed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            sockets.add(str(link.readlink()))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTENING and f"socket:[{fields[9]}]" in sockets:
            return int(fields[1].split(":")[1], 16)
    raise LookupError(f"process {pid} does not listen")


def ask(tokenwatch, sql):
    """What ClickHouse answers to a query on the database of a running Tokenwatch, as it came."""
    pid = pid_of(tokenwatch.child.pid)
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    password = next(variable.removeprefix(PASSWORD).decode() for variable in environment if variable.startswith(PASSWORD))
    headers = {"X-ClickHouse-User": "tokenwatch", "X-ClickHouse-Key": password}
    request = urllib.request.Request(f"http://127.0.0.1:{port_of(pid)}/?database=tokenwatch", sql.encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def query(tokenwatch, sql):
    """The rows of a query, each an object."""
    return [json.loads(line) for line in ask(tokenwatch, f"{sql} FORMAT JSONEachRow").splitlines()]


def consumed(tokenwatch):
    """How many records the newest checkpoint is past."""
    rows = query(tokenwatch, "SELECT positions FROM checkpoints ORDER BY id DESC LIMIT 1")
    return sum(position["next_offset"] for row in rows for position in json.loads(row["positions"]))


def events(tokenwatch):
    """How many events are stored."""
    return int(query(tokenwatch, "SELECT count() AS events FROM events")[0]["events"])


def stored(tokenwatch):
    """What is stored: events, distinct origins among them, and the sums of the roll-ups; all equal if each is there exactly once."""
    counts = "SELECT count() AS events, uniqExact(topic, partition, offset, record_index) AS origins FROM events"
    rollups = "(SELECT sum(calls) FROM rollup_minute) AS rollup, (SELECT sum(calls) FROM fleet_minute) AS fleet"
    [row] = query(tokenwatch, counts.replace(" FROM", f", {rollups} FROM", 1))
    return {name: int(value) for name, value in row.items()}
