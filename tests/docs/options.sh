#!/bin/sh
#
# options.sh: checks that moat(1) describes exactly the options of `moat run`.
#
#   options.sh MOAT PAGE
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" run --help | grep -oE '^  --[a-z-]+' | tr -d ' ' | sort >"$work/real"
sed 's/\\-/-/g' "$2" | sed -n '/^.SS "Limits/,/^.SH "EXIT/p' |
    grep -oE '^\.BI? --[a-z-]+' | sed 's/.* //' | sort >"$work/page"
[ -s "$work/real" ]
diff -u "$work/real" "$work/page"
