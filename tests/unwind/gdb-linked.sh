#!/bin/sh
# gdb-linked.sh: gdb's backtrace of a fault three coroutines deep.
#
# Usage: gdb-linked.sh PROGRAM [FRAME]    FRAME: an extra frame at each border
#
# Without FRAME the resume is inline. With debug information gdb still shows a
# frame for it, which the comparison ignores.
#
# SPDX-License-Identifier: MIT
set -eu

program=$1
extra=${2:-}
# shellcheck source=../support/gdb.sh
. "${0%/*}/../support/gdb.sh"
needs_gdb run
out=$(gdb -nx -batch -ex 'set debuginfod enabled off' \
    -ex 'set confirm off' -ex 'handle SIGSEGV stop print' \
    -ex run -ex bt --args "$program" trap 2>&1) || true
names=$(printf '%s\n' "$out" |
    sed -nE 's/^#[0-9]+ +(0x[0-9a-f]+ in )?(<signal handler called>|[A-Za-z_0-9]+).*/\2/p' |
    if [ -n "$extra" ]; then cat; else grep -Ev '^moat_(co|switch)_resume$'; fi |
    tr '\n' ' ')
root='<signal handler called>'
expected="inner_bottom inner_call inner_entry $root ${extra:+$extra }middle_bottom middle_call middle_entry $root ${extra:+$extra }outer_call outer_entry $root ${extra:+$extra }host_call main "
if [ "$names" != "$expected" ]; then
    printf 'expected: %s\nfound:    %s\n%s\n' "$expected" "$names" "$out"
    exit 1
fi
echo "gdb: $names"
