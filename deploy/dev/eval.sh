#!/usr/bin/env bash
# How well detection does on simulated, labelled traffic: the realistic mix of tokens and the worst case, one after the other.
#
#     deploy/dev/eval.sh                  quick, for every change
#     deploy/dev/eval.sh --long           ten times as much traffic, with the release build
#     deploy/dev/eval.sh --seed 2 …       further arguments go to `tokenwatch simulate`
#
# Seeds 1 to 3 are for tuning. 101 to 103 are held out: they are looked at when tuning is over, and never while it goes on.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."

profile=dev
realistic="--tokens 600 --days 28"
equal="--tokens 240 --days 28"
if [ "${1:-}" = --long ]; then
  shift
  profile=release
  realistic="--tokens 6000 --days 35"
  equal="--tokens 2000 --days 35"
fi
binary="$("$here/build.sh" "$profile")"
reports="${CARGO_TARGET_DIR:-target}/eval"
mkdir -p "$reports"
evaluate() {
  local mix="$1" size="$2"
  shift 2
  # shellcheck disable=SC2086 # one word per argument is meant
  "$binary" simulate --evaluate --mix "$mix" $size --report "$reports/$mix.json" --labels "$reports/$mix.labels.ndjson" "$@"
  echo
}
evaluate realistic "$realistic" "$@"
evaluate equal "$equal" "$@"
echo "Reports as JSON: $reports" >&2
