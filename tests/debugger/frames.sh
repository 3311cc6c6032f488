#!/usr/bin/env bash
#
# frames.sh: do gdb and moat_co_backtrace see the same frames, of the same
# moment: gdb in the core of one guest, the other in the process that wrote it?
#
#   frames.sh PROGRAM...
#
# SPDX-License-Identifier: MIT
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

gdb -nx -batch -ex 'python print("there")' 2>/dev/null </dev/null |
    grep '^there' >/dev/null || { echo 'skipped: no gdb with Python'; exit 77; }

cat >frames.py <<'END'
import gdb
frame = gdb.newest_frame()
while frame is not None:
    if frame.type() != gdb.INLINE_FRAME:
        print("frame %#x" % frame.pc())
    frame = frame.older()
END

# gdb has a frame at 0 where the function that resumed is gone.
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
    esac
}

for program in "$@"; do
    for scene in nested overflow nowhere returned slow far; do
        echo "$program $scene"
        rm -f guest.core
        "$program" "$scene" frames >expected
        [ "$(wc -l <expected)" -ge 3 ]
        in_gdb "$program" "$scene"
        diff -u expected found
    done
done
