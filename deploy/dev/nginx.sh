#!/usr/bin/env bash
# The gateway of the end-to-end tests: nginx with the recommended log format, in front of upstream.py, both on free ports of 127.0.0.1.
#
#     deploy/dev/nginx.sh start --dir DIR --keys keys.json [--port PORT]    prints the address; lines go to DIR/access.log
#     deploy/dev/nginx.sh stop  --dir DIR
#     deploy/dev/nginx.sh status --dir DIR
#
# Names that a revocation wrote to DIR/revoked are turned away by the upstream (webhook_sink.py --revoked DIR/revoked). X-Forwarded-For
# is trusted from 127.0.0.1 and becomes remote_addr, so that a test can call from any address.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
START_LIMIT_SECS=20

command="${1:-help}"
[ $# -gt 0 ] && shift
dir="" keys="" port=0
while [ $# -gt 0 ]; do
  case "$1" in
    --dir) dir="$2"; shift 2 ;;
    --keys) keys="$2"; shift 2 ;;
    --port) port="$2"; shift 2 ;;
    *) echo "nginx.sh: unknown option $1" >&2; exit 64 ;;
  esac
done

alive() {
  [ -e "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

nginx_program() {
  command -v nginx || echo /usr/sbin/nginx
}

configure() {
  local upstream="$1"
  cat >"$dir/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log warn;
events { worker_connections 1024; }
http {
  client_body_temp_path $dir/tmp/body;
  proxy_temp_path $dir/tmp/proxy;
  fastcgi_temp_path $dir/tmp/fastcgi;
  uwsgi_temp_path $dir/tmp/uwsgi;
  scgi_temp_path $dir/tmp/scgi;
  include $here/../gateways/nginx/log_format.conf;
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Forwarded-For;
  upstream api { server $upstream; keepalive 16; }
  server {
    listen 127.0.0.1:$port;
    access_log $dir/access.log tokenwatch;
    location / {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
END
}

start() {
  [ -n "$dir" ] && [ -n "$keys" ] || { echo "nginx.sh: start needs --dir and --keys" >&2; exit 64; }
  "$here/prerequisites.sh" nginx python3 curl
  mkdir -p "$dir/tmp"
  dir="$(cd "$dir" && pwd)"
  nohup python3 "$here/upstream.py" --keys "$keys" --revoked "$dir/revoked" </dev/null >"$dir/upstream.out" 2>"$dir/upstream.log" &
  echo $! >"$dir/upstream.pid"
  local deadline=$((SECONDS + START_LIMIT_SECS))
  until [ -s "$dir/upstream.out" ]; do
    alive "$dir/upstream.pid" && [ "$SECONDS" -lt "$deadline" ] || { cat "$dir/upstream.log" >&2; return 1; }
    sleep 0.05
  done
  [ "$port" != 0 ] || port="$(free_port)"
  configure "$(sed -n 's/.*"address": "\([^"]*\)".*/\1/p' "$dir/upstream.out")"
  nohup "$(nginx_program)" -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" </dev/null >"$dir/nginx.out" 2>&1 &
  echo $! >"$dir/nginx.master"
  # A connection is enough to know that it listens; a request would be in the access log.
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    alive "$dir/nginx.master" && [ "$SECONDS" -lt "$deadline" ] || { cat "$dir/nginx.out" "$dir/error.log" >&2; return 1; }
    sleep 0.05
  done
  echo "127.0.0.1:$port" | tee "$dir/address"
}

stop() {
  local file
  for file in nginx.master upstream.pid; do
    alive "$dir/$file" && kill -TERM "$(cat "$dir/$file")"
    while alive "$dir/$file"; do sleep 0.05; done
    rm -f "$dir/$file"
  done
}

case "$command" in
  start) start ;;
  stop) stop ;;
  status) alive "$dir/nginx.master" && alive "$dir/upstream.pid" && cat "$dir/address" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; [ "$command" = help ] ;;
esac
