#!/usr/bin/env bash
# One Apache Kafka broker (KRaft, no ZooKeeper) on 127.0.0.1 for tests and for trying things out. The jars come from Maven Central.
#
#     deploy/dev/kafka.sh start  [--dir DIR] [--port PORT]    prints the bootstrap address; data, log and pid file are in DIR
#     deploy/dev/kafka.sh topic  [--dir DIR] NAME [PARTITIONS] [KEY=VALUE…]
#     deploy/dev/kafka.sh status [--dir DIR]                  prints the address if a broker answers there, fails if not
#     deploy/dev/kafka.sh stop   [--dir DIR]                  in good order; the data stays
#     deploy/dev/kafka.sh kill   [--dir DIR]                  at once, as a crash would
#     deploy/dev/kafka.sh fetch                               only the jars
#
# Started again in the same DIR it has the same port and the same data.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
jars="${TOKENWATCH_FETCHED:-$root/deploy/fetched}/kafka"
START_LIMIT_SECS=60
STOP_LIMIT_SECS=30

command="${1:-help}"
[ $# -gt 0 ] && shift
dir="$root/.cache/kafka"
port=""
rest=()
while [ $# -gt 0 ]; do
  case "$1" in
    --dir) dir="$2"; shift 2 ;;
    --port) port="$2"; shift 2 ;;
    *) rest+=("$1"); shift ;;
  esac
done

fetch() {
  local stamp
  stamp="$(cksum <"$here/kafka/pom.xml")"
  [ "$(cat "$jars/stamp" 2>/dev/null)" = "$stamp" ] && return
  "$here/prerequisites.sh" java mvn
  echo "kafka: fetching Apache Kafka from Maven Central (about 50 MB)" >&2
  local staging="$jars.staging.$$"
  mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$staging" >&2
  rm -rf "$jars"
  mv "$staging" "$jars"
  echo "$stamp" >"$jars/stamp"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The options of every JVM; a short-lived one starts faster when it does not optimise.
java_options=(-XX:+UseSerialGC -Dlog4j2.configurationFile="$here/kafka/log4j2.properties" -cp "$jars/*")
kafka_tool() {
  java -Xmx128m -XX:TieredStopAtLevel=1 "${java_options[@]}" "$@"
}

# Written once; a broker that is started again must find its port and its data where they were.
configure() {
  [ -e "$dir/server.properties" ] && return
  local broker="${port:-$(free_port)}" controller
  controller="$(free_port)"
  mkdir -p "$dir"
  cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$broker,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$broker
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
num.partitions=3
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A broker that was killed is let in again after this time, not after the nine seconds that suit a cluster.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
# The tests send lines of 10 MB on purpose.
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
END
  echo "127.0.0.1:$broker" >"$dir/bootstrap"
  # An id that began with a dash would be taken for an option.
  kafka_tool kafka.tools.StorageTool format --ignore-formatted \
    --cluster-id="$(python3 -c 'import base64, uuid; print(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))')" \
    --config "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; return 1; }
}

running() {
  [ -e "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null
}

# A metadata request that the broker answers with itself as a broker.
answers() {
  kcat -b "$(cat "$dir/bootstrap")" -L -m 2 2>/dev/null | grep -q '^  broker 1 at'
}

start() {
  fetch
  "$here/prerequisites.sh" java kcat python3
  if running; then
    echo "kafka: already running in $dir" >&2
  else
    configure
    # No function around it: the pid must be the JVM's own.
    nohup java -Xms512m -Xmx512m "${java_options[@]}" kafka.Kafka "$dir/server.properties" </dev/null >>"$dir/broker.log" 2>&1 &
    echo $! >"$dir/pid"
  fi
  local deadline=$((SECONDS + START_LIMIT_SECS))
  until answers; do
    if ! running || [ "$SECONDS" -ge "$deadline" ]; then
      echo "kafka: the broker does not answer; the end of $dir/broker.log:" >&2
      tail -20 "$dir/broker.log" >&2
      return 1
    fi
    sleep 0.2
  done
  cat "$dir/bootstrap"
}

stop() {
  local signal="$1"
  running || { rm -f "$dir/pid"; return 0; }
  local pid deadline=$((SECONDS + STOP_LIMIT_SECS))
  pid="$(cat "$dir/pid")"
  kill "-$signal" "$pid"
  while kill -0 "$pid" 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.1
  done
  rm -f "$dir/pid"
}

topic() {
  local name="${1:?a topic name}" partitions="${2:-3}" setting
  shift; [ $# -gt 0 ] && shift
  local settings=()
  for setting in "$@"; do settings+=(--config "$setting"); done
  kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(cat "$dir/bootstrap")" \
    --create --if-not-exists --topic "$name" --partitions "$partitions" --replication-factor 1 "${settings[@]}" 2>&1 | { grep -v "metric names" || true; } >&2
}

case "$command" in
  start) start ;;
  stop) stop TERM ;;
  kill) stop KILL ;;
  status) running && answers && cat "$dir/bootstrap" ;;
  topic) topic "${rest[@]}" ;;
  fetch) fetch ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; [ "$command" = help ] ;;
esac
