#!/usr/bin/env bash
# Runs the benchmarks; arguments filter them by name. `pipeline` is the service as a whole, and takes options: see bench_pipeline.py.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."
"$here/prerequisites.sh" cargo cmake c++ make perl
"$here/../fetch/fetch.sh"
[ "${1:-}" = pipeline ] || cargo bench --locked -p tokenwatch-ingest -p tokenwatch-detectors -p tokenwatch --bench '*' -- "$@"
if [ $# = 0 ] || [ "$1" = pipeline ]; then
  "$here/prerequisites.sh" java mvn python3 kcat
  "$here/build.sh" release >/dev/null
  "$here/bench_pipeline.py" "${@:2}"
fi
