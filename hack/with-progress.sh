#!/usr/bin/env bash
# Runs a command, and says every half minute that it still runs: with-progress.sh WHAT COMMAND...
set -euo pipefail
what=$1
shift

# The reader ends with the last writer, so the command must not inherit the pipe: it may leave others behind.
exec {running}> >(
	while read -rt 30 _ || [ $? -gt 128 ]; do
		echo "$what … $SECONDS s" >&2
	done
)
reader=$!
status=0
"$@" {running}>&- || status=$?
exec {running}>&-
wait "$reader"
exit "$status"
