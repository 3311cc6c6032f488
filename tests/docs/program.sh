#!/bin/sh
#
# program.sh: is the program that a document shows the file, but for the file's
# opening comment?
#
#   program.sh DOCUMENT BLOCK FILE
#
# SPDX-License-Identifier: MIT
set -eu

here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/block.sh" "$1" "$2" >"$work/shown"
sed '1,/^ \*\/$/d' "$3" >"$work/file"
diff -u "$work/shown" "$work/file"
