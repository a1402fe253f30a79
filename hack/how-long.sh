#!/usr/bin/env bash
# Says how long a command of the Makefile takes before it begins, roughly, on 2 cores that have nothing else to do:
# how-long.sh demo|test. CI prints what both take.
set -euo pipefail

case $1 in
demo)
	echo "make demo: the first run builds Kubernetes and what belongs to it: about 10 minutes on 2 cores." \
		"Later ones take about a minute."
	;;
test)
	echo "make test: the first run builds Kubernetes, if 'make demo' has not, and a program with each SDK:" \
		"about 40 minutes on 2 cores. Later ones take about 25."
	;;
esac
