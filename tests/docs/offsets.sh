#!/bin/sh
#
# offsets.sh: compares the offsets in docs/record.md with those of the structs.
#
#   offsets.sh PROGRAM DOCUMENT
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" offsets >"$work/real"
sed -n '/^<!-- table: offsets -->$/,/^$/p' "$2" | grep '^| [0-9]' >"$work/shown"
diff -u "$work/shown" "$work/real"
