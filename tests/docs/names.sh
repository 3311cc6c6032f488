#!/bin/sh
#
# names.sh: checks that the tests named in the documents exist.
#
#   names.sh ROOT CTEST BUILD
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$2" -N --test-dir "$3" | sed -n 's/^ *Test *#[0-9]*: //p' >"$work/tests"
cd "$1"
kinds='api|checks|corpus|debugger|demo|ditch|docs|example|fault|host|http|install'
kinds="$kinds|malloc|runtimes|sanitizers|sched|stress|unit|unwind"
grep -ohE "\`($kinds)\.[a-z_]+(\.[a-z_]+)*(\.?\*)?\`" README.md docs/*.md |
    tr -d '\`' | sort -u >"$work/named"
[ "$(wc -l <"$work/named")" -ge 10 ]

status=0
while read -r name; do
    # 'fault.traps.*' stands for every test that begins like this.
    begin=${name%"*"}
    awk -v name="$name" -v begin="$begin" '
        $0 == name || (begin != name && index($0, begin) == 1) { found = 1 }
        END { exit !found }' "$work/tests" || {
        echo "there is no test '$name'"
        status=1
    }
done <"$work/named"
exit "$status"
