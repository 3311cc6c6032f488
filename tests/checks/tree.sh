#!/usr/bin/env bash
#
# tree.sh: rules that text can break.
#
#   tree.sh ROOT
#
# - No file contains a path of somebody's machine.
# - The CPU and the system are chosen by file: conditions on either are allowed
#   only in the lowest layers and outside the library.
# - Every source file opens with a comment and names its licence.
# - No comment marks unfinished work.
#
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$1"

status=0
complain() {
    printf '%s:\n%s\n' "$1" "$2"
    status=1
}

files() {
    find . \( -path ./build -o -path ./.git -o -path ./.cache \) -prune \
        -o -type f "$@" -print0
}

sources() {
    files \( -name '*.[chS]' -o -name '*.cc' -o -name '*.hpp' -o -name '*.h.in' \)
}

[ "$(sources | tr -dc '\0' | wc -c)" -gt 0 ] ||
    complain "no source files under" "$1"

found=$(files | xargs -0 -r grep -InE \
    "(^|[[:space:]\"'=(:])/(home|root|work|mnt|Users)/[[:alnum:]]" -- |
    grep -v 'tools/check-clean-root' || true)
[ -z "$found" ] || complain "paths of somebody's machine" "$found"

found=$(sources | xargs -0 -r grep -nE \
    '^[[:space:]]*#.*(__x86_64__|__aarch64__|__linux__|__amd64__)' -- |
    grep -vE '^\./(arch/|include/moat/(export\.h|switch/)|stack/annotate\.h)' |
    grep -vE '^\./(tests|bench|examples|host)/' || true)
[ -z "$found" ] || complain "a CPU or system chosen by #if" "$found"

found=$(sources | xargs -0 -r grep -L 'SPDX-License-Identifier: MIT' -- || true)
[ -z "$found" ] || complain "no licence line in" "$found"

found=$(sources | xargs -0 -r awk 'FNR == 1 && !/^\/\*/ { print FILENAME }')
[ -z "$found" ] || complain "no opening comment in" "$found"

marks='TO''DO|FIX''ME|XX''X'
found=$({
    sources
    files \( -name '*.cmake' -o -name CMakeLists.txt -o -name '*.sh' \
        -o -path './tools/*' \)
} | xargs -0 -r grep -nwE "$marks" -- || true)
[ -z "$found" ] || complain "work put off" "$found"

exit "$status"
