#!/usr/bin/env bash
# Formatting, lints and types, all with warnings as errors. Changes nothing.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."
. "$here/section.sh"

scripts() {
  local file files
  mapfile -t files < <(git ls-files .ci/run '*.sh')
  for file in "${files[@]}"; do bash -n "$file"; done
  python3 -m compileall -q deploy/dev/*.py tests/e2e/*.py
  if command -v shellcheck >/dev/null; then
    shellcheck --severity=warning "${files[@]}"
  else
    echo "SKIPPED: shellcheck is missing: sudo apt-get install shellcheck" >&2
  fi
}

alert_rules() {
  if command -v promtool >/dev/null; then
    promtool check rules deploy/prometheus/alerts.yaml >&2
    promtool test rules deploy/prometheus/alerts_test.yaml >&2
  else
    echo "SKIPPED: promtool is missing: sudo apt-get install prometheus" >&2
  fi
}

"$here/prerequisites.sh" cargo cmake c++ make perl node npm python3
section "rustfmt" cargo fmt --all --check
section "console" "$here/console.sh" check
section "scripts" scripts
section "alert rules" alert_rules
section "clippy" cargo clippy --locked --workspace --all-targets -- -D warnings
