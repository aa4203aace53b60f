#!/usr/bin/env bash
# Builds what is needed, then shows Tokenwatch at work. Arguments go to `tokenwatch demo`.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
binary="$("$here/build.sh" dev)"
cd "$here/../.."
exec "$binary" demo "$@"
