#!/bin/sh
# Creates the topics that Tokenwatch uses; those that exist stay as they are.
#
#     BOOTSTRAP=broker:9092 REPLICATION=3 deploy/kafka/topics.sh
#
# KAFKA_TOPICS is the command (kafka-topics.sh of a Kafka release), COMMAND_CONFIG a properties file with TLS and SASL settings. Why each
# topic is as it is stands in topics.md.
set -eu

bootstrap="${BOOTSTRAP:?the address of a broker, as BOOTSTRAP=host:port}"
kafka_topics="${KAFKA_TOPICS:-kafka-topics.sh}"
replication="${REPLICATION:-3}"
# Written to two of three replicas before it counts as written; a single broker has one.
in_sync=$((replication > 1 ? replication - 1 : 1))
HOUR_MS=3600000

create() {
  topic="$1" partitions="$2" retention_hours="$3"
  "$kafka_topics" --bootstrap-server "$bootstrap" ${COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"} \
    --create --if-not-exists --topic "$topic" --partitions "$partitions" --replication-factor "$replication" \
    --config "retention.ms=$((retention_hours * HOUR_MS))" --config "min.insync.replicas=$in_sync" \
    --config cleanup.policy=delete
}

create gateway.access "${PARTITIONS:-12}" 72
create tokenwatch.dead-letters 3 336
create tokenwatch.events "${PARTITIONS:-12}" 24
create tokenwatch.findings 3 336
