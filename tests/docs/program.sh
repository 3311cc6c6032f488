#!/bin/sh
#
# program.sh: checks that a program shown in a document is the same as a file
# without its opening comment.
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
