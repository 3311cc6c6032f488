#!/bin/sh
#
# man.sh: checks that the manual pages, as built, are well formed and that every
# public function has one of its own, with the prototype of the header.
#
#   man.sh ROOT PAGES
#
# PAGES: the folder with man1, man3 and man7.
#
# SPDX-License-Identifier: MIT
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$1" && pwd)
cd "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
complain() {
    echo "$1"
    status=1
}

"$here/functions.sh" "$root/include" >"$work/functions"
if [ -e man3/moat_now.3 ]; then # built with moat-sched
    "$here/functions.sh" "$root/sched/include" >>"$work/functions"
fi
if [ -e man3/moat_uv_open.3 ]; then # built with moat-uv
    "$here/functions.sh" "$root/uv/include" >>"$work/functions"
fi
if [ -e man3/moat_malloc_configure.3 ]; then # built with moat-malloc
    "$here/functions.sh" "$root/malloc/include" >>"$work/functions"
fi
if [ -e man3/moat_sigsegv_source.3 ]; then # built with moat-sigsegv
    "$here/functions.sh" "$root/sigsegv/include" >>"$work/functions"
fi
[ "$(wc -l <"$work/functions")" -ge 30 ]

# ---- Every function has a page of its name, with its prototype ---------------
# Prints the text between two headings without requests, escapes and line
# breaks.
section() {
    awk -v heading="$2" '
        $1 == ".SH" { sub(/^\.SH +/, ""); gsub(/"/, ""); inside = $0 == heading; next }
        inside && !/^[.\x27]/ { sub(/^\\fB/, ""); gsub(/\\f[BIRP]/, "")
            gsub(/\\-/, "-"); print }
    ' "$1"
}

require() {
    grep -qE "^\.SH \"?$2\"?$" "$1" || complain "$1 has no section $2"
}

while IFS="$(printf '\t')" read -r name prototype _; do
    page=man3/$name.3
    if [ ! -f "$page" ]; then
        complain "$name has no page"
        continue
    fi
    section "$page" NAME | grep -qw "$name" ||
        complain "$page: NAME does not name $name"
    section "$page" SYNOPSIS | grep -v '^#include' | tr '\n' ' ' |
        sed 's/  */ /g; s/( /(/g' | tr ';' '\n' | sed 's/^ //' |
        grep -qxF -- "$prototype" ||
        complain "$page: the prototype of $name is: $prototype;"
    require "$page" "RETURN VALUE"
    case "$name $prototype" in
    *_slow\ * | moat_co_settle\ *) ;;
    *\ moat_status*) require "$page" ERRORS ;;
    esac
done <"$work/functions"

for page in man3/*.3; do
    # Such a page could be read from an installed tree only.
    ! grep -q '^\.so ' "$page" || complain "$page stands for another page"
    for heading in NAME SYNOPSIS DESCRIPTION "THREAD AND SIGNAL SAFETY" \
        "SEE ALSO"; do
        require "$page" "$heading"
    done
    # No prototype of a function that does not exist.
    section "$page" SYNOPSIS | grep -oE 'moat_[a-z_]+\(' | tr -d '(' |
        while read -r name; do
            grep -q "^$name	" "$work/functions" || echo "$name"
        done >"$work/gone"
    [ ! -s "$work/gone" ] || complain "$page: there is no $(cat "$work/gone")"
done

# ---- A type that only functions make has the page of its maker -----------------
for maker in moat_co_create moat_heap_create moat_task_spawn moat_chan_create \
    moat_gen_create moat_group_open; do
    [ -e "man3/$maker.3" ] || continue # of a library that was not built
    [ -e "man3/${maker%_*}.3" ] || complain "${maker%_*} has no page"
done

# ---- A user's first needs: a program ------------------------------------------
for name in moat_co_create moat_co_resume moat_co_yield moat_co_trap_info \
    moat_co_cancel moat_call_on_parent moat_co_backtrace moat_co_print_report \
    moat_code_register moat_limits moat_engine_init moat_script moat_co_reset \
    moat_spec_create moat_heap_create moat_sched_run moat_task_spawn \
    moat_chan_create moat_read moat_fd_wait moat.hpp; do
    [ -e "man3/$name.3" ] || continue # of a library that was not built
    require "man3/$name.3" EXAMPLES
    grep -q 'int main(' "man3/$name.3" || complain "$name: no program"
done

# ---- What only emitted code calls: in pages of its own -------------------------
for page in man3/*.3; do
    case $page in
    *_slow.3 | *_leave.3 | */moat_co_settle.3 | */moat_co_unwind.3) continue ;;
    esac
    ! section "$page" SYNOPSIS | grep -qE 'moat_co_(settle|unwind)\(|_slow\(' ||
        complain "$page: its SYNOPSIS has what is no call of a program's"
done

# ---- References lead to pages -------------------------------------------------
{
    sed -nE 's/^\.BR (moat[a-z0-9_]*) \(([137])\).*/\1 \2/p' man?/*.[137]
    grep -hoE '\\fBmoat[a-z0-9_]*\\fP\([137]\)' man?/*.[137] |
        sed -E 's/^\\fB(.*)\\fP\((.)\)$/\1 \2/'
} | sort -u >"$work/references"
[ "$(wc -l <"$work/references")" -ge 60 ]
while read -r name number; do
    [ -e "man$number/$name.$number" ] || echo "$name.$number"
done <"$work/references" >"$work/dangling"
[ ! -s "$work/dangling" ] || complain "no such page: $(cat "$work/dangling")"

# ---- Well formed ----------------------------------------------------------------
if ! command -v groff >/dev/null; then
    [ "$status" -ne 0 ] && exit "$status"
    echo "skipped in part: groff is not installed"
    exit 77
fi
groff -man -Tutf8 -ww -z man?/*.[137] 2>"$work/warnings" || status=1
[ ! -s "$work/warnings" ] || complain "$(cat "$work/warnings")"
exit "$status"
