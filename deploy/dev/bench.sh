#!/usr/bin/env bash
# Runs the benchmarks; arguments filter them by name.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."
"$here/prerequisites.sh" cargo cmake c++ make perl
"$here/../fetch/fetch.sh"
exec cargo bench --locked --workspace --benches -- "$@"
