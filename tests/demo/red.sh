#!/bin/sh
#
# red.sh: checks that run.sh fails if a script has another result than its first
# line gives.
#
#   red.sh DEMO_DIR MOAT MODULE_DIR
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/data"
cp "$1/run.sh" "$work"
printf -- '-- expect: error\nerror("as told")\n' >"$work/right.lua"

if ! "$work/run.sh" "$2" "$3" >"$work/output" 2>&1; then
    cat "$work/output"
    echo "red.sh: run.sh fails although all results are as expected" >&2
    exit 1
fi
printf -- '-- expect: ok\nerror("not as told")\n' >"$work/wrong.lua"
if "$work/run.sh" "$2" "$3" >"$work/output" 2>&1; then
    cat "$work/output"
    echo "red.sh: run.sh did not notice" >&2
    exit 1
fi
grep -q 'wrong.lua .*EXPECTED: ok' "$work/output"
