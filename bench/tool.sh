#!/bin/sh
#
# tool.sh: does tools/bench fill the places of docs/performance.md, and refuse
# what it cannot do?
#
#   tool.sh SOURCE BUILD NAME...   (benchmarks; all but `call` have a plot)
#
# SPDX-License-Identifier: MIT
set -eu
source=$1 build=$2
shift 2

/usr/bin/python3 -c 'import matplotlib' 2>/dev/null || {
    echo "python3-matplotlib is not installed"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Empty places: what is there afterwards is new.
sed '/^<!-- bench: /,/^<!-- end -->/{/^<!-- /!d}' "$source/docs/performance.md" \
    >"$work/performance.md"
"$source/tools/bench" --build "$build" --document "$work/performance.md" \
    --rounds 1 --scale 0.01 "$@" >"$work/log"

for name in "$@"; do
    sed -n "/^<!-- bench: $name -->/,/^<!-- end -->/p" "$work/performance.md" \
        >"$work/section"
    grep -q '^| .* ([0-9.]*, [0-9.]*) |' "$work/section" || {
        echo "$name: no table"
        exit 1
    }
    grep -q '1 rounds' "$work/section"
    [ "$name" = call ] && continue
    grep -q "^!\[.*\](performance/$name.svg)\$" "$work/section"
    grep -q '<svg' "$work/performance/$name.svg"
done

if "$source/tools/bench" --build "$build" --document "$work/performance.md" \
    nonsense 2>"$work/refused"; then
    echo "a benchmark that there is none of was run"
    exit 1
fi
grep -q "no place for 'nonsense'" "$work/refused"
