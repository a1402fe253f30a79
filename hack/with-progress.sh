#!/usr/bin/env bash
# Runs a command and reports every 30 seconds that it is still running: with-progress.sh WHAT COMMAND...
set -euo pipefail
what=$1
shift

# The reader ends when the last writer closes the pipe. The command must not inherit it, because it may leave processes behind.
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
