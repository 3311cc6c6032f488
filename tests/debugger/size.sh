#!/bin/sh
#
# size.sh: limits the size of one guest's core while 10,000 others wait. Each of
# these may add its stack in use, at most a page here, and 1 KiB.
#
#   size.sh MORTEM
#
# SPDX-License-Identifier: MIT
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

"$1" slow >/dev/null
alone=$(wc -c <guest.core)
rm guest.core
"$1" many >/dev/null
crowd=$(wc -c <guest.core)
echo "alone $alone bytes, with 10,000 others $crowd"
[ "$crowd" -gt "$alone" ]
[ "$crowd" -lt $((alone + 10000 * (4096 + 1024))) ]
