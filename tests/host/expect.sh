#!/bin/sh
#
# expect.sh: functions for the tests of the command. They run it and compare its
# exit status and its output. Sourced, with MOAT set.
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
scripts=$(cd "$(dirname "$0")" && pwd)/scripts
failures=0
cases=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*" >&2
    sed 's/^/  out: /' "$work/out" >&2
    sed 's/^/  err: /' "$work/err" >&2
}

# expect STATUS ARGUMENT...: runs moat; `has` and `says` then check the output.
expect() {
    wanted=$1
    shift
    what=$*
    cases=$((cases + 1))
    got=0
    "$MOAT" "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    [ "$got" = "$wanted" ] || fail "moat $what: status $got, not $wanted"
}

# has PATTERN: standard output has a line that matches.
has() {
    cases=$((cases + 1))
    grep -q -e "$1" "$work/out" || fail "moat $what: no '$1' on stdout"
}

hasnt() {
    cases=$((cases + 1))
    ! grep -q -e "$1" "$work/out" || fail "moat $what: '$1' on stdout"
}

# says PATTERN: standard error has a line that matches.
says() {
    cases=$((cases + 1))
    grep -q -e "$1" "$work/err" || fail "moat $what: no '$1' on stderr"
}

# script TEXT: writes $work/script.lua.
script() {
    printf '%s\n' "$1" >"$work/script.lua"
}

finish() {
    echo "$cases checks, $failures failed"
    [ "$failures" = 0 ] && [ "$cases" -gt 0 ]
}
