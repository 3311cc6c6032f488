#!/bin/sh
#
# restart.sh: scripts that are started again: which, when, how often, and what
# becomes of the others.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

fine=$scripts/fine.lua
overflow=$scripts/overflow.lua

expect 2 run --restart sometimes "$fine"
says "--restart: 'sometimes' is none of never, on-failure, always$"
expect 2 run --restart always --restart-fail shut "$fine"
says "--restart-fail: 'shut' is none of open, closed$"
expect 2 run --restart always --restart-max 0 "$fine"
says "--restart-max: '0' is too small: at least 1"
expect 2 run --restart always --restart-period 0 "$fine"
says "--restart-period: '0' is too small: at least 1ms"
expect 2 run --restart always --restart-delay 2s --restart-delay-max 1s "$fine"
says '^moat: run: --restart-delay: it is longer than --restart-delay-max$'
for option in '--restart-max 3' '--restart-period 1s' '--restart-delay 1s' \
    '--restart-delay-max 1s' '--restart-fail open'; do
    # shellcheck disable=SC2086 # an option and its value
    expect 2 run $option "$fine"
    says "^moat: run: ${option% *}: needs --restart on-failure or always$"
done

# Without it, nothing is shown of it.
expect 1 run --restart never "$overflow"
hasnt ', run '

# One that succeeds is not started again, one that fails is, with ever longer
# delays; then it stays down, and the others go on.
expect 1 run --restart on-failure --restart-max 3 --restart-period 60s \
    --restart-delay 1ms --restart-delay-max 3ms "$overflow" "$fine"
has 'fine.lua: ok (.*, run 1)$'
has 'overflow.lua: stack overflow (.*, run 1, next in 1.0 ms)$'
has 'overflow.lua: stack overflow (.*, run 2, next in 2.0 ms)$'
has 'overflow.lua: stack overflow (.*, run 3, next in 3.0 ms)$'
has 'overflow.lua: stack overflow (.*, run 4, too many restarts)$'
has '^2 scripts: 1 ok, 1 stack overflow; 3 restarts; host alive$'

# One that fails at first, as a file shows that it has run before.
mkdir "$work/below"
echo 'local file = io.open("twice") if not file then error("at first") end
print("at last")' >"$work/retry.lua"
(sleep 0.5 && : >"$work/below/twice") &
expect 0 run --read "$work/below" --restart on-failure --restart-max 1000 \
    --restart-delay 20ms --restart-delay-max 50ms "$work/retry.lua"
has 'retry.lua: error (.*, run 1, next in 20.0 ms)$'
has '^| at last$'
wait

# What has succeeded, too.
expect 1 run --quiet --restart always --restart-max 2 --restart-delay 0 "$fine"
has 'fine.lua: ok (.*, run 2, next in 0 ns)$'
has 'fine.lua: ok (.*, run 3, too many restarts)$'

# Fail closed: all end with it.
script 'while true do end'
expect 1 run --jobs 2 --cpu 0 --wall 0 --restart on-failure --restart-max 1 \
    --restart-delay 0 --restart-fail closed "$work/script.lua" "$overflow"
has 'overflow.lua: stack overflow (.*, run 2, too many restarts)$'
has 'script.lua: interrupted ('
has '^2 scripts: 1 stack overflow, 1 interrupted; 1 restart; host alive$'

# A delay keeps neither the thread nor its other scripts waiting.
expect 1 run --restart on-failure --restart-max 1 --restart-delay 300ms \
    "$overflow" "$fine" "$fine"
cases=$((cases + 1))
[ "$(sed -n 's/^.*\(overflow\|fine\)\.lua: .*/\1/p' "$work/out" | tr '\n' ' ')" = \
    'overflow fine fine overflow ' ] || fail 'the others wait'

# With slices, beside an endless one.
expect 1 run --slice 200us --cpu 300ms --restart on-failure --restart-max 1 \
    --restart-delay 1ms "$scripts/endless.lua" "$overflow"
has '^2 scripts: 1 stack overflow, 1 time limit; 2 restarts; host alive$'

expect 1 run --json --restart on-failure --restart-max 1 --restart-delay 5ms \
    "$scripts/broken.lua"
has '"run":1,"restart_in_ns":5000000,"given_up":false'
has '"run":2,"restart_in_ns":null,"given_up":true'

# A signal ends those that wait for their next run.
env --default-signal "$MOAT" run --restart on-failure --restart-delay 600s \
    --restart-delay-max 600s "$overflow" >"$work/out" 2>"$work/err" &
process=$!
tries=0
until grep -q 'next in 600' "$work/out" || [ "$tries" = 600 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill -s TERM "$process"
got=0
wait "$process" || got=$?
what='interrupted before a restart'
cases=$((cases + 1))
[ "$got" = 143 ] || fail "$what: status $got, not 143"
has 'overflow.lua: interrupted ('
finish
