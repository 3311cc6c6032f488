#!/bin/sh
#
# tool.sh: checks that tools/bench fills the sections of docs/performance.md,
# writes the plots, and refuses a benchmark that does not exist.
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

# The sections start empty, so all that is there afterwards is new.
sed '/^<!-- bench: /,/^<!-- end -->/{/^<!-- /!d}' \
    "$source/docs/performance.md" >"$work/performance.md"
"$source/tools/bench" --build "$build" --document "$work/performance.md" \
    --plots "$work/plots" --rounds 1 --scale 0.01 "$@" >"$work/log"

for name in "$@"; do
    sed -n "/^<!-- bench: $name -->/,/^<!-- end -->/p" "$work/performance.md" \
        >"$work/section"
    grep -q '^| .* ([0-9.]*, [0-9.]*) |' "$work/section" || {
        echo "$name: no table"
        exit 1
    }
    grep -q '1 rounds' "$work/section"
    [ "$name" = call ] && continue
    grep -q '<svg' "$work/plots/$name.svg"
done

if "$source/tools/bench" --build "$build" --document "$work/performance.md" \
    nonsense 2>"$work/refused"; then
    echo "tools/bench ran a benchmark that does not exist"
    exit 1
fi
grep -q "no section 'nonsense'" "$work/refused"
