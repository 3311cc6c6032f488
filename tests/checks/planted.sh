#!/usr/bin/env bash
#
# planted.sh: the test of the checks: plants one violation after another where
# the checks of this folder look, and expects each to be found.
#
#   planted.sh CHECKS_DIR CMAKE COMPILER NM READELF CLANG_FORMAT SHELLCHECK
#
# A tool that is not there is given as an empty string; its check is left out.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

checks=$1
cmake=$2
compiler=$3
nm=$4
readelf=$5
clang_format=$6
shellcheck=$7

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bad=0

red() {
    "$checks/goes_red.sh" "$@" || bad=1
}

green() {
    local output
    output=$("$@" 2>&1) || {
        echo "a clean tree is red: $*"
        echo "$output"
        bad=1
    }
}

# A clean tree with one file; then the violation, as FILE and one LINE.
tree() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree"/{arch,stack,trap,unwind,engine,host,include/moat}
    cp "$checks/../../.clang-format" "$scratch/tree/"
    local file
    for file in stack/stack.h "$@"; do
        [ -e "$scratch/tree/$file" ] ||
            printf '/*\n * a file\n *\n * SPDX-License-Identifier: MIT\n */\n' \
                >"$scratch/tree/$file"
    done
}

plant() {
    tree "$1"
    printf '%s\n' "$2" >>"$scratch/tree/$1"
}

layers=("$cmake" -D "ROOT=$scratch/tree" -P "$checks/layers.cmake")
plant trap/a.c '#include "stack/stack.h"'
green "${layers[@]}"
plant host/a.c '#include <moat/moat.h>'
green "${layers[@]}"
plant stack/a.c '#include "engine/internal.h"'
red 'stack must not know engine' "${layers[@]}"
plant trap/a.c '#  include   "unwind/unwind.h"'
red 'trap must not know unwind' "${layers[@]}"
plant unwind/a.h '#include "trap/trap.h"'
red 'unwind must not know trap' "${layers[@]}"
plant arch/a.S '#include <stack/stack.h>'
red 'arch must not know stack' "${layers[@]}"
plant include/moat/a.h '#include "arch/arch.h"'
red 'includes <moat/...> only' "${layers[@]}"
plant host/a.c '#include "engine/internal.h"'
red 'host sees <moat/...> only' "${layers[@]}"
plant engine/a.c '#include "internal.h"'
red 'name it from the top' "${layers[@]}"
plant engine/a.c '#include "../stack/stack.h"'
red 'leaves its folder' "${layers[@]}"
rm -rf "$scratch/tree"
red 'no source file' "${layers[@]}"

text=("$checks/tree.sh" "$scratch/tree")
tree
green "${text[@]}"
plant stack/a.c '/* see /''home/somebody/notes */'
red "somebody's machine" "${text[@]}"
plant stack/a.c '#ifdef __x86_64''__'
red 'chosen by #if' "${text[@]}"
plant stack/a.c '/* TO''DO: later */'
red 'work put off' "${text[@]}"
tree
echo '/* bare */' >"$scratch/tree/stack/a.c"
red 'no licence line' "${text[@]}"
tree
printf 'int x;\n/* SPDX-License-Identifier: MIT */\n' >"$scratch/tree/stack/a.c"
red 'no opening comment' "${text[@]}"

if [ -n "$clang_format" ]; then
    layout=("$checks/format.sh" "$scratch/tree" "$clang_format")
    plant stack/a.c 'int x;'
    green "${layout[@]}"
    plant stack/a.c 'int  x ;'
    red 'clang-format-violations' "${layout[@]}"
fi

if [ -n "$shellcheck" ]; then
    # shellcheck disable=SC2016
    printf '#!/bin/sh\ncd "$1"\nrm -r old\n' >"$scratch/a.sh"
    red 'SC2164' "$shellcheck" --severity=warning "$scratch/a.sh"
fi

# Objects: one file per module, compiled from a line of C.
object() {
    local at="$scratch/moat_objects.dir/$1"
    mkdir -p "$at"
    printf '%s\n' "$2" | "$compiler" "${@:3}" -x c -c -o "$at/a.o" -
}

objects=("$checks/objects.sh" "$checks/layers.txt" "$nm" "$readelf"
    "$scratch"/moat_objects.dir/{stack,trap}/a.o)

object stack 'void moat_stack_a(void); void moat_stack_a(void) {}'
object trap 'void moat_stack_a(void); void moat_trap_a(void);
             void moat_trap_a(void) { moat_stack_a(); }'
green "${objects[@]}"
object stack 'void moat_trap_a(void); void moat_stack_a(void);
              void moat_stack_a(void) { moat_trap_a(); }'
red 'stack must not call trap' "${objects[@]}"
object stack 'void moat_stack_a(void); void moat_stack_a(void) {} int loose;'
red 'loose, which is not moat_' "${objects[@]}"
object stack 'void moat_stack_a(void); void moat_nowhere(void);
              void moat_stack_a(void) { moat_nowhere(); }'
red 'nobody defines moat_nowhere' "${objects[@]}"
object stack 'void moat_stack_a(void);
              __attribute__((constructor)) void moat_stack_a(void) {}'
red 'before or after main' "${objects[@]}"
assemble() {
    printf '.globl moat_stack_a\nmoat_stack_a: ret\n%s\n' "$1" |
        "$compiler" -x assembler -c \
            -o "$scratch/moat_objects.dir/stack/a.o" -
}
assemble '.section .note.GNU-stack,"",@progbits'
green "${objects[@]}"
assemble '.section .note.GNU-stack,"x",@progbits'
red 'executable stack' "${objects[@]}"
assemble ''
red 'no GNU-stack note' "${objects[@]}"

# The shared library: a name too many, one too few, an executable stack.
mkdir -p "$scratch/include/moat"
header="$scratch/include/moat/moat.h"
map="$scratch/a.map"
library="$scratch/libmoat.so"
shared() {
    printf '%s\n' "$1" >"$header"
    printf 'V {\nglobal:\n    %s\nlocal:\n    *;\n};\n' "$2" >"$map"
    printf '%s\n' "$3" | "$compiler" -shared -fPIC "${@:4}" \
        -Wl,--version-script="$map",-soname,libmoat.so.0 \
        -x c -o "$library" -
}
exports=("$checks/exports.sh" "$library" "$map" "$nm" "$readelf" "$compiler"
    "$scratch/include")
api='__attribute__((visibility("default"))) int moat_a(int x);'
body='int moat_a(int x) { return x; }'
shared "$api" 'moat_a;' "$body"
green "${exports[@]}"
shared "$api" 'moat_a; moat_b;' "$body"
red 'differ' "${exports[@]}"
shared "$api" 'moat_a;' 'int moat_c;'
red 'moat.map .* differ' "${exports[@]}"
shared "$api ${api/moat_a/moat_d}" 'moat_a;' "$body"
red 'headers .* differ' "${exports[@]}"
"$compiler" -shared -fPIC -x c -o "$scratch/libsigsegv.so" \
    -Wl,-soname,libsigsegv.so.2 - <<<'int sigsegv_a;'
shared "$api" 'moat_a;' "$body" -Wl,--no-as-needed "$scratch/libsigsegv.so"
red 'under the GPL' "${exports[@]}"
shared "$api" 'moat_a;' "$body" -Wl,-z,execstack
red 'executable stack' "${exports[@]}"

exit "$bad"
