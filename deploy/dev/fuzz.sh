#!/usr/bin/env bash
# Fuzzes the decoder: each target of fuzz/ in turn, from the fixtures as seeds. Ends at the first input that breaks a rule, which it leaves below
# fuzz/found; what the fuzzer found on its way stays there too, for the next time.
#
#     deploy/dev/fuzz.sh [SECONDS [TARGET…]]       60 seconds for each of decode, secret, config unless told otherwise
#
# A stable compiler will do: its coverage is switched on by flags of LLVM. libFuzzer itself is built by the crate libfuzzer-sys.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../../fuzz"
seconds="${1:-60}"
targets=("${@:2}")
[ "${#targets[@]}" -gt 0 ] || targets=(decode secret config)

"$here/prerequisites.sh" cargo cmake c++ make perl python3
coverage=(sancov-module)
level=(-sanitizer-coverage-level=4 -sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table -sanitizer-coverage-trace-compares)
RUSTFLAGS="-Cpasses=${coverage[*]} ${level[*]/#/-Cllvm-args=} -Ccodegen-units=1 --cfg fuzzing"
export RUSTFLAGS
# With a target named, build scripts and macros are built without these flags.
host="$(rustc -vV | sed -n 's/^host: //p')"
cargo build --release --target "$host" --bins
programs="${CARGO_TARGET_DIR:-$PWD/target}/$host/release"

python3 seeds.py found/seeds
for target in "${targets[@]}"; do
  mkdir -p "found/$target"
  "$programs/$target" "found/$target" "found/seeds/$target" \
    -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="found/$target-"
done
