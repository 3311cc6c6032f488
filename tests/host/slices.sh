#!/bin/sh
#
# slices.sh: scripts that take turns: endless ones do not keep another from
# ending, and nothing that scripts compute, print or use changes.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

fine=$scripts/fine.lua
endless=$scripts/endless.lua

expect 2 run --slice 1us "$fine"
says "--slice: '1us' is too small: at least 20us (0: no slices)"
expect 2 run --slice 2s "$fine"
says "--slice: '2s' is too large: at most 1s"
expect 2 run --at-once 4 "$fine"
says '^moat: run: --at-once: needs --slice: '
expect 2 run --slice 1ms --at-once 0 "$fine"
says "--at-once: '0' is too small: at least 1"
expect 2 run --slice 1ms --module "ruin=$RUIN" "$fine"
says '^moat: run: --slice, --module: only one of the two: '

# The endless ones would need a minute before it, one after the other.
expect 0 run "$scripts/spin.lua"
sed -n 's/^| //p' "$work/out" >"$work/alone"
files=
for i in 1 2 3 4; do
    files="$files $endless"
done
# shellcheck disable=SC2086 # the names have no blanks
expect 1 run --slice 500us --cpu 300ms $files "$scripts/spin.lua" "$fine"
has 'spin.lua: ok ('
has 'fine.lua: ok ('
has '^6 scripts: 4 time limit, 2 ok; host alive$'
has 'endless.lua: time limit (.*CPU limit 300.0 ms)'
sed -n 's/^.*spin.lua| //p' "$work/out" >"$work/among"
cases=$((cases + 1))
cmp -s "$work/alone" "$work/among" || fail 'slices change what a script computes'

# Each limit is that of the script alone, over its slices.
script 'while true do end'
expect 1 run --slice 100us --cpu 0 --wall 50ms "$work/script.lua"
has 'time limit (.*wall limit 50.0 ms)'

# Fewer places than scripts, and several threads: the files' order stays.
files=
for i in $(seq 10 29); do
    echo "local n = 0 for i = 1, $i * 3000 do n = n + i % 7 end print($i)" \
        >"$work/$i.lua"
    files="$files $work/$i.lua"
done
for how in '--at-once 3' '--at-once 1' '--jobs 3' '--jobs 2 --at-once 2'; do
    # shellcheck disable=SC2086
    expect 0 run --slice 50us $how $files
    sed -n 's/^.*lua| //p' "$work/out" >"$work/order"
    cases=$((cases + 1))
    seq 10 29 | cmp -s - "$work/order" || fail "$how: not in order"
done

# More output than may wait to be written, of scripts after one that runs on.
echo 'local x = ("x"):rep(1 << 20) for i = 1, 8 do io.write(x) end' \
    >"$work/large.lua"
files="$endless"
for i in $(seq 16); do
    files="$files $work/large.lua"
done
# shellcheck disable=SC2086
expect 1 run --quiet --slice 5ms --cpu 1s --output 8M --at-once 4 $files
has '^17 scripts: 1 time limit, 16 ok; host alive$'

# Traps, errors and the memory limit among the others.
expect 1 run --slice 100us --cpu 100ms "$scripts/overflow.lua" "$fine" \
    "$scripts/broken.lua" "$endless"
has 'overflow.lua: stack overflow ('
has 'fine.lua: ok ('
has 'broken.lua: load error ('
has 'endless.lua: time limit ('

# os.clock counts a script's own time alone.
echo 'local before = os.clock() for i = 1, 300000 do end
print(os.clock() - before < 0.35)' >"$work/clock.lua"
# shellcheck disable=SC2086
expect 1 run --slice 1ms --cpu 400ms "$endless" "$endless" "$work/clock.lua"
has 'clock.lua| true'
finish
