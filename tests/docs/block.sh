#!/bin/sh
#
# block.sh: prints the code block of a document that follows the line
# '<!-- check: NAME -->'.
#
#   block.sh DOCUMENT NAME
#
# SPDX-License-Identifier: MIT
set -eu

awk -v mark="<!-- check: $2 -->" '
    $0 == mark { wanted = 1; next }
    wanted == 1 && /^```/ { wanted = 2; found = 1; next }
    wanted == 2 && /^```/ { exit }
    wanted == 2 { print }
    END { exit !found }
' "$1" || {
    echo "$1 has no code block '$2'" >&2
    exit 1
}
