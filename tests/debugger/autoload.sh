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

# Fails unless gdb, started with these options, lists the scene's coroutine.
lists() {
    echo "$1"
    gdb -nx -batch -iex 'set debuginfod enabled off' "${@:2}" \
        </dev/null >"$scratch/output" 2>&1 || true
    grep -q "^#1  caller  running" "$scratch/output" || {
        cat "$scratch/output"
        exit 1
    }
}

lists 'build tree' -iex "add-auto-load-safe-path $build" \
    -ex run -ex 'info coroutines' --args "$shared" call

prefix=$scratch/prefix
"$cmake" --install "$build" --prefix "$prefix" >"$scratch/log"
lists 'installed' -iex "add-auto-load-scripts-directory \
$prefix/share/gdb/auto-load" -iex "add-auto-load-safe-path $prefix" \
    -ex "set environment LD_LIBRARY_PATH $prefix/$libdir" \
    -ex run -ex 'info coroutines' --args "$shared" call
lists 'installed, sourced' \
    -ex "source $prefix/share/moat/debugger/moat_gdb.py" \
    -ex run -ex 'info coroutines' --args "$static" call
