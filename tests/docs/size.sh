#!/bin/sh
#
# size.sh: checks the length of the documents that must stay short, and that
# their links lead to existing files.
#
#   size.sh ROOT
#
# SPDX-License-Identifier: MIT
set -eu
cd "$1"

status=0
for document in README.md docs/architecture.md; do
    lines=$(wc -l <"$document")
    if [ "$lines" -gt 250 ]; then
        echo "$document has $lines lines; 250 is the limit"
        status=1
    fi
done
for document in ./*.md docs/*.md; do
    folder=$(dirname "$document")
    # Not in code: a lambda looks like a link.
    for target in $(awk '/^```/ { code = !code } !code' "$document" |
        grep -oE '\]\([^)#:]+\)' | tr -d '](' | tr -d ')'); do
        if [ ! -e "$folder/$target" ]; then
            echo "$document: '$target' does not exist"
            status=1
        fi
    done
done
exit "$status"
