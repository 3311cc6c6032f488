#!/bin/sh
# shapes.sh: what moat finds in stacks of random shapes, against what gdb does.
#
# Usage: shapes.sh PROGRAM FIRST COUNT    COUNT seeds from FIRST on
#
# SPDX-License-Identifier: MIT
set -eu

if ! command -v gdb >/dev/null || ! gdb -nx -batch -ex 'python print(1)' \
    >/dev/null 2>&1; then
    echo "skipped: gdb with python is not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SHAPES="$3" REPORT="$work/report"
status=0
gdb -nx -batch -ex 'set debuginfod enabled off' \
    -x "$(dirname "$0")/shapes.py" --args "$1" "$2" "$3" "$REPORT" >"$work/log" 2>&1 || status=$?
# The rest of a good run is what gdb says at each stop.
if [ "$status" -eq 0 ]; then tail -1 "$work/log"; else tail -200 "$work/log"; fi
exit "$status"
