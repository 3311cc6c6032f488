#!/bin/sh
#
# interrupt.sh: SIGINT and SIGTERM end the command at once, with a summary, even
# if a script never ends by itself; and without one, if the reader of the output
# has stopped.
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

# The pipe is full, and stays so: nothing is read from it.
script 'for i = 1, 20000 do print(i, "a line of some length") end'
mkfifo "$work/pipe"
stall() {
    signal=$1
    wanted=$2
    shift 2
    what="interrupted by $signal before a reader that has stopped"
    exec 3<>"$work/pipe"
    env --default-signal "$MOAT" run "$@" >"$work/pipe" 2>"$work/err" 3<&- &
    process=$!
    sleep 0.5 # or the signal comes before the pipe is full, with the same end
    kill -s "$signal" "$process"
    got=0
    wait "$process" || got=$?
    exec 3<&-
    cases=$((cases + 1))
    [ "$got" = "$wanted" ] || fail "$what: status $got, not $wanted"
}

stall INT 130 "$work/script.lua"
stall TERM 143 --raw "$work/script.lua"
stall TERM 143 "$work/script.lua" "$scripts/fine.lua"
finish
