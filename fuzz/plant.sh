#!/usr/bin/env bash
#
# plant.sh: copies a source file of the library, with a bug.
#
#   plant.sh FROM TO EXPRESSION
#
# The expression is sed's; it must change the file.
#
# SPDX-License-Identifier: MIT
set -euo pipefail
sed -e "$3" "$1" >"$2"
if cmp -s "$1" "$2"; then
    echo "plant.sh: /$3/ changes nothing in $1" >&2
    rm -f "$2"
    exit 1
fi
