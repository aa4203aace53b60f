#!/usr/bin/env bash
# Prints the path of a Python with the packages of python/requirements.txt, in a virtual environment that it makes on first use.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${TOKENWATCH_FETCHED:-$here/../fetched}/venv"
stamp="$(cksum <"$here/python/requirements.txt")"

if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$stamp" ]; then
  "$here/prerequisites.sh" python3 python3-venv
  echo "python: making the virtual environment of the test sinks" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/python/requirements.txt" >&2
  echo "$stamp" >"$venv/stamp"
fi
echo "$(cd "$venv" && pwd)/bin/python"
