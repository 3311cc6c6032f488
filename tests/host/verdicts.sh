#!/bin/sh
#
# verdicts.sh: the verdict on each kind of script.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

run() {
    expect "$1" run --cpu 300ms --module "buggy=$BUGGY" "$work/script.lua"
}

script 'print("hello", 1, nil)'
run 0
has '^| hello	1	nil$'
has 'script.lua: ok ('
script 'error("no luck")'
run 1
has 'script.lua: error ('
has 'script.lua:1: no luck'
has 'stack traceback:'
script 'error(setmetatable({}, {__tostring = function() return "made up" end}))'
run 1
has 'made up'
script 'error({})'
run 1
has '(error object is a table value)'
script 'x ='
run 1
has 'script.lua: load error ('
hasnt 'stack traceback'
script 'local s = "x" while true do s = s .. s end'
run 1
has 'script.lua: memory limit ('
has '^    not enough memory'
script 'coroutine.wrap(function() local s = "x" while true do s = s .. s end end)()'
run 1
has 'script.lua: memory limit ('
script 'while true do pcall(error) end'
run 1
has 'script.lua: time limit ('
has 'lua .*script.lua:1 in main chunk'
script 'local function f(s) return (s:gsub(".", f)) end f("x")'
run 1
has 'script.lua: stack overflow ('
has "coroutine '.*script.lua' trapped: stack overflow"
has '^      access   write to 0x.* (the guard of its stack)'
script 'require("buggy").null_write()'
run 1
has 'script.lua: null pointer access ('

# Errors that a script catches itself are not reported.
script 'local ok, why = pcall(string.rep, "x", 1 << 30) assert(not ok) print(why)'
run 0
has 'not enough memory'
# Finalizers run when a script ends well, under the same limits.
script 'setmetatable({}, {__gc = function() print("last words") end})'
run 0
has '^| last words$'
script 'setmetatable({}, {__gc = function() while true do end end})'
run 1
has 'script.lua: time limit ('
# A first line with #! and a byte-order mark are not Lua; lines still count.
printf '\357\273\277#!/usr/bin/moat\nerror("here")\n' >"$work/script.lua"
run 1
has 'script.lua:2: here'
: >"$work/script.lua"
run 0

# After a trap, the backtrace contains the Lua frames, those of running Lua
# coroutines included, between the C frames that ran them.
expect 1 run --module "buggy=$BUGGY" "$scripts/trap_in_coroutine.lua"
has "lua .*trap_in_coroutine.lua:5 in function"
has "lua .*trap_in_coroutine.lua:9 in function"
has "lua .*trap_in_coroutine.lua:11 in main chunk"
has "#0 .*null_write"
has "\[coroutine '.*trap_in_coroutine.lua'\]"
# in_order PATTERN...: the output has lines that match, in this order.
in_order() {
    cases=$((cases + 1))
    before=0
    for pattern; do
        lines=$(tail -n "+$((before + 1))" "$work/out" |
            grep -n -m 1 -e "$pattern" | cut -d: -f1)
        [ -n "$lines" ] || fail "'$pattern' does not follow"
        before=$((before + ${lines:-0}))
    done
}
if [ "$NAMES" = 1 ]; then
    in_order null_write 'luaV_execute' 'lua:5 in' auxwrap 'lua:9 in' \
        luaB_coresume 'lua:11 in' guest_main "\[coroutine '"
fi
# A deep recursion, in a metamethod, in a function that C called back: both ends
# of it are shown, and all other frames.
expect 1 run --module "buggy=$BUGGY" "$scripts/deep.lua"
in_order null_write "lua:7 in upvalue 'down'" "lua:9 in upvalue 'down'" \
    'frames left out' 'lua:21 in main chunk' "\[coroutine '"
hasnt 'missing'
if [ "$NAMES" = 1 ]; then
    in_order null_write luaV_execute 'lua:7 in' 'frames left out' str_gsub \
        "lua:17 in local 'outermost'" 'lua:21 in main chunk' lua_callk
fi
# If the Lua state cannot be read, only its frames are missing.
script 'require("ruin")()'
expect 1 run --module "ruin=$RUIN" "$work/script.lua"
has 'script.lua: null pointer access ('
has '(frames of the script are missing: invalid memory access)'
has "\[coroutine '.*script.lua'\]"
has 'script_step'

# Output beyond the limit is dropped and counted.
script 'for i = 1, 10000 do io.write("0123456789") end'
expect 0 run --output 4K "$work/script.lua"
has '(95904 more bytes of output were dropped'
finish
