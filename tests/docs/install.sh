#!/usr/bin/env bash
#
# install.sh: the three ways to use moat that the README shows, as they stand
# there, with the README's program.
#
#   install.sh SOURCE BUILD CMAKE CC CXX LIBDIR
#
# SPDX-License-Identifier: MIT
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=$1
build=$2
cmake=$3
libdir=$6
export CC=$4 CXX=$5
# The one that is certainly there: it has built what is tested here.
export CMAKE_GENERATOR=Ninja
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

quietly() {
    "$@" >"$scratch/log" 2>&1 || {
        echo "failed: $*"
        cat "$scratch/log"
        exit 1
    }
}

shown() {
    "$here/block.sh" "$source/README.md" "$1"
}

# Runs the program that was built; its output is the one that the README shows.
check() {
    echo "$1"
    "$2" >"$scratch/output"
    "$here/match.sh" "$source/README.md" "output of hello" "$scratch/output"
}

prefix=$scratch/prefix
quietly "$cmake" --install "$build" --prefix "$prefix"
for way in find_package pkg-config add_subdirectory; do
    mkdir "$scratch/$way"
    shown hello.c >"$scratch/$way/hello.c"
done

cd "$scratch/find_package"
shown find_package >CMakeLists.txt
quietly "$cmake" -S . -B build -D CMAKE_PREFIX_PATH="$prefix"
quietly "$cmake" --build build
check find_package build/hello

cd "$scratch/pkg-config"
mkdir bin
ln -s "$(command -v "$CC")" bin/cc
PATH=$PWD/bin:$PATH PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig \
    quietly sh -euc "$(shown pkg-config)"
LD_LIBRARY_PATH=$prefix/$libdir check pkg-config ./hello

cd "$scratch/add_subdirectory"
ln -s "$source" moat
shown add_subdirectory >CMakeLists.txt
quietly "$cmake" -S . -B build
quietly "$cmake" --build build
check add_subdirectory build/hello
