#!/bin/sh
#
# man.sh: the manual pages are well formed; every public function has one, with
# the prototype that the header has.
#
#   man.sh ROOT
#
# SPDX-License-Identifier: MIT
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$1/docs/man"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
complain() {
    echo "$1"
    status=1
}

"$here/functions.sh" ../../include >"$work/functions"

# ---- Every function: a page of its name, its prototype in the synopsis ----------
# The text between two headings, without requests, escapes and line breaks.
section() {
    awk -v heading="$2" '
        $1 == ".SH" { sub(/^\.SH +/, ""); gsub(/"/, ""); inside = $0 == heading; next }
        inside && !/^[.\x27]/ { sub(/^\\fB/, ""); gsub(/\\f[BIRP]/, "")
            gsub(/\\-/, "-"); print }
    ' "$1"
}

while IFS="$(printf '\t')" read -r name prototype _; do
    page=$name.3
    if [ ! -e "$page" ]; then
        complain "$name has no page"
        continue
    fi
    target=$(sed -n 's/^\.so man3\///p' "$page")
    [ -z "$target" ] || page=$target
    section "$page" NAME | grep -qw "$name" ||
        complain "$page: NAME does not name $name"
    section "$page" SYNOPSIS | grep -v '^#include' | tr '\n' ' ' |
        sed 's/  */ /g' | tr ';' '\n' | sed 's/^ //' |
        grep -qxF -- "$prototype" ||
        complain "$page: the prototype of $name is: $prototype;"
done <"$work/functions"

for page in *.3; do
    if target=$(grep -o '^\.so man3/.*' "$page"); then
        [ -e "${target#.so man3/}" ] || complain "$page leads nowhere"
        continue
    fi
    for heading in NAME SYNOPSIS DESCRIPTION "THREAD AND SIGNAL SAFETY" \
        "SEE ALSO"; do
        grep -qE "^\.SH \"?$heading\"?$" "$page" ||
            complain "$page has no section $heading"
    done
    # No prototype of a function that is gone.
    section "$page" SYNOPSIS | grep -oE 'moat_[a-z_]+\(' | tr -d '(' |
        while read -r name; do
            grep -q "^$name	" "$work/functions" || echo "$name"
        done >"$work/gone"
    [ ! -s "$work/gone" ] || complain "$page: there is no $(cat "$work/gone")"
done

# ---- References lead to pages -------------------------------------------------
grep -hoE '^\.BR (moat[a-z_]*) \(([137])\)' ./*.[137] | sort -u |
    while read -r _ name part; do
        number=$(echo "$part" | tr -d '()')
        [ -e "$name.$number" ] || echo "$name.$number"
    done >"$work/dangling"
[ ! -s "$work/dangling" ] || complain "no such page: $(cat "$work/dangling")"

# ---- Well formed ----------------------------------------------------------------
if ! command -v groff >/dev/null; then
    [ "$status" -ne 0 ] && exit "$status"
    echo "skipped in part: there is no groff here"
    exit 77
fi
for page in *.[137]; do
    grep -q '^\.so ' "$page" && continue
    groff -man -Tutf8 -ww -z "$page" 2>"$work/warnings" || status=1
    [ ! -s "$work/warnings" ] || complain "$(cat "$work/warnings")"
done
exit "$status"
