#!/usr/bin/env bash
#
# exports.sh: checks that three lists of names are the same: those with MOAT_API
# in the headers, those in the map, and those that the library exports, except
# two names for debuggers that are in no header. Of a library that stands on
# libmoat the headers are those in the first folder. Also checks that the library
# has a soname, no text relocations and no executable stack, and needs
# no library under the GPL.
#
#   exports.sh LIBRARY MAP NM READELF COMPILER INCLUDE_DIR...
#
# SPDX-License-Identifier: MIT
set -euo pipefail
export LC_ALL=C

library=$1
map=$2
nm=$3
readelf=$4
compiler=$5
includes=("${@:6}")

# Declarations end in a semicolon. Without attributes, the name is the last word
# before the first parenthesis or bracket.
declared() {
    printf '#include <moat/%s>\n' "$@" |
        "$compiler" -E -P -DMOAT_NO_INLINE "${includes[@]/#/-I}" -x c - |
        tr '\n' ' ' | tr ';' '\n' | grep -F 'visibility("default")' |
        sed -E -e 's/.*visibility\("default"\)\)\)//' \
            -e 's/__attribute__\(\([^()]*(\([^()]*\))?[^()]*\)\)//g' \
            -e 's/[([].*//' -e 's/ *$//' -e 's/.*[ *]//' | sort -u
}

# Called by name, through compare.
# shellcheck disable=SC2317
in_headers() {
    local engine=(moat.h source.h debug.h) folder
    for folder in "${includes[@]:1}"; do
        [ ! -e "$folder/moat/sched.h" ] || engine+=(sched.h)
    done
    if [ -e "${includes[0]}/moat/moat.h" ]; then
        declared "${engine[@]}"
    else
        comm -13 <(declared "${engine[@]}") \
            <(cd "${includes[0]}/moat" && declared "${engine[@]}" ./*.h)
    fi
}

# Called by name, through compare.
# shellcheck disable=SC2317
in_map() {
    sed -n '/^global:/,/^local:/s/^ *\(moat_[a-z0-9_]*\);$/\1/p' "$map" | sort
}

in_library() {
    "$nm" -D --defined-only "$library" |
        awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
        grep -Exv '__jit_debug_(descriptor|register_code)' | sort
}

compare() {
    if ! diff <($1) <($2) >/dev/null; then
        echo "$3:"
        diff <($1) <($2) | grep '^[<>]'
        status=1
    fi
}

status=0
[ "$(in_headers | wc -l)" -gt 0 ] || { echo "no MOAT_API found"; status=1; }
compare in_headers in_map "headers (<) and ${map##*/} (>) differ"
compare in_map in_library "${map##*/} (<) and $library (>) differ"

dynamic=$("$readelf" -dW "$library")
if grep -q TEXTREL <<<"$dynamic"; then
    echo "$library has text relocations"
    status=1
fi
if ! grep -Eq 'SONAME.*libmoat(-[a-z]+)?\.so\.[0-9]' <<<"$dynamic"; then
    echo "$library has no soname"
    status=1
fi
if grep -iq 'NEEDED.*sigsegv' <<<"$dynamic"; then
    echo "$library needs libsigsegv, which is under the GPL"
    status=1
fi
if ! "$readelf" -lW "$library" | grep GNU_STACK | grep -q ' RW  '; then
    echo "$library needs an executable stack"
    status=1
fi
[ "$status" -ne 0 ] || echo "$(in_library | wc -l) names, the same in all lists"
exit "$status"
