#!/usr/bin/env bash
#
# wrapper.sh: builds wrapper.cc with one compiler and one standard in several
# ways, against the libmoat.a of this build, and runs it.
#
#   wrapper.sh g++|clang++ 17|20 [optimized]
#
# optimized: without -O0.
#
# The environment, from CMakeLists.txt: SOURCE and BINARY (the project's
# folders), LIBRARY (libmoat.a), LINK (the libraries it needs), WORK (a folder
# of its own).
#
# SPDX-License-Identifier: MIT
set -euo pipefail

compiler=$1
standard=$2
if ! command -v "$compiler" >/dev/null; then
    echo "$compiler is not installed"
    exit 77
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
read -ra link <<<"$LINK"
common=("-std=c++$standard" -g -Wall -Wextra -Wpedantic -Wshadow -Wconversion
    -Wundef -Werror -fstack-clash-protection
    "-I$SOURCE/include" "-I$BINARY/include")
mkdir -p "$WORK"
cd "$WORK"

build() {
    echo "$compiler -std=c++$standard $*"
    "$compiler" "${common[@]}" "$@" "$here/wrapper.cc" "$LIBRARY" \
        "${link[@]}" -o wrapper
}

ways=(-O0 -O2 "-O2 -DMOAT_NO_INLINE")
[ "${3:-}" != optimized ] || unset 'ways[0]'
for way in "${ways[@]}"; do
    read -ra flags <<<"$way"
    build "${flags[@]}"
    ./wrapper
done
build -O1 -fsanitize=address
# Memory allocated by a trapped guest is lost.
ASAN_OPTIONS=detect_leaks=0 ./wrapper
ASAN_OPTIONS=detect_leaks=1 ./wrapper --untrapped

# An older standard is refused.
if echo '#include <moat/moat.hpp>' | "$compiler" -std=c++14 -x c++ \
    -fsyntax-only "-I$SOURCE/include" "-I$BINARY/include" - 2>told; then
    echo "C++14 is accepted"
    exit 1
fi
grep -q 'needs C++17' told
