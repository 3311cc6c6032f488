#!/usr/bin/env bash
#
# exports.sh: the library exports the names of its map, each a function that
# another library has, or one of moat/malloc.h; and it neither binds names late
# nor needs the C++ library.
#
#   exports.sh LIBRARY MAP NM READELF
#
# SPDX-License-Identifier: MIT
set -euo pipefail
export LC_ALL=C

library=$1
map=$2
nm=$3
readelf=$4

names() {
    sed -n '/^global:/,/^local:/s/^ *\([A-Za-z0-9_]*\);$/\1/p' "$map" | sort
}

status=0
[ "$(names | wc -l)" -ge 30 ]
if ! diff <(names) <("$nm" -D --defined-only "$library" |
    awk '{ sub(/@.*/, "", $3); print $3 }' | sort); then
    echo "the map (<) and $library (>) differ"
    status=1
fi
dynamic=$("$readelf" -dW "$library")
if ! grep -q 'FLAGS.*NOW' <<<"$dynamic"; then
    echo "$library may call the dynamic linker on a guest's stack"
    status=1
fi
if grep -Eq 'NEEDED.*(stdc|c)\+\+' <<<"$dynamic"; then
    echo "$library needs the C++ library"
    status=1
fi
exit "$status"
