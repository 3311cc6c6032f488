#!/bin/sh
#
# sandbox.sh: scripts have no functions that lead out of the sandbox.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

expect 0 run "$scripts/sandbox.lua"
has 'the sandbox holds$'
expect 0 run --module "buggy=$BUGGY" "$scripts/require.lua"
has 'require holds$'
mkdir "$work/data"
printf 'one\ntwo 22\nthree' >"$work/data/text"
: >"$work/data/empty"
mkfifo "$work/data/fifo"
echo secret >"$work/secret"
ln -s ../secret "$work/data/link"
expect 0 run --read "$work/data" "$scripts/files.lua"
has 'files hold$'
# Without --read there are no files at all.
script 'assert(io.open == nil and io.lines == nil)'
expect 0 run "$work/script.lua"

# No script can know another one's random numbers, or the order in which tables
# have their keys there, from its own: all of them run in the same memory.
script 'local t, order = {}, {}
for i = 1, 16 do t["key" .. i] = i end
for key in pairs(t) do order[#order + 1] = key end
print("first", math.random(0))
math.randomseed()
print("again", math.random(0))
print("order", table.concat(order, " "))
print("seeds", math.randomseed(42, 7))
print("fixed", math.random(0))
assert(not pcall(math.randomseed, {}))'
set --
for i in $(seq 20); do set -- "$@" "$work/script.lua"; done
expect 0 run "$@"
# different COUNT WORD: so many different lines with the word.
different() {
    cases=$((cases + 1))
    found=$(grep "| $2" "$work/out" | sort -u | wc -l)
    [ "$found" -ge "$1" ] || fail "moat $what: only $found different '$2'"
}
different 20 first
different 20 again
different 10 order
cases=$((cases + 1))
[ "$(grep "| fixed" "$work/out" | sort -u | wc -l)" = 1 ] ||
    fail 'a seed has one sequence'

# Nor how much CPU time those before it have used on its thread.
script 'while os.clock() < 0.3 do end'
printf 'assert(os.clock() < 0.3)' >"$work/after.lua"
expect 0 run "$work/script.lua" "$work/after.lua"
finish
