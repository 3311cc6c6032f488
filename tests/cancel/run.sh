#!/usr/bin/env bash
#
# run.sh: builds the guests of tests/cancel and their canceller with one
# compiler and its flags, against the libmoat.a of this build, and runs them.
#
#   run.sh gcc|clang FLAG...
#
# The environment, from CMakeLists.txt: SOURCE and BINARY (the project's
# folders), LIBRARY (libmoat.a), LINK (the libraries it needs), WORK (a folder
# of its own).
#
# SPDX-License-Identifier: MIT
set -euo pipefail

compiler=$1
flags=("${@:2}")
case $compiler in
gcc) cxx=g++ ;;
clang) cxx=clang++ ;;
*) echo "run.sh: no compiler '$compiler'" >&2 && exit 2 ;;
esac
for program in "$compiler" "$cxx"; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not installed"
        exit 77
    fi
done
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
read -ra link <<<"$LINK"
common=(-g -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
    -fstack-clash-protection "-I$SOURCE/include" "-I$BINARY/include"
    "${flags[@]}")
sanitized=0
case " ${flags[*]} " in
*" -fsanitize=address "*)
    sanitized=1
    common+=(-DSANITIZED) ;;
esac
mkdir -p "$WORK"
cd "$WORK"

c() {
    "$compiler" -std=gnu11 "${common[@]}" "${@:3}" -c "$here/$1" -o "$2.o"
}

cxx() {
    "$cxx" -std=c++17 "${common[@]}" "${@:3}" -c "$here/$1" -o "$2.o"
}

c cancel.c cancel
c guests.c guests_c -fexceptions
c outline.c outline -fexceptions -DMOAT_NO_INLINE
# -fno-lto: otherwise the flags of one file would apply to all.
c plain.c plain -DPLAIN_NAME=plain_frame -fno-lto
c plain.c no_tables -DPLAIN_NAME=no_tables_frame -fno-lto \
    -fno-asynchronous-unwind-tables -fno-unwind-tables
cxx no_exceptions.cc no_exceptions -fno-exceptions -fno-lto
cxx guests.cc guests_cxx
"$cxx" "${flags[@]}" ./*.o "$LIBRARY" "${link[@]}" -o cancel

# std::terminate prints a message for each guest that it ends.
if [ "$sanitized" -eq 0 ]; then
    ./cancel 2>/dev/null
else
    # Memory allocated by a trapped guest is lost.
    ASAN_OPTIONS=detect_leaks=0:log_path="$WORK/asan" ./cancel 2>/dev/null
    ASAN_OPTIONS=detect_leaks=1 ./cancel --untrapped
fi
