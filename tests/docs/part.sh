#!/bin/sh
#
# part.sh: checks that the lines shown in a document stand in a file, in one
# piece.
#
#   part.sh DOCUMENT BLOCK FILE
#
# SPDX-License-Identifier: MIT
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/block.sh" "$1" "$2" >"$work/shown"
awk '
    NR == FNR { shown[++n] = $0; next }
    { lines[++count] = $0 }
    END {
        for (at = 0; at + n <= count; at++) {
            for (i = 1; i <= n && lines[at + i] == shown[i]; i++)
                if (i > best) { best = i; wrong = shown[i + 1] }
            if (i > n)
                exit 0
        }
        print "not there, or not in this order: " (best ? wrong : shown[1])
        exit 1
    }
' "$work/shown" "$3" || {
    echo "$1: the block '$2' is not a part of $3" >&2
    exit 1
}
