#!/usr/bin/env bash
#
# runner.sh: tests the runner: planted cases must hold or fail as expected.
#
#   runner.sh CORPUS FOLDER    the program; where the planted cases are
#
# SPDX-License-Identifier: MIT
set -euo pipefail
corpus=$1
planted=$2
failures=0

complain() {
    echo "$1"
    echo "$output"
    failures=$((failures + 1))
}

# expect STATUS TEXT ARGUMENT...: the runner must exit with STATUS and print a
# line that matches TEXT, an extended regular expression.
expect() {
    local status=0
    output=$("$corpus" "${@:3}" 2>&1) || status=$?
    [ "$status" -eq "$1" ] || complain "status $status, not $1: ${*:3}"
    grep -qE -- "$2" <<<"$output" || complain "no '$2': ${*:3}"
}

expect 0 '^null .* wild/null +wild/null +20 .* holds$' \
    --repetitions 20 --phases 4 "$planted/null.so:wild/null"
expect 0 '^null .* any +wild/null ' --repetitions 2 "$planted/null.so"
expect 1 'wild/null +3 .*FAILS: wrong verdict' "$planted/null.so:abort"
expect 1 'deadline +3 .*FAILS: wrong verdict' \
    --deadline 20 --repetitions 20 "$planted/loops.so:abort"
expect 0 'deadline +20 +2 +1 .*holds$' \
    --deadline 50 --repetitions 20 "$planted/loops.so:deadline"
expect 0 '^throws .* exception +exception +64 .* holds$' \
    --repetitions 64 --phases 8 "$planted/throws.so:exception"
expect 0 '^leaves .* wild/null +400 .* 1 +[0-9.-]+%  holds$' \
    --repetitions 400 --phases 8 "$planted/leaves.so:null"
expect 0 '^late .* abort +abort +80 .* holds$' \
    --repetitions 40 --phases 4 "$planted/late.so:abort"
expect 1 'abort +abort +160 .*FAILS: memory grows' \
    --repetitions 40 --phases 4 "$planted/leaks.so:abort"
expect 1 'FAILS: host dies by signal 9: running' "$planted/dies.so"
expect 1 'FAILS: hangs: fflush in another thread' \
    --hang 5 --deadline 20 "$planted/hangs.so:abort"
# If one case fails, the whole run fails, but the others are still run.
expect 1 '2 cases, 1 hold, 1 fail; .* host alive$' --repetitions 3 \
    "$planted/dies.so" "$planted/null.so"
expect 1 'FAILS: does not load' "$planted/there-is-none.so"
expect 1 'FAILS: cannot be started' "$planted/there-is-none"

expect 0 '^usage: corpus ' --help
expect 2 'no case' --repetitions 5
expect 2 'no such class' "$planted/null.so:unheard-of"
expect 2 "'0' is out of range" --repetitions 0 "$planted/null.so"
expect 2 "'5x' is out of range" --stack 5x "$planted/null.so"
expect 2 'unrecognized option' --unheard-of "$planted/null.so"

[ "$failures" -eq 0 ]
