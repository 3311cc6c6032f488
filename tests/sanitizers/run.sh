#!/usr/bin/env bash
#
# run.sh: builds a program with a sanitizer, against the libmoat of this build,
# which has none, and compares what it does with docs/sanitizers.md.
#
#   run.sh leaks gcc|clang static|shared FLAG...
#   run.sh found gcc|clang SANITIZER BUG TEXT...
#   run.sh memory | refused | hwaddress | split_stack | valgrind | gprof
#
# The environment, from CMakeLists.txt: SOURCE and BINARY (the project's
# folders), STATIC and SHARED (the libraries), LINK (the libraries that STATIC
# needs), WORK (a folder of its own), CASES (of leaks.c; empty: all).
#
# SPDX-License-Identifier: MIT
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
read -ra needed <<<"$LINK"
mkdir -p "$WORK"
cd "$WORK"

fail() {
    printf 'run.sh: %s\n' "$@" >&2
    exit 1
}

# skip NAME REASON
skip() {
    echo "skipped: sanitizers.$1: $2"
    exit 77
}

# build COMPILER PROGRAM static|shared SOURCE... FLAG...
build() {
    local library=("$STATIC" "${needed[@]}")
    [ "$3" = static ] ||
        library=("$SHARED" "-Wl,-rpath,$(dirname "$SHARED")" -pthread)
    "$1" -std=gnu11 -g -Wall -Wextra -Werror -fstack-clash-protection \
        "-I$SOURCE/include" "-I$BINARY/include" "${@:4}" "${library[@]}" \
        -o "$2"
}

# Some systems have a compiler without the run-time library of a sanitizer.
can_link() {
    printf 'int main(void) { return 0; }\n' >probe.c
    "$1" "${@:2}" probe.c -o probe 2>/dev/null
}

# fails_with TEXT COMMAND...
fails_with() {
    local output
    if output=$("${@:2}" 2>&1); then
        fail "this should have failed: ${*:2}" "$output"
    fi
    case $output in
    *"$1"*) ;;
    *) fail "not found: $1" "$output" ;;
    esac
}

test_leaks() {
    can_link "$1" "${@:3}" || skip leaks "$1 has no run-time library for this"
    build "$1" leaks "$2" "$here/leaks.c" -O1 "${@:3}"
    # shellcheck disable=SC2086
    "$here/leaks.sh" ./leaks ${CASES:-}
}

# A bug of a guest is found, and its function named; without a bug nothing is.
test_found() {
    local flag=-fsanitize=$2
    can_link "$1" "$flag" || skip found "$1 has no run-time library for $2"
    build "$1" bugs static "$here/bugs.c" -O1 "$flag" \
        -fno-sanitize-recover=all
    [ "$(./bugs none)" = "done" ] || fail "a bug is found where there is none"
    fails_with "$4" ./bugs "$3"
    fails_with "$5" ./bugs "$3"
}

test_memory() {
    can_link clang -fsanitize=memory || skip memory "no clang with it"
    build clang memory static "$here/memory.c" -O1 -fsanitize=memory \
        -fexceptions
    fails_with "use-of-uninitialized-value" ./memory untold
    ./memory told
    ./memory trap
    fails_with "in guest_that_reads_nothing" ./memory guest
}

# The public header refuses what it can see; the library the rest.
test_refused() {
    local library
    printf '#include <moat/moat.h>\nint main(void) { return 0; }\n' >refused.c
    command -v clang >/dev/null || skip refused "no clang"
    fails_with "compile without -fsanitize=safe-stack" \
        clang "-I$SOURCE/include" "-I$BINARY/include" -fsanitize=safe-stack \
        -fsyntax-only refused.c
    # Only other CPUs have it; their header of the switch does not matter here.
    fails_with "compile without -fsanitize=shadow-call-stack" \
        clang "-I$SOURCE/include" "-I$BINARY/include" \
        --target=aarch64-linux-gnu -ffixed-x18 -ffreestanding \
        -fsanitize=shadow-call-stack -fsyntax-only -x c \
        "$BINARY/include/moat/cpu.h"
    clang "-I$SOURCE/include" "-I$BINARY/include" -fsyntax-only refused.c
    can_link clang -fsanitize=safe-stack || skip refused "no SafeStack to link"
    clang "-I$SOURCE/include" "-I$BINARY/include" -c "$here/second_stack.c" \
        -o second_stack.o
    for library in static shared; do
        build clang second_stack "$library" second_stack.o
        ./second_stack MOAT_OK
        build clang second_stack "$library" second_stack.o \
            -fsanitize=safe-stack
        ./second_stack MOAT_E_UNSUPPORTED
    done
}

# It needs a kernel that ignores the upper bits of addresses.
test_hwaddress() {
    local output
    can_link clang -fsanitize=hwaddress -Wl,--no-relax ||
        skip hwaddress "no clang with it"
    if ! output=$(./probe 2>&1); then
        case $output in
        *"requires a kernel with tagged address ABI"*)
            skip hwaddress "this kernel has no tagged addresses" ;;
        esac
        fail "$output"
    fi
    build clang switches static "$here/switches.c" -O1 -fsanitize=hwaddress \
        -Wl,--no-relax
    ./switches
}

test_split_stack() {
    can_link gcc -fsplit-stack || skip split_stack "no gcc with it"
    build gcc switches static "$here/switches.c" -O1
    [ "$(./switches)" = "on its stack" ] || fail "not on its stack"
    build gcc switches static "$here/switches.c" -O1 -fsplit-stack
    [ "$(./switches)" = elsewhere ] || fail "on its stack"
}

test_valgrind() {
    command -v valgrind >/dev/null || skip valgrind "no valgrind"
    build gcc bugs static "$here/bugs.c" -O1
    valgrind -q --error-exitcode=9 ./bugs none
    fails_with "Invalid write" valgrind -q --error-exitcode=9 ./bugs heap
    fails_with "guest_writes_past_a_block" \
        valgrind -q --error-exitcode=9 ./bugs heap
}

# gprof counts the calls of guests; its timer's handler runs on their stacks.
test_gprof() {
    command -v gprof >/dev/null || skip gprof "no gprof"
    can_link gcc -pg || skip gprof "gcc has no run-time library for it"
    build gcc profile static "$here/profile.c" -O1 -pg
    rm -f gmon.out
    ./profile
    gprof -b -p ./profile gmon.out >flat
    awk '$NF == "work_in_guest" && / 1000 / { found = 1 }
        END { exit !found }' flat || fail "$(cat flat)"
}

"test_$1" "${@:2}"
