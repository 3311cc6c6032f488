#!/bin/sh
#
# interrupt.sh: SIGINT and SIGTERM end the command at once, with a summary, while
# scripts run that never end by themselves.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

script 'while true do end'

# A shell starts background jobs with SIGINT ignored; env undoes that.
# The first file's verdict is on stdout before the signal is sent.
interrupt() {
    signal=$1
    wanted=$2
    what="interrupted by $signal"
    : >"$work/err"
    : >"$work/out"
    env --default-signal "$MOAT" run --cpu 0 --wall 0 "$scripts/fine.lua" \
        "$work/script.lua" "$scripts/fine.lua" >"$work/out" 2>"$work/err" &
    process=$!
    tries=0
    until grep -q 'fine.lua: ok' "$work/out" || [ "$tries" = 600 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -s "$signal" "$process"
    got=0
    wait "$process" || got=$?
    cases=$((cases + 1))
    [ "$got" = "$wanted" ] || fail "$what: status $got, not $wanted"
    has 'script.lua: interrupted'
    has '^3 scripts: 1 ok, 2 interrupted; host alive$'
}

interrupt INT 130
interrupt TERM 143
finish
