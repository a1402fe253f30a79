#!/usr/bin/env bash
# Says how long a command of the Makefile takes, before it begins: how-long.sh demo|test. Measured on 2 cores that had
# nothing else to do.
set -euo pipefail

case $1 in
demo)
	echo "make demo: the first run builds Kubernetes, containerd and CoreDNS: about DEMO_COLD minutes on 2 cores." \
		"Later ones take about DEMO_WARM."
	;;
test)
	echo "make test: the first run builds Kubernetes and a program of every SDK: about TEST_COLD minutes on 2 cores." \
		"Later ones take about TEST_WARM minutes."
	;;
esac
