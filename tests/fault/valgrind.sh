#!/usr/bin/env bash
#
# valgrind.sh: runs a test of the faults under Valgrind, and wants no error of
# memcheck's but those that the faults themselves are.
#
#   valgrind.sh PROGRAM [FILTER]
#
# Exit status 77: there is no Valgrind here.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit 77
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

status=0
valgrind -q --log-file="$logs/%p" "$@" || status=$?

# Errors are blocks between empty lines. A crime's name stands in its stack, if
# there is one; without one are jumps to nowhere and what the C library does in
# a crime's place. Lines that begin with two hyphens are warnings of calls that
# Valgrind does not know.
foreign=$(cat "$logs"/* | sed -e '/^--/d' -e 's/^==[0-9]*== \{0,1\}//' |
    awk 'BEGIN { RS = ""; ORS = "\n\n" }
        !/crime_|Jump to the invalid address|: swab \(/')
if [ -n "$foreign" ]; then
    echo "errors that are no crime's:"
    echo "$foreign"
    status=1
fi
exit "$status"
