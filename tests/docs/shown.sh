#!/bin/sh
#
# shown.sh: runs a program and compares its output with a block of a document.
#
#   shown.sh DOCUMENT BLOCK PROGRAM [ARGUMENT]...
#
# SPDX-License-Identifier: MIT
set -eu

here=$(dirname "$0")
document=$1
block=$2
shift 2
output=$(mktemp)
trap 'rm -f "$output"' EXIT

"$@" >"$output" || {
    echo "exit status $?: $*" >&2
    cat "$output" >&2
    exit 1
}
"$here/match.sh" "$document" "$block" "$output"
