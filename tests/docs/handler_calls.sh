#!/bin/sh
#
# handler_calls.sh: checks that docs/signal-safety.md lists every function of
# another library to which the objects of the trap layer refer.
#
#   handler_calls.sh DOCUMENT NM OBJECTS
#
# OBJECTS is one argument, separated by semicolons.
#
# SPDX-License-Identifier: MIT
set -eu

document=$1
nm=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -nE '/^<!-- table: (handler|other) calls -->/,/^$/s/^\| `([A-Za-z0-9_]+)` \|.*/\1/p' \
    "$document" | LC_ALL=C sort >"$work/listed"
rooms='/(trap|registry|arch)/|/sys/[a-z]+/(timer|fork|environment|page|seal|readable)\.'
echo "$3" | tr ';' '\n' | grep -E "$rooms" >"$work/objects"
[ "$(wc -l <"$work/objects")" -ge 10 ]
xargs "$nm" -u <"$work/objects" | awk '$1 == "U" { print $2 }' |
    grep -vE '^(moat_|_GLOBAL_OFFSET_TABLE_$)' | sed 's/@.*//' |
    LC_ALL=C sort -u >"$work/called"
LC_ALL=C comm -23 "$work/called" "$work/listed" >"$work/unlisted"
if [ -s "$work/unlisted" ]; then
    echo "called by the trap layer, but not in $document:"
    cat "$work/unlisted"
    exit 1
fi
grep -qx sigaction "$work/called" # otherwise the symbols were not read
