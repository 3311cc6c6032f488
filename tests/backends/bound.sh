#!/usr/bin/env bash
#
# bound.sh: what the shared library's file says of itself: its calls of the C
# library are bound when the program starts, since a switch makes some of them on
# small stacks; and it does not claim shadow stacks, which its switches would
# break.
#
#   bound.sh READELF LIBRARY
#
# SPDX-License-Identifier: MIT
set -euo pipefail

"$1" -dW "$2" | grep -q 'BIND_NOW' || {
    echo "bound.sh: calls are bound late"
    exit 1
}
! "$1" -nW "$2" | grep -q 'SHSTK' || {
    echo "bound.sh: the library claims shadow stacks"
    exit 1
}
