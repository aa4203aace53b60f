#!/usr/bin/env bash
# Builds Tokenwatch with everything it needs at run time, and prints the path of the binary on stdout.
#
#     deploy/dev/build.sh release     target/release/tokenwatch, for use: small and fast, slow to build
#     deploy/dev/build.sh dev         target/debug/tokenwatch, for demo and tests: optimised a little, shares its build with `cargo test`
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../.."

case "${1:-}" in
  release) profile=release folder=release ;;
  dev) profile=dev folder=debug ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
esac

# Everything that is missing is named at once, not one thing per attempt.
"$here/prerequisites.sh" cargo cmake c++ make perl node npm

"$here/../fetch/fetch.sh"
"$here/console.sh" build
cargo build --locked --profile "$profile" -p tokenwatch >&2
echo "${CARGO_TARGET_DIR:-$PWD/target}/$folder/tokenwatch"
