#!/bin/sh
# gdb-step.sh: what step.c asks of libunwind, asked of gdb: at every instruction
# of a scene, a chain that holds the scene's function and main.
#
# Usage: gdb-step.sh PROGRAM SCENE FUNCTION
#
# SPDX-License-Identifier: MIT
set -eu

if ! command -v gdb >/dev/null || ! gdb -nx -batch -ex 'python print(1)' \
    >/dev/null 2>&1; then
    echo "skipped: gdb with python is not installed"
    exit 77
fi
export SCENE_FUNCTION="$3"
exec gdb -nx -batch -ex 'set debuginfod enabled off' \
    -x "$(dirname "$0")/gdb_step.py" --args "$1" "$2" --alone
