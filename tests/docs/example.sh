#!/bin/sh
#
# example.sh: prints what a manual page shows between .EX and .EE, as a reader
# sees it.
#
#   example.sh PAGE
#
# SPDX-License-Identifier: MIT
set -eu

awk '
    $0 == ".EX" { inside = found = 1; next }
    $0 == ".EE" { inside = 0; next }
    inside { print }
    END { exit !found }
' "$1" | sed -e 's/^\\&//' -e 's/\\-/-/g' -e 's/\\(aq/'"'"'/g' -e 's/\\e/\\/g'
