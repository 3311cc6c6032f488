#!/bin/sh
#
# table.sh: checks that docs/debugging.md lists exactly the names of a table for
# debuggers.
#
#   table.sh SOURCE TABLE PROGRAM
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$3" >"$work/real"
sed -n "/^<!-- table: $2 -->\$/,/^\$/p" "$1/docs/debugging.md" | grep '^|' |
    sed 's/|[^|]*|$//' | grep -o '`[a-z._]*`' | tr -d '\`' >"$work/shown"
[ "$(wc -l <"$work/real")" -ge 20 ]
diff -u "$work/shown" "$work/real"
