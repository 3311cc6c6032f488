#!/bin/sh
#
# apart.sh: no two libraries define the same symbol: a program that is linked
# with both archives would not be linked, as soon as it needs both objects.
#
#   apart.sh NM ARCHIVE ARCHIVE
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Weak symbols, such as those of a personality, may be in both.
symbols() {
    "$nm" -g --defined-only "$1" |
        awk 'NF == 3 && $2 ~ /[A-Z]/ && $2 !~ /[VW]/ { print $3 }' | sort -u
}

nm=$1
symbols "$2" >"$work/first"
symbols "$3" >"$work/second"
[ "$(wc -l <"$work/first")" -ge 40 ] && [ "$(wc -l <"$work/second")" -ge 40 ]
comm -12 "$work/first" "$work/second" >"$work/both"
if [ -s "$work/both" ]; then
    echo "defined by both:"
    cat "$work/both"
    exit 1
fi
