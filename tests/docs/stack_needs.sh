#!/bin/sh
#
# stack_needs.sh: checks that the table of stack needs in docs/memory.md is what
# PROGRAM measures against, and has every public function that a host or a guest
# calls.
#
#   stack_needs.sh ROOT PROGRAM
#
# SPDX-License-Identifier: MIT
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n '/^<!-- table: needs -->/,/^$/p' "$1/docs/memory.md" |
    awk -F '|' '$2 + 0 > 0 {
        while (match($3, /`[a-z_]+`/)) {
            print substr($3, RSTART + 1, RLENGTH - 2), $2 + 0
            $3 = substr($3, RSTART + RLENGTH)
        }
    }' | LC_ALL=C sort >"$work/rows"
"$2" list | LC_ALL=C sort >"$work/measured"
diff -u "$work/measured" "$work/rows" || {
    echo "the table is not what is measured"
    exit 1
}

# The inline code's other half is measured with it; sources run in handlers.
"$here/functions.sh" "$1/include" | cut -f1 |
    grep -vE '_slow$|^moat_co_(bring|settle|unwind)$|^moat_source_|^moat_trap_handle$' \
        >"$work/names"
cut -d' ' -f1 "$work/rows" | diff -u "$work/names" - || {
    echo "the functions of the headers are not those of the table"
    exit 1
}
[ "$(wc -l <"$work/names")" -ge 40 ]
