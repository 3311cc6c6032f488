#!/bin/sh
#
# states.sh: compares the table of docs/states.md with the library's behaviour.
#
#   states.sh PROGRAM DOCUMENT
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" >"$work/tried"
sed -n '/^<!-- table: states -->$/,/^$/p' "$2" | sed 1d | sed '/^$/d' \
    >"$work/shown"
# A build without an unwinder has no backtraces.
if grep -q E_UNSUPPORTED "$work/tried"; then
    echo "skipped: this build has no unwinder"
    exit 77
fi
diff -u "$work/shown" "$work/tried"
