#!/usr/bin/env bash
# Prints how long a Makefile target takes, roughly, on 2 idle cores: how-long.sh demo|test. CI prints the measured times.
set -euo pipefail

case $1 in
demo)
	echo "make demo: the first run builds Kubernetes and its tools: about 10 minutes on 2 cores." \
		"Later runs take about a minute."
	;;
test)
	echo "make test: the first run builds Kubernetes, unless 'make demo' already did, and a client for each SDK:" \
		"about 40 minutes on 2 cores. Later runs take about 25."
	;;
esac
