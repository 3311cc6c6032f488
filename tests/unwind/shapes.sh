#!/bin/sh
# shapes.sh: compares moat's frames of randomly shaped stacks with gdb's.
#
# Usage: shapes.sh PROGRAM FIRST COUNT    COUNT seeds from FIRST on
#
# SPDX-License-Identifier: MIT
set -eu

# shellcheck source=../support/gdb.sh
. "${0%/*}/../support/gdb.sh"
needs_gdb run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SHAPES="$3" REPORT="$work/report"
status=0
gdb -nx -batch -ex 'set debuginfod enabled off' \
    -x "$(dirname "$0")/shapes.py" --args "$1" "$2" "$3" "$REPORT" >"$work/log" 2>&1 || status=$?
# The rest of a good run is gdb's output at each stop.
if [ "$status" -eq 0 ]; then tail -1 "$work/log"; else tail -200 "$work/log"; fi
exit "$status"
