#!/usr/bin/env bash
#
# install.sh: builds, installs and uses moat in each way that the README and
# docs/building.md show, with their commands and the README's program.
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
# The generator that is certainly installed: it built this tree.
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
    "$here/block.sh" "$source/${2:-README.md}" "$1"
}

# Runs the program and compares its output with the README's.
check() {
    echo "$1"
    "$2" >"$scratch/output"
    "$here/match.sh" "$source/README.md" "output of hello" "$scratch/output"
}

# Fails unless the program is linked with the library of the given kind.
needs_moat() {
    readelf -d "$1" >"$scratch/dynamic"
    kind=static
    ! grep -q 'NEEDED.*libmoat' "$scratch/dynamic" || kind=shared
    [ "$kind" = "$2" ] || {
        echo "$1 has moat from the $kind library"
        exit 1
    }
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
for kind in shared static; do
    sed "s/moat::moat/&_$kind/" ../find_package/CMakeLists.txt >"$scratch/list"
    mkdir "$scratch/$kind"
    cp "$scratch/list" "$scratch/$kind/CMakeLists.txt"
    cp hello.c "$scratch/$kind"
    quietly "$cmake" -S "$scratch/$kind" -B "$scratch/$kind/build" \
        -D CMAKE_PREFIX_PATH="$prefix"
    quietly "$cmake" --build "$scratch/$kind/build"
    check "find_package, moat_$kind" "$scratch/$kind/build/hello"
    needs_moat "$scratch/$kind/build/hello" "$kind"
done

cd "$scratch/pkg-config"
mkdir bin
ln -s "$(command -v "$CC")" bin/cc
PATH=$PWD/bin:$PATH PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig \
    quietly sh -euc "$(shown pkg-config)"
LD_LIBRARY_PATH=$prefix/$libdir check pkg-config ./hello
needs_moat hello shared
check 'pkg-config, libmoat.a' ./hello_a
needs_moat hello_a static
check 'pkg-config, wholly static' ./hello_static
! readelf -l hello_static | grep -q INTERP || {
    echo 'hello_static is not static'
    exit 1
}

# The source tree without its builds, and a home of its own.
mkdir -p "$scratch/library/tree"
cd "$scratch/library/tree"
find "$source" -mindepth 1 -maxdepth 1 ! -name build ! -name '.*' \
    -exec ln -s '{}' . ';'
ln -s "$cmake" "$scratch/pkg-config/bin/cmake"
cp "$source/README.md" "$scratch/README.before"
HOME=$scratch/library PATH=$scratch/pkg-config/bin:$PATH \
    quietly sh -euc "$(shown 'library only')"
cmp "$source/README.md" "$scratch/README.before" || {
    echo 'to install from a tree of symbolic links changes the source'
    exit 1
}
cd "$scratch/pkg-config"
rm hello hello_a hello_static
home=$scratch/library/moat
PATH=$PWD/bin:$PATH PKG_CONFIG_PATH=$home/lib/pkgconfig \
    quietly sh -euc "$(shown pkg-config)"
LD_LIBRARY_PATH=$home/lib check 'library only' ./hello

cd "$scratch/add_subdirectory"
ln -s "$source" moat
shown add_subdirectory docs/building.md >CMakeLists.txt
quietly "$cmake" -S . -B build
quietly "$cmake" --build build --target hello
check add_subdirectory build/hello
