#!/bin/sh
#
# table.sh: checks that docs/debugging.md lists exactly the names of the table
# for debuggers.
#
#   table.sh SOURCE PROGRAM
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$2" >"$work/real"
sed -n '/^<!-- table: debug -->$/,$p' "$1/docs/debugging.md" | grep '^|' |
    sed 's/|[^|]*|$//' | grep -o '`[a-z._]*`' | tr -d '\`' >"$work/shown"
diff -u "$work/shown" "$work/real"
