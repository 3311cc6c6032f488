#!/bin/sh
#
# members.sh: checks that a real JSON report has the members and types that
# docs/report.md lists.
#
#   members.sh PROGRAM DOCUMENT HAVE_UNWINDER
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$3" != ON ]; then
    echo "skipped: this build has no unwinder"
    exit 77
fi
"$1" | LC_ALL=C sort -u >"$work/printed"
rows='s/^\| `([^`]+)` \| ([a-z]+) \| (.*)$/\1 \2 \3/p'
sed -nE "/^<!-- table: members -->/,/^\$/$rows" "$2" >"$work/rows"
cut -d' ' -f1,2 "$work/rows" | LC_ALL=C sort >"$work/listed"
awk '$3 != "optional:" { print $1, $2 }' "$work/rows" | LC_ALL=C sort \
    >"$work/required"

status=0
LC_ALL=C comm -23 "$work/printed" "$work/listed" >"$work/extra"
if [ -s "$work/extra" ]; then
    echo "printed, but not listed:" && cat "$work/extra"
    status=1
fi
LC_ALL=C comm -13 "$work/printed" "$work/required" >"$work/missing"
if [ -s "$work/missing" ]; then
    echo "listed, but not printed:" && cat "$work/missing"
    status=1
fi
[ "$(wc -l <"$work/listed")" -gt 20 ] || status=1
exit "$status"
