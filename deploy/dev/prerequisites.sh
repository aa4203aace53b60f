#!/usr/bin/env bash
# Names every program that is missing, with the command that installs it, and fails if there is one.
#
#     deploy/dev/prerequisites.sh PROGRAM…
#     deploy/dev/prerequisites.sh --packages PROGRAM…     prints the Debian packages of what is missing, for a script to install
set -euo pipefail

packages_only=false
if [ "${1:-}" = "--packages" ]; then
  packages_only=true
  shift
fi

# The Debian package of a program; `-` if it does not come from Debian.
package_of() {
  case "$1" in
    c++) echo "g++" ;;
    node) echo nodejs ;;
    java) echo default-jre-headless ;;
    mvn) echo maven ;;
    python3-venv) echo python3-venv ;;
    promtool) echo prometheus ;;
    rsyslogd) echo rsyslog ;;
    exim4) echo exim4-daemon-light ;;
    cargo) echo - ;;
    *) echo "$1" ;;
  esac
}

present() {
  case "$1" in
    python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    nginx | haproxy | rsyslogd | exim4) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] ;;
    rsyslog-gnutls) compgen -G "/usr/lib/*/rsyslog/lmnsd_gtls.so" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# Some programs are too old to be of use below a version.
too_old() {
  case "$1" in
    node) [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ] && echo "node 20 or newer" ;;
    java) [ "$(java -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.specification.version = //p' | cut -d. -f1)" -lt 17 ] && echo "java 17 or newer" ;;
    cargo) [ "$(printf '1.91.0\n%s\n' "$(cargo --version | cut -d' ' -f2)" | sort -V | head -1)" != "1.91.0" ] && echo "Rust 1.91 or newer" ;;
  esac
  return 0
}

install_hint() {
  case "$1" in
    cargo) echo "install Rust with rustup (https://rustup.rs), or: rustup update stable" ;;
    node)
      case "$(uname -s)" in
        Darwin) echo "brew install node" ;;
        *) echo "sudo apt-get install nodejs npm   (Node 20 or newer; Debian 12 has 18: use https://nodejs.org)" ;;
      esac
      ;;
    *)
      case "$(uname -s)" in
        Darwin) echo "brew install $(package_of "$1")" ;;
        *) echo "sudo apt-get install $(package_of "$1")" ;;
      esac
      ;;
  esac
}

missing=0
for program in "$@"; do
  if ! present "$program"; then
    reason="$program is missing"
  else
    old="$(too_old "$program")"
    [ -n "$old" ] || continue
    reason="$old is needed"
  fi
  missing=1
  if $packages_only; then
    [ "$(package_of "$program")" = - ] || package_of "$program"
  else
    echo "prerequisites: $reason: $(install_hint "$program")" >&2
  fi
done
$packages_only || exit "$missing"
