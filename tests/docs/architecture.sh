#!/usr/bin/env bash
#
# architecture.sh: every file, folder, symbol and struct that docs/architecture.md
# names exists, and its code map is short.
#
#   architecture.sh ROOT
#
# SPDX-License-Identifier: MIT
set -euo pipefail

cd "$1"
page=docs/architecture.md
bad=0
complain() {
    echo "$page: $*"
    bad=1
}

# In backquotes and in the drawings: names with a slash are files or folders.
words=$(grep -oE '[A-Za-z0-9_<>*./]+' "$page" | sed 's/\.$//' | sort -u)
checked=0

while read -r path; do
    [[ $path == */* && $path != *'<'* && $path != *'*'* && $path != /* &&
        $path != moat/... ]] || continue
    checked=$((checked + 1))
    [ -e "$path" ] || complain "there is no $path"
done <<<"$words"

while read -r symbol; do
    checked=$((checked + 1))
    grep -rqwE --include='*.[chS]' "$symbol" include arch sys stack registry \
        unwind publish trap engine trace report ||
        complain "there is no $symbol"
done < <(grep -oE '\bmoat_[a-z_]+[a-z]\b' <<<"$words" | sort -u)

while read -r name; do
    checked=$((checked + 1))
    grep -rqE --include='*.h' "^struct $name \{" include arch sys stack \
        registry unwind publish trap engine trace report ||
        complain "there is no struct $name"
done < <(grep -oE 'struct [a-z_]+' "$page" | sed 's/struct //' | sort -u)

[ "$checked" -ge 40 ] || complain "only $checked names were found to check"

sentences=$(sed -n '/^## Code map/,/^## /p' "$page" | grep -c '\.$')
[ "$sentences" -le 20 ] || complain "the code map has $sentences sentences"
[ "$sentences" -ge 5 ] || complain "the code map is gone"
exit "$bad"
