#!/bin/sh
# Builds, runs benchmarks and prints their results as Markdown; benchmarks/README.md says which there are. For a scenario
# that compares servers the others are built too, as far as Maven and Node can be had here: the table says what is left out.
set -eu
cd "$(dirname "$0")/.."
mvn -B -ntp -q -Dstyle.color=never -Pbenchmarks -pl benchmarks -am package -DskipTests
case " $* " in
*\ fanout\ * | *\ latency\ * | *\ echo* | *\ connect\ * | *\ slow\ *)
    mvn -B -ntp -q -Dstyle.color=never -f benchmarks/peers/pom.xml package >&2 || echo "The servers on other Java libraries could not be built." >&2
    node=yes ;;
*\ cuts\ *) node=yes ;;
*) node= ;;
esac
if [ "$node" ] && command -v npm >/dev/null && [ ! -d benchmarks/peers/node/node_modules/socket.io-client ]; then
    (cd benchmarks/peers/node && npm ci --silent --no-audit --no-fund >&2) || echo "The servers on Node could not be installed." >&2
fi
exec java -Xms1g -Xmx1g -jar benchmarks/target/realtime-benchmarks.jar "${@:-all}"
