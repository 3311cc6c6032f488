#!/bin/sh
# gdb-step.sh: the check of step.c with gdb instead of libunwind: at every
# instruction of a scene, the chain contains the scene's function and main.
#
# Usage: gdb-step.sh PROGRAM SCENE FUNCTION
#
# SPDX-License-Identifier: MIT
set -eu

# shellcheck source=../support/gdb.sh
. "${0%/*}/../support/gdb.sh"
needs_gdb run
export SCENE_FUNCTION="$3"
exec gdb -nx -batch -ex 'set debuginfod enabled off' \
    -x "$(dirname "$0")/gdb_step.py" --args "$1" "$2" --alone
