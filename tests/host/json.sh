#!/bin/sh
#
# json.sh: every line of --json is one object with the promised members.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

check() {
    cases=$((cases + 1))
    "$CMAKE" -D "FILE=$work/out" -P "$(dirname "$0")/check_json.cmake" \
        >"$work/err" 2>&1 || fail "moat $what"
}

script 'print("bytes: \0 \200 \xff \xed\xa0\x80 \xe2\x82\xac \" \\ \n end")
error("\xff\xfe not UTF-8")'
expect 1 run --json "$work/script.lua"
check
expect 1 run --json --jobs 2 --cpu 300ms --module "buggy=$BUGGY" \
    "$scripts/fine.lua" "$scripts/trap_in_coroutine.lua" "$scripts/broken.lua" \
    "$scripts/overflow.lua" "$scripts/endless.lua"
check
cases=$((cases + 1))
[ "$(wc -l <"$work/out")" = 5 ] || fail 'five scripts, five lines'
has '"verdict":"ok"'
has '"verdict":"null pointer access"'
has '"verdict":"load error"'
has '"verdict":"stack overflow"'
has '"verdict":"time limit"'
has '"lua_frames":\[{"source":"[^"]*trap_in_coroutine.lua","line":5'
has '"script":\[{"number":0,"language":"lua",'
has '"lua_frames_cut":false'
script 'require("ruin")()'
expect 1 run --json --module "ruin=$RUIN" "$work/script.lua"
check
has '"script_error":"invalid memory access"'
has '"lua_frames":\[\],"lua_frames_cut":true'
expect 1 run --json --module "buggy=$BUGGY" "$scripts/deep.lua"
has '"function":"metamethod .index.","c_frame":'
has '"function":"main chunk","c_frame":'
has '"lua_frames_cut":true'
script 'local s = "x" while true do s = s .. s end'
expect 1 run --json "$work/script.lua" "$scripts/fine.lua"
has '"message":"not enough memory'
hasnt '"trap"' # nor any of its companions
hasnt '"lua_frames'
# What nobody asked for is not measured.
expect 0 run --json "$scripts/fine.lua"
check
has '"stack_used_bytes":null,'
expect 0 run --json --stack-use "$scripts/fine.lua"
check
has '"stack_used_bytes":[1-9]'
expect 0 doctor --json
check
has '"ok":true'
finish
