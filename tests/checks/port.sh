#!/usr/bin/env bash
#
# port.sh: checks that nothing outside arch/ and include/moat/switch/ names a
# CPU: with the stub port, both kinds of the library compile and link.
#
#   port.sh ROOT CMAKE GENERATOR COMPILER FOLDER     FOLDER: is overwritten
#
# SPDX-License-Identifier: MIT
set -euo pipefail

root=$1
cmake=$2
generator=$3
compiler=$4
folder=$5

rm -rf "$folder"
"$cmake" -S "$root" -B "$folder" -G "$generator" \
    -D CMAKE_C_COMPILER="$compiler" -D CMAKE_BUILD_TYPE=Debug \
    -D MOAT_ARCH=stub -D MOAT_WERROR=ON \
    -D MOAT_BUILD_HOST=OFF -D MOAT_BUILD_TESTS=OFF \
    -D MOAT_BUILD_EXAMPLES=OFF -D MOAT_BUILD_BENCH=OFF
"$cmake" --build "$folder" --target moat_static moat_shared

[ -s "$folder/libmoat.a" ] && [ -s "$folder/libmoat.so" ] || {
    echo "port.sh: no library was built" >&2
    exit 1
}

words='r[abcd]x|r[sd]i|r[bs]p|r8|r9|r1[0-5]|rip|eflags|mxcsr|fcw|EM_X86_64|4096'
found=$(cd "$root" && grep -nwE "$words" -r include/moat stack registry unwind \
    publish trap engine trace report |
    grep -v '^include/moat/switch/' || true)
[ -z "$found" ] || {
    printf 'a CPU is named outside its port:\n%s\n' "$found"
    exit 1
}
