#!/usr/bin/env bash
# Every test: the crates' own, the console's, and the end-to-end ones on real parts.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."
. "$here/section.sh"

"$here/prerequisites.sh" cargo cmake c++ make perl node npm java mvn python3 python3-venv nginx caddy haproxy kcat curl chromium
section "fetch" "$here/../fetch/fetch.sh"
section "console: build" "$here/console.sh" build
section "console: unit tests" "$here/console.sh" test
section "crates" cargo test --locked --workspace
section "benchmarks, once each" cargo test --locked -p tokenwatch-ingest -p tokenwatch-detectors -p tokenwatch --bench '*'
section "end to end" "$here/e2e.sh"
