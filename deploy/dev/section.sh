# shellcheck shell=bash
# For other scripts to source: `section NAME COMMAND…` runs a command under a headline and says how long it took; with `set -e` a failure
# ends the script. All of it goes to stderr, so that stdout stays the command's own.

section() {
  local name="$1" started=$SECONDS status=0
  shift
  echo "=== $name" >&2
  "$@" || status=$?
  local took=$((SECONDS - started))
  if [ "$status" = 0 ]; then
    echo "=== $name: ok, $((took / 60)) min $((took % 60)) s" >&2
  else
    echo "=== $name: FAILED with $status after $((took / 60)) min $((took % 60)) s" >&2
  fi
  return "$status"
}
