#!/usr/bin/env bash
#
# goes_red.sh: runs a command that must fail and print why.
#
#   goes_red.sh PATTERN COMMAND ARGUMENT...
#
# SPDX-License-Identifier: MIT
set -euo pipefail
pattern=$1
shift
status=0
output=$("$@" 2>&1) || status=$?
if [ "$status" -eq 0 ]; then
    echo "it passed, but must fail: $*"
    echo "$output"
    exit 1
fi
if ! grep -Eq -- "$pattern" <<<"$output"; then
    echo "it failed with status $status, but without /$pattern/: $*"
    echo "$output"
    exit 1
fi
echo "red, as expected: $(grep -Em 1 -- "$pattern" <<<"$output")"
