#!/usr/bin/env bash
#
# autoload.sh: gdb loads moat's commands automatically with libmoat.so, from the
# build tree and from an installed tree, and the installed files are complete.
#
#   autoload.sh CMAKE BUILD LIBDIR SHARED STATIC
#
# SHARED and STATIC: the program scenes, linked with libmoat.so and libmoat.a.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

cmake=$1
build=$2
libdir=$3
shared=$4
static=$5
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# shellcheck source=../support/gdb.sh
. "${0%/*}/../support/gdb.sh"
needs_gdb run

# Fails unless gdb, started with these options, prints a line of this form.
prints() {
    echo "$1"
    gdb -nx -batch -iex 'set debuginfod enabled off' "${@:3}" \
        </dev/null >"$scratch/output" 2>&1 || true
    grep -q "$2" "$scratch/output" || {
        cat "$scratch/output"
        exit 1
    }
}

# Fails unless it lists the scene's coroutine.
lists() {
    prints "$1" "^#1  caller  running" "${@:2}"
}

lists 'build tree' -iex "add-auto-load-safe-path $build" \
    -ex run -ex 'info coroutines' --args "$shared" call

# The library is loaded while the command "run" waits for the breakpoint.
prints 'a breakpoint' "^#0  main (" -iex "add-auto-load-safe-path $build" \
    -ex 'break main' -ex run -ex bt --args "$shared" call
# gdb ends backtraces at main; those of coroutines do not begin there.
prints 'in main' "^#2  waiting  suspended .* wait_for ()" \
    -iex "add-auto-load-safe-path $build" \
    -ex 'handle SIGQUIT nostop noprint nopass' \
    -ex 'handle SIGSEGV nostop noprint pass' \
    -ex 'break scene_states' -ex run -ex finish -ex 'info coroutines' \
    --args "$shared" states

prefix=$scratch/prefix
"$cmake" --install "$build" --prefix "$prefix" >"$scratch/log"
lists 'installed' -iex "add-auto-load-scripts-directory \
$prefix/share/gdb/auto-load" -iex "add-auto-load-safe-path $prefix" \
    -ex "set environment LD_LIBRARY_PATH $prefix/$libdir" \
    -ex run -ex 'info coroutines' --args "$shared" call
lists 'installed, sourced' \
    -ex "source $prefix/share/moat/debugger/moat_gdb.py" \
    -ex run -ex 'info coroutines' --args "$static" call
