#!/usr/bin/env bash
#
# valgrind.sh: runs a fault test under Valgrind. memcheck may report the faults
# themselves, but no other errors.
#
#   valgrind.sh PROGRAM [FILTER]
#
# Exits with status 77 if Valgrind is not installed.
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

# Errors are blocks separated by empty lines. The backtrace of a crime contains
# its name, except for jumps to invalid addresses and for crimes that the C
# library commits. Lines that begin with two hyphens are warnings about system
# calls that Valgrind does not know.
foreign=$(cat "$logs"/* | sed -e '/^--/d' -e 's/^==[0-9]*== \{0,1\}//' |
    awk 'BEGIN { RS = ""; ORS = "\n\n" }
        !/crime_|Jump to the invalid address|: swab \(/')
if [ -n "$foreign" ]; then
    echo "errors that no crime explains:"
    echo "$foreign"
    status=1
fi
exit "$status"
