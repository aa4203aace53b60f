#!/usr/bin/env bash
# Runs the end-to-end tests: every executable file in tests/e2e, one after the other.
#
#     deploy/dev/e2e.sh [NAME…]       only the tests whose file name contains a NAME
#
# A test is any program. It is run in an empty working directory and finds in its environment TOKENWATCH (the binary), REPOSITORY (the root
# of the repository) and FETCHED (what was fetched); it uses the services of deploy/dev and stops them itself. Exit status 0 is a pass, 77
# means that something it needs is missing: it says SKIPPED and what, and fails where CI is set. The directory of a failed test is kept.
# E2E_JOBS of them run at the same time: one, unless it is set.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
REPOSITORY="$(cd "$here/../.." && pwd)"
FETCHED="${TOKENWATCH_FETCHED:-$REPOSITORY/deploy/fetched}"
TEST_LIMIT_SECS="${E2E_LIMIT_SECS:-900}"
JOBS="${E2E_JOBS:-1}"

wanted() {
  local name="$1" pattern
  shift
  [ $# -gt 0 ] || return 0
  for pattern in "$@"; do [[ "$name" == *"$pattern"* ]] && return 0; done
  return 1
}

TOKENWATCH="${TOKENWATCH:-$("$here/build.sh" dev)}"
export REPOSITORY FETCHED TOKENWATCH
results="$(mktemp -d "${TMPDIR:-/tmp}/tokenwatch-e2e-results.XXXXXX")"

# Runs one test; what it says goes to the screen at once, or, beside others, when it has ended.
run() {
  local test="$1" name="$2" directory started=$SECONDS status=0 took
  directory="$(mktemp -d "${TMPDIR:-/tmp}/tokenwatch-e2e-${name%.*}.XXXXXX")"
  echo "--- $name" >&2
  (cd "$directory" && timeout --kill-after=30 "$TEST_LIMIT_SECS" "$test") || status=$?
  took="$((SECONDS - started)) s"
  if [ "$status" = 77 ] && [ -z "${CI:-}" ]; then
    echo "--- $name: SKIPPED after $took" >&2
    echo skipped >"$results/$name"
  elif [ "$status" = 0 ]; then
    echo "--- $name: ok, $took" >&2
    echo passed >"$results/$name"
  else
    echo "--- $name: FAILED with $status after $took; left as it was in $directory" >&2
    echo failed >"$results/$name"
    return
  fi
  rm -rf "$directory"
}

for test in "$REPOSITORY"/tests/e2e/*; do
  name="$(basename "$test")"
  [ -f "$test" ] && [ -x "$test" ] && wanted "$name" "$@" || continue
  if [ "$JOBS" -le 1 ]; then
    run "$test" "$name"
    continue
  fi
  while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n || true; done
  (run "$test" "$name" >"$results/$name.log" 2>&1; cat "$results/$name.log" >&2) &
done
wait

count() { { grep -lx "$1" "$results"/*.py 2>/dev/null || true; } | wc -l; }
passed="$(count passed)" skipped="$(count skipped)"
mapfile -t failures < <({ grep -lx failed "$results"/*.py 2>/dev/null || true; } | xargs -r -n1 basename)
rm -rf "$results"
echo "end to end: $passed passed, $skipped skipped, ${#failures[@]} failed ${failures[*]:-}" >&2
[ "${#failures[@]}" = 0 ] && [ $((passed + skipped)) -gt 0 ]
