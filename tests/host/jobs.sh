#!/bin/sh
#
# jobs.sh: many scripts on several threads, with traps on all of them. The
# output is in the order of the files.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

files=
for i in $(seq 100 199); do
    case $((i % 4)) in
    0) text="print('script $i')" ;;
    1) text='local function f(s) return (s:gsub(".", f)) end f("x")' ;;
    2) text="require('buggy').null_write()" ;;
    3) text="local t = {} for i = 1, 20000 do t[i] = {i} end print('script $i')" ;;
    esac
    echo "$text" >"$work/$i.lua"
    files="$files $work/$i.lua"
done

for jobs in 1 4; do
    # shellcheck disable=SC2086 # the names have no blanks
    expect 1 run --jobs "$jobs" --module "buggy=$BUGGY" $files
    has '^100 scripts: .*; host alive$'
    cases=$((cases + 1))
    [ "$(grep -c '^/.*lua: ok (' "$work/out")" = 50 ] || fail 'fifty are ok'
    [ "$(grep -c '^/.*lua: stack overflow (' "$work/out")" = 25 ] ||
        fail 'twenty-five overflow'
    [ "$(grep -c '^/.*lua: null pointer access (' "$work/out")" = 25 ] ||
        fail 'twenty-five fault'
    sed -n 's/^\(\/.*\.lua\): .* (time .*/\1/p' "$work/out" >"$work/order"
    # shellcheck disable=SC2086
    printf '%s\n' $files >"$work/wanted"
    cmp -s "$work/order" "$work/wanted" || fail 'not in the order of the files'
done
finish
