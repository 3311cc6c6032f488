#!/usr/bin/env bash
#
# reproducible.sh: the same sources in another folder, built in another folder,
# produce the same bytes.
#
#   reproducible.sh CMAKE MOAT_SOURCE CC CXX
#
# SPDX-License-Identifier: MIT
set -euo pipefail

cmake=$1
source=$2
cc=$3
cxx=$4

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

build() {
    local from=$1 to=$2
    {
        "$cmake" -S "$from" -B "$to" -D CMAKE_BUILD_TYPE=RelWithDebInfo \
            -D CMAKE_C_COMPILER="$cc" -D CMAKE_CXX_COMPILER="$cxx" \
            -D MOAT_BUILD_HOST=OFF -D MOAT_BUILD_TESTS=OFF \
            -D MOAT_BUILD_EXAMPLES=OFF -D MOAT_BUILD_BENCH=OFF &&
            "$cmake" --build "$to"
    } >"$scratch/log" 2>&1 || {
        cat "$scratch/log"
        exit 1
    }
}

mkdir "$scratch/copy"
for part in CMakeLists.txt LICENSE arch cmake debugger docs engine heap include \
    malloc publish registry report sigsegv stack sys tools trace trap unwind; do
    cp -r "$source/$part" "$scratch/copy/"
done

build "$source" "$scratch/one"
build "$scratch/copy" "$scratch/another/place"
for library in libmoat.a libmoat.so; do
    cmp "$scratch/one/$library" "$scratch/another/place/$library"
    sha256sum <"$scratch/one/$library"
done
