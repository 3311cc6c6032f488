#!/usr/bin/env bash
#
# man_planted.sh: checks that tools/man.py refuses a header with a public
# function that has no comment or an incomplete one, and names the function.
#
#   man_planted.sh PYTHON ROOT GENERATED_INCLUDE_DIR
#
# SPDX-License-Identifier: MIT
set -euo pipefail

python=$1
root=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
header=$scratch/moat/planted.h
mkdir -p "$scratch/moat"
cp "$root"/include/moat/*.h "$3"/moat/*.h "$scratch/moat"

generate() {
    "$python" "$root/tools/man.py" --version 0 \
        --examples "$root/docs/man/examples" --output "$scratch/man3" \
        "$scratch"/moat/*.h "$root"/include/moat/switch/*.h \
        >"$scratch/log" 2>&1
}

good='/**
 * Counts the stacks.
 *
 * @param co    any coroutine
 * @param kind  which stacks
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  co is NULL
 *
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      all states
 */'
declaration='MOAT_API moat_status moat_planted(moat_co *co, int kind);'

printf '%s\n%s\n' "$good" "$declaration" >"$header"
generate || {
    echo "a complete comment was refused:"
    cat "$scratch/log"
    exit 1
}
grep -q 'counts the stacks' "$scratch/man3/moat_planted.3"

status=0
# refused WORDS SED_SCRIPT: the good header, changed, is refused with WORDS.
refused() {
    printf '%s\n%s\n' "$good" "$declaration" | sed -E "$2" >"$header"
    if generate; then
        echo "not refused: $1"
        status=1
    elif ! grep -q "moat_planted.*$1" "$scratch/log"; then
        echo "refused, but not for '$1':"
        cat "$scratch/log"
        status=1
    fi
}

refused 'has no comment' '1,/\*\/$/d'
refused 'has no comment' '1s/.*/\/*/'
refused 'does not begin with a sentence' '2d'
refused 'no @param kind' '/@param kind/d'
refused 'no parameter size' 's/@param kind/@param size/'
refused 'no @return' '/@return/,/MOAT_E_INVAL/d'
refused 'does not mention MOAT_OK' 's/@return MOAT_OK, or/@return one of/'
refused 'MOAT_E_STATE does not begin a line' \
    's/(MOAT_E_INVAL  co is NULL)/\1 MOAT_E_STATE  it runs/'
refused 'no Thread-safety' '/Thread-safety/d'
refused 'no Signal-safety' '/Signal-safety/d'
refused 'no Legal in' '/Legal in/d'
refused 'there is no moat_gone' 's/Counts the stacks/Calls moat_gone/'
refused 'there is no MOAT_E_GONE' 's/MOAT_E_INVAL/MOAT_E_GONE/'
# A second function below a comment is not described by it.
refused 'has no comment' \
    's/moat_planted/moat_first/; $a MOAT_API void moat_planted(void);'
refused 'has no comment' \
    's/moat_planted/moat_first/; $a static inline int moat_planted(void) { return 1; }'
exit "$status"
