#!/usr/bin/env bash
#
# fortified.sh: the jumps of the backend sigaltstack are not those that
# _FORTIFY_SOURCE checks: they must lead up the same stack.
#
#   fortified.sh COMPILER ROOT INCLUDE FOLDER
#
# SPDX-License-Identifier: MIT
set -euo pipefail

compiler=$1
root=$2
include=$3
folder=$4

mkdir -p "$folder"
"$compiler" -std=c11 -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE \
    -iquote"$root" -I"$root/include" -I"$include" -c \
    "$root/switch/sigaltstack.c" -o "$folder/fortified.o"
nm -u "$folder/fortified.o" | grep -q '_longjmp$' || {
    echo "fortified.sh: the jump is not _longjmp"
    exit 1
}
