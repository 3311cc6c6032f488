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
emulator=(qemu-aarch64 -L "/usr/$prefix")

for tool in "$prefix-gcc" "$prefix-g++" "${emulator[0]}"; do
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

status=0

fail() {
    printf 'aarch64.sh: %s in:\n%s\n' "$1" "${said:0:2000}"
    status=1
}

# run NAME: builds and runs an example; its output is in $said.
run() {
    local compiler=$prefix-gcc standard=c11 source=$root/examples/$1.c
    if [ ! -e "$source" ]; then
        compiler=$prefix-g++ standard=c++17 source=$root/examples/$1.cc
    fi
    "$compiler" -std="$standard" -D_GNU_SOURCE -O1 -fstack-clash-protection \
        -I"$root/include" -I"$folder/include" "$source" \
        "$folder/libmoat.a" -lgcc_s -lpthread -o "$folder/$1"
    said=$(cd "$root/examples" && timeout 60 "${emulator[@]}" "$folder/$1" 2>&1) ||
        fail "$1 ended with $?"
}

# The traps of these are told with what only a port knows.
while read -r name line; do
    run "$name"
    grep -qF -- "$line" <<<"$said" || fail "$name: no '$line'"
done <<'END'
contain_segv the host goes on
contain_overflow depth 1000000: stack overflow
deadline the guest was stopped: time limit passed
END

for name in hello generator threads restart cxx_host; do
    run "$name"
    [ "$said" = "$(cat "$root/examples/expected/$name.txt")" ] ||
        fail "$name: not what is expected"
done
exit "$status"
