#!/bin/sh
#
# sched_rows.sh: checks the tables of moat-sched: docs/states.md shows what STATES
# prints, docs/memory.md what STACKS measures against, and each has a row for
# every function of the headers. Generators have no run (docs/generators.md), and
# moat_supervisor_task is the function of a task, not a call.
#
#   sched_rows.sh ROOT STATES STACKS
#
# SPDX-License-Identifier: MIT
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

table() {
    sed -n "/^<!-- table: $2 -->\$/,/^\$/p" "$1" | sed -e 1d -e '/^$/d'
}

"$here/functions.sh" "$1/sched/include" | cut -f1 |
    grep -vE '^moat_gen_|^moat_supervisor_task$' \
    >"$work/names"
[ "$(wc -l <"$work/names")" -ge 50 ]

"$2" >"$work/tried"
table "$1/docs/states.md" "sched states" >"$work/shown"
diff -u "$work/shown" "$work/tried" || {
    echo "docs/states.md does not show what was tried"
    exit 1
}
sed -nE 's/^\| `([a-z_]+)` .*/\1/p' "$work/tried" | LC_ALL=C sort |
    diff -u "$work/names" - || {
    echo "docs/states.md has not the functions of the headers"
    exit 1
}

"$3" list | LC_ALL=C sort >"$work/measured"
table "$1/docs/memory.md" "sched needs" | awk -F '|' '$2 + 0 > 0 {
    while (match($3, /`[a-z_]+`/)) {
        print substr($3, RSTART + 1, RLENGTH - 2), $2 + 0
        $3 = substr($3, RSTART + RLENGTH)
    }
}' | LC_ALL=C sort >"$work/rows"
diff -u "$work/measured" "$work/rows" || {
    echo "docs/memory.md does not show what is measured"
    exit 1
}
cut -d' ' -f1 "$work/rows" | diff -u "$work/names" - || {
    echo "docs/memory.md has not the functions of the headers"
    exit 1
}
