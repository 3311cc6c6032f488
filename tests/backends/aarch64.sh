#!/usr/bin/env bash
#
# aarch64.sh: the library and some programs built for a CPU that moat has no
# port for, and run under qemu.
#
#   aarch64.sh ROOT CMAKE GENERATOR FOLDER     FOLDER: is overwritten
#
# Exit status: 77 without a cross compiler and qemu's user mode.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

root=$1
cmake=$2
generator=$3
folder=$4
prefix=aarch64-linux-gnu
run=(qemu-aarch64 -L "/usr/$prefix")

for tool in "$prefix-gcc" "$prefix-g++" "${run[0]}"; do
    command -v "$tool" >/dev/null || {
        echo "skipped: aarch64: no $tool"
        exit 77
    }
done

"$cmake" -S "$root" -B "$folder" -G "$generator" \
    -D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=aarch64 \
    -D CMAKE_C_COMPILER="$prefix-gcc" -D CMAKE_CXX_COMPILER="$prefix-g++" \
    -D CMAKE_BUILD_TYPE=Debug -D MOAT_WERROR=ON -D MOAT_WITH_LIBUNWIND=OFF \
    -D MOAT_WITH_LIBDW=OFF -D MOAT_WITH_VALGRIND=OFF -D MOAT_WITH_SIGSEGV=OFF \
    -D MOAT_WITH_UV=OFF -D MOAT_WITH_MALLOC=OFF -D MOAT_BUILD_SCHED=OFF \
    -D MOAT_BUILD_HOST=OFF -D MOAT_BUILD_TESTS=OFF -D MOAT_BUILD_BENCH=OFF \
    -D MOAT_BUILD_EXAMPLES=OFF -D MOAT_INSTALL=OFF >/dev/null
"$cmake" --build "$folder" --target moat_static >/dev/null

# run NAME EXPECTED: an example's output has the line.
status=0
check() {
    local program="$folder/$1" said
    "$prefix-gcc" -std=c11 -D_GNU_SOURCE -O1 -fstack-clash-protection \
        -I"$root/include" -I"$folder/include" "$root/examples/$1.c" \
        "$folder/libmoat.a" -lgcc_s -lpthread -o "$program"
    said=$(timeout 60 "${run[@]}" "$program" 2>&1) || {
        echo "aarch64.sh: $1 ended with $?"
        status=1
    }
    grep -qF -- "$2" <<<"$said" || {
        printf 'aarch64.sh: %s: no "%s" in:\n%s\n' "$1" "$2" "$said"
        status=1
    }
}

check hello "trapped by a null pointer access"
check contain_segv "the host goes on"
check contain_overflow "depth 1000000: stack overflow"
check deadline "the guest was stopped: time limit passed"
check nested ""
check threads ""
exit "$status"
