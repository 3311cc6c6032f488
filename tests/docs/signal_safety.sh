#!/bin/sh
#
# signal_safety.sh: checks that every public function has a row in
# docs/signal-safety.md, and that the last column agrees with its comment.
#
#   signal_safety.sh ROOT
#
# SPDX-License-Identifier: MIT
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
    "$here/functions.sh" "$1/include"
    "$here/functions.sh" "$1/sched/include"
    "$here/functions.sh" "$1/uv/include"
} | LC_ALL=C sort >"$work/functions"
sed -nE '/^<!-- table: functions -->/,/^$/s/^\| `([a-z_]+)` \|.*\| ([a-z]+)[^|]*\|$/\1\t\2/p' \
    "$1/docs/signal-safety.md" | LC_ALL=C sort >"$work/rows"

cut -f1 "$work/functions" >"$work/names"
cut -f1 "$work/rows" | diff -u "$work/names" - || {
    echo "the functions of the headers are not those of the table"
    exit 1
}
[ "$(wc -l <"$work/names")" -ge 30 ]

LC_ALL=C join -t "$(printf '\t')" -o 1.1,1.3,2.2 "$work/functions" "$work/rows" |
    awk -F '\t' '$2 != "-" && $2 != $3 {
        print $1 ": the header says " $2 ", the table " $3
        wrong++
    }
    END { exit wrong > 0 }'

# The sizes must be the library's.
grep -oE '[0-9]+ KiB' "$1/docs/signal-safety.md" | sort -u >"$work/figures"
sed -nE 's/^#define MOAT_STACK_FOR_[A-Z_]+ +\(\(size_t\)([0-9]+) << 10\)/\1 KiB/p' \
    "$1/engine/nointr.h" | sort -u | diff -u "$work/figures" -
