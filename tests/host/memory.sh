#!/bin/sh
#
# memory.sh: the memory of a script: its quota, exact to the page, bombs, and
# what is left for the script after it.
#
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/expect.sh"

# peak: prints the member memory_peak_bytes of the last run.
peak() {
    sed -n 's/.*"memory_peak_bytes":\([0-9]*\).*/\1/p' "$work/out"
}

# is VALUE WORD VALUE: compares as test(1) does.
is() {
    cases=$((cases + 1))
    [ "$@" ] || fail "moat $what: not $*"
}

# A table of strings takes the quota up to its last page.
fill='local t = {} while true do t[#t + 1] = ("x"):rep(4000) .. #t end'
for quota in 131072 131073 135168 1000000 1048576 8388608; do
    script "$fill"
    expect 1 run --json --memory "$quota" "$work/script.lua"
    has '"verdict":"memory limit"'
    has '"message":"not enough memory"'
    is "$(peak)" -eq $(((quota + 4095) / 4096 * 4096))
done

# What a script used is enough for it.
script 'local s = ("x"):rep(1 << 20) print(#s)'
expect 0 run --json "$work/script.lua"
enough=$(peak)
expect 0 run --json --memory "$enough" "$work/script.lua"
is "$(peak)" -eq "$enough"

# A bomb of each kind ends by the limit, and the script after it gets it all.
printf '%s' "$fill" >"$work/strings.lua"
echo 'local s = "x" while true do s = s .. s end' >"$work/doubles.lua"
echo 'local t = {} while true do t = {t, {}} end' >"$work/tables.lua"
echo 'local t = {} for i = 1, math.huge do t[i] = coroutine.create(print) end' \
    >"$work/threads.lua"
echo 'local t = {} while true do t[#t + 1] = function() return t end end' \
    >"$work/closures.lua"
echo 'local ok, why = pcall(string.rep, "x", 1 << 40) error(why, 0)' \
    >"$work/huge.lua"
# (rep builds the string in a buffer and copies it.)
echo 'print(#("x"):rep(3 << 19))' >"$work/well.lua"
set --
for name in strings doubles tables threads closures huge; do
    set -- "$@" "$work/$name.lua" "$work/well.lua"
done
expect 1 run --memory 4M --jobs 1 "$@"
for name in strings doubles tables threads closures; do
    has "$name.lua: memory limit (time .*, memory [34][^,]*)"
done
# This one catches its error and raises another.
has 'huge.lua: error ('
cases=$((cases + 1))
[ "$(grep -c 'well.lua: ok (' "$work/out")" = 6 ] ||
    fail 'a script after a bomb has less memory'

# A catcher goes on with less, however often.
script 'for i = 1, 1000 do
    assert(not pcall(string.rep, "x", 1 << 30))
end
collectgarbage()
print(#("x"):rep(1 << 20))'
expect 0 run --memory 3M "$work/script.lua"
finish
