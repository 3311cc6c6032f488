#!/bin/sh
#
# match.sh: compares a block of a document with the output of a program. A line
# '...' of the document stands for any number of lines. Parts that differ
# between runs and builds are normalised in both first: addresses, offsets,
# times, sizes, module paths and line numbers.
#
#   match.sh DOCUMENT BLOCK OUTPUT [FILTER]
#
# FILTER: a sed script that normalises instead.
#
# SPDX-License-Identifier: MIT
set -eu

here=$(dirname "$0")
filter=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

same_form() {
    if [ -n "$filter" ]; then
        sed -E -f "$filter"
        return
    fi
    sed -E \
        -e 's/0x[0-9a-f]+/0xN/g' \
        -e 's/[0-9a-f]{16}/N/g' \
        -e 's/flags [0-9a-f]+/flags N/' \
        -e 's/^(  bytes   ).*/\1/' \
        -e 's/[0-9]+ of [0-9]+ bytes/N of N bytes/' \
        -e 's/ in [^ ]*\/([^ ]+)/ in \1/' \
        -e 's/ at [^ ]*:[0-9]+$//' \
        -e 's/__libc_start_main[^+ ]*/__libc_start_main/' \
        -e 's/time [0-9.]+ [num]?s/time T/' \
        -e 's/memory [0-9.]+ [KMG]?i?B/memory M/' \
        -e 's/stack [0-9.]+ [KMG]?i?B/stack M/'
}

"$here/block.sh" "$1" "$2" | same_form >"$work/shown"
same_form <"$3" >"$work/printed"

# Each shown line must be printed, in this order. Other lines may come between
# two of them only where the document has '...'.
awk '
    NR == FNR { printed[++n] = $0; next }
    $0 == "..." { any = 1; next }
    {
        at = next_line + 1
        while (any && at <= n && printed[at] != $0)
            at++
        if (at > n || printed[at] != $0) {
            print "shown, but not printed there: " $0
            print "printed there: " (next_line < n ? printed[next_line + 1] : "(the end)")
            failed = 1
            exit
        }
        next_line = at
        any = 0
    }
    END {
        if (!failed && !any && next_line < n) {
            print "printed, but not shown: " printed[next_line + 1]
            failed = 1
        }
        exit failed
    }
' "$work/printed" "$work/shown" || {
    echo "$1: the block '$2' is not what was printed" >&2
    exit 1
}
