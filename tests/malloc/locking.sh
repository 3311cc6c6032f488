#!/bin/sh
# Usage: locking.sh SOURCE LIBRARY
#
# Compares the functions of the C library that hold a lock, as moat knows them,
# with those that the library moat-malloc takes over and those that
# docs/libc.md names as left alone. A function is in exactly one of the two.
#
# SPDX-License-Identifier: MIT
set -eu
source=$1 library=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

grep -oE 'X\([A-Za-z0-9_]+\)' "$source/unwind/lock_functions.h" |
    sed 's/X(\(.*\))/\1/' | grep -vE '^(asctime|asctime_r|name)$' |
    sort -u >"$work/locking"
nm -D --defined-only "$library" | awk '{print $3}' | sort -u >"$work/taken"
sed -n '/<!-- table: left alone -->/,/^$/p' "$source/docs/libc.md" |
    awk -F'|' 'NF > 3 {print $2}' | grep -oE '`[A-Za-z0-9_]+`' | tr -d '`' |
    sort -u >"$work/left"
[ "$(wc -l <"$work/locking")" -ge 250 ] ||
    { echo "only $(wc -l <"$work/locking") functions were found"; exit 1; }

bad=0
complain() {
    [ -z "$2" ] || { echo "$1:" $2; bad=1; }
}
sort -u "$work/taken" "$work/left" | comm -13 - "$work/locking" >"$work/missing"
complain "neither taken over nor named as left alone" "$(cat "$work/missing")"
# The allocator's own names are in both: the host's take a lock.
comm -12 "$work/taken" "$work/left" |
    grep -vE '^(malloc|free|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|valloc|pvalloc)$' \
    >"$work/both" || true
complain "taken over, but named as left alone" "$(cat "$work/both")"
comm -13 "$work/locking" "$work/left" >"$work/strange"
complain "named as left alone, but unknown" "$(cat "$work/strange")"
exit "$bad"
