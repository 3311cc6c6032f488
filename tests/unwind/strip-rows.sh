#!/bin/sh
# strip-rows.sh: copies a source of the switch without the unwind rows of its
# window.
#
# Usage: strip-rows.sh SOURCE COPY
#
# SPDX-License-Identifier: MIT
set -eu

# Rows that start from rdi (0x75), DWARF's register 5.
row='\.cfi_escape (0x0f, ?0x03|0x10, ?0x(06|10|03), ?0x02), ?0x75(, ?0x[0-9a-f]+)+'
if [ "$(grep -Ec "$row" "$1")" -ne 4 ]; then
    echo "$1: does not have exactly the four rows of a window" >&2
    exit 1
fi
sed -E "s/$row(\\\\n\\\\t)?//" "$1" >"$2"
