#!/usr/bin/env bash
#
# subdirectory.sh: a project that adds moat's sources to its own build gets only
# the library: no tests, no install rules, no flags.
#
#   subdirectory.sh CMAKE MOAT_SOURCE HERE CC CXX
#
# SPDX-License-Identifier: MIT
set -euo pipefail

cmake=$1
source=$2
here=$3
cc=$4
cxx=$5

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
build=$scratch/build

{
    "$cmake" -S "$here/consumer" -B "$build" \
        -D MOAT_SOURCE="$source" -D CMAKE_C_COMPILER="$cc" \
        -D CMAKE_CXX_COMPILER="$cxx" -D CMAKE_BUILD_TYPE=Release &&
        "$cmake" --build "$build"
} >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    exit 1
}

"$build/in_default"
"$build/in_cxx"

if grep -q moat "$build/cmake_install.cmake" &&
    grep -Eq 'file\(INSTALL' "$build/moat/cmake_install.cmake"; then
    echo "moat's install rules are in this build"
    exit 1
fi
if [ -e "$build/moat/host" ] || [ -e "$build/moat/tests" ]; then
    echo "moat's command or tests are in this build"
    exit 1
fi

# docs/building.md: the other libraries, where they are asked for.
mkdir "$scratch/others"
cat >"$scratch/others/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.24)
project(others LANGUAGES C CXX ASM)
set(MOAT_BUILD_SCHED ON)
set(MOAT_WITH_MALLOC ON)
add_subdirectory("$source" moat)
foreach(target IN ITEMS moat::moat moat::moat-sched moat::moat-malloc)
  if(NOT TARGET \${target})
    message(FATAL_ERROR "there is no \${target}")
  endif()
endforeach()
END
"$cmake" -S "$scratch/others" -B "$scratch/others/build" \
    -D CMAKE_C_COMPILER="$cc" -D CMAKE_CXX_COMPILER="$cxx" \
    >"$scratch/log" 2>&1 || {
    cat "$scratch/log"
    exit 1
}
