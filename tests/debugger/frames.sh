#!/usr/bin/env bash
#
# frames.sh: checks that gdb, in the core of one guest, finds the same frames as
# moat_co_backtrace in the process that wrote the core.
#
#   frames.sh PROGRAM...
#
# SPDX-License-Identifier: MIT
set -euo pipefail

# shellcheck source=../support/gdb.sh
. "${0%/*}/../support/gdb.sh"
needs_gdb
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cat >frames.py <<'END'
import gdb
frame = gdb.newest_frame()
while frame is not None:
    if frame.type() != gdb.INLINE_FRAME:
        print("frame %#x" % frame.pc())
    frame = frame.older()
END

# gdb shows a frame at 0 if the function that resumed has returned.
in_gdb() {
    timeout 240 gdb -nx -batch -ex 'set debuginfod enabled off' \
        -ex 'set backtrace past-main on' -ex 'set backtrace past-entry on' \
        -x frames.py "$1" guest.core 2>/dev/null </dev/null |
        sed -n 's/^frame //p' >found
    case $2 in
    returned)
        [ "$(tail -n 1 found)" = 0x0 ]
        sed -i '$d' found
        ;;
    called) # the frames of the host call are not in the core
        [ "$(wc -l <found)" -ge 4 ]
        tail -n "$(wc -l <found)" expected >guests
        mv guests expected
        ;;
    esac
}

for program in "$@"; do
    for scene in nested overflow nowhere returned slow far called; do
        echo "$program $scene"
        rm -f guest.core
        "$program" "$scene" frames >expected
        [ "$(wc -l <expected)" -ge 3 ]
        in_gdb "$program" "$scene"
        diff -u expected found
    done
done
