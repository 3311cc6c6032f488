#!/bin/sh
#
# sandbox.sh: nothing that leads out of the sandbox is there.
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
finish
