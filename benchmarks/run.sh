#!/bin/sh
# Builds, runs a benchmark and prints its result as Markdown: retention, idle, resume, connections, calls, parts, or all of them.
set -eu
cd "$(dirname "$0")/.."
mvn -B -ntp -q -Dstyle.color=never -pl benchmarks -am package -DskipTests
exec java -Xms1g -Xmx1g -jar benchmarks/target/realtime-benchmarks.jar "${@:-all}"
