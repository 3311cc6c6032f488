#!/bin/sh
#
# host_ends.sh: each row of the tables in docs/what-ends-a-host.md names a test,
# and the cases that it names are those of fault.host_ends, each of them.
#
#   host_ends.sh PAGE SOURCE
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The rows behind '|---|'.
awk '/^<!-- table: host ends/ { n = 3 }
     /^\|/ { if (n > 0) n--; if (n == 0) print }' "$1" >"$work/rows"
[ "$(wc -l <"$work/rows")" -ge 25 ] || {
    echo "$1: the tables are gone"
    exit 1
}
status=0
if awk -F'|' '$(NF - 1) !~ /`[a-z]+\.[a-z_.*]+`/' "$work/rows" | grep .; then
    echo "$1: these rows name no test"
    status=1
fi
awk -F'|' '{ print $(NF - 1) }' "$work/rows" | tr ',;: ' '\n\n\n\n' |
    grep -E '^[a-z]+(_[a-z]+)+$' | sort -u >"$work/shown"
sed -nE 's/^ *(\{"|CHILD_CASE\()([a-z_]+).*/\2/p' "$2" | sort -u >"$work/cases"
[ -s "$work/cases" ]
diff "$work/shown" "$work/cases" || {
    echo "<: cases that $1 names; >: cases of $2"
    status=1
}
exit "$status"
