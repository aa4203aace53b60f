#!/usr/bin/env bash
# The console: its packages by the lock file, then what is asked for.
#
#     deploy/dev/console.sh build     dashboards/web/dist, which the binary embeds; nothing if no source has changed
#     deploy/dev/console.sh check     types and Svelte's own warnings
#     deploy/dev/console.sh test      unit tests
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
web="$(cd "$here/../../dashboards/web" && pwd)"
cd "$web"

"$here/prerequisites.sh" node npm

lock="$(cksum <package-lock.json)"
if [ "$(cat node_modules/.lock-stamp 2>/dev/null)" != "$lock" ]; then
  npm ci --no-audit --no-fund --loglevel=error >&2
  echo "$lock" >node_modules/.lock-stamp
fi

# A checksum over everything that the bundle is made of.
sources() {
  find index.html package-lock.json vite.config.ts tsconfig.json dev/detector-pages.mjs src public ../../docs/detectors -type f -print0 | LC_ALL=C sort -z | xargs -0 cksum | cksum
}

case "${1:-}" in
  build)
    stamp="$(sources)"
    if [ "$(cat node_modules/.dist-stamp 2>/dev/null)" = "$stamp" ] && [ -d dist/assets ]; then
      echo "console: up to date in dashboards/web/dist" >&2
    else
      npm run --silent build >&2
      echo "$stamp" >node_modules/.dist-stamp
    fi
    ;;
  check) npm run --silent check >&2 ;;
  test) npm run --silent test >&2 ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
esac
