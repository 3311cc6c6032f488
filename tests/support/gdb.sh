#!/bin/sh
#
# gdb.sh: checks whether gdb can be used on this machine. Sourced.
#
# SPDX-License-Identifier: MIT

# needs_gdb [run]: skips the test if gdb is not installed or has no Python; with
# `run`, also if gdb is not permitted to run a program.
needs_gdb() {
    gdb -nx -batch -ex 'python print("there")' 2>/dev/null </dev/null |
        grep '^there' >/dev/null || {
        echo 'skipped: gdb with Python is not installed'
        exit 77
    }
    [ "${1:-}" = run ] || return 0
    gdb -nx -batch -ex 'set debuginfod enabled off' -ex run --args true \
        2>&1 </dev/null | grep 'exited normally' >/dev/null || {
        echo 'skipped: gdb is not permitted to run a program here'
        exit 77
    }
}
