#!/usr/bin/env bash
#
# planted.sh: tests the checks of this folder: plants one violation after
# another and expects each to be found.
#
#   planted.sh CHECKS_DIR CMAKE COMPILER NM READELF CLANG_FORMAT SHELLCHECK
#
# An empty string stands for a tool that is not installed; its check is skipped.
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

# The library's folders, the uppermost first.
mapfile -t floors < <(sed -n '/^[a-z][a-z]*$/p' "$checks/layers.txt")
[ "${#floors[@]}" -ge 8 ]

# The same, once for each folder and each one below it: 'FOLDER PATTERN BELOW'.
red_for_each() {
    local pattern=$1 output i j
    shift
    if output=$("$@" 2>&1); then
        echo "it passed, and it must not: $*"
        bad=1
    fi
    for ((i = 0; i < ${#floors[@]}; i++)); do
        for ((j = i + 1; j < ${#floors[@]}; j++)); do
            grep -q "${floors[i]} $pattern ${floors[j]}" <<<"$output" || {
                echo "not found: ${floors[i]} $pattern ${floors[j]}"
                bad=1
            }
        done
    done
}

# Makes a clean tree with one file; plant FILE LINE adds the violation.
tree() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree"/{host,fuzz/inside,include/moat}
    local floor
    for floor in "${floors[@]}"; do
        mkdir -p "$scratch/tree/$floor"
    done
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
plant stack/a.c '#include <sys/mman.h>'
green "${layers[@]}"
plant trap/a.c '#include "unwind/walks.h"'
red 'trap must not know unwind' "${layers[@]}"
plant trap/a.c '#include "publish/groups.h"'
red 'trap must not know publish' "${layers[@]}"
# Each folder includes each one below it.
tree
for ((i = 0; i < ${#floors[@]}; i++)); do
    for ((j = i + 1; j < ${#floors[@]}; j++)); do
        echo "#  include   \"${floors[j]}/b.h\"" \
            >>"$scratch/tree/${floors[i]}/a.c"
    done
done
red_for_each 'must not know' "${layers[@]}"
plant arch/a.S '#include <stack/stack.h>'
red 'arch must not know stack' "${layers[@]}"
plant include/moat/a.h '#include "arch/arch.h"'
red 'includes <moat/...> only' "${layers[@]}"
plant host/a.c '#include "engine/resume.h"'
red 'host sees <moat/...> only' "${layers[@]}"
plant fuzz/a.c '#include "engine/resume.h"'
red 'fuzz sees <moat/...> only' "${layers[@]}"
plant fuzz/inside/a.c '#include "engine/resume.h"'
green "${layers[@]}"
plant engine/a.c '#include "resume.h"'
red 'name it from the top' "${layers[@]}"
plant engine/a.c '#include "../stack/stack.h"'
red 'leaves its folder' "${layers[@]}"
plant engine/a.c '#include <../stack/stack.h>'
red 'leaves its folder' "${layers[@]}"
plant host/a.c '#include <../engine/thread.h>'
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
# Each folder calls each one below it.
all=()
for ((i = 0; i < ${#floors[@]}; i++)); do
    calls=
    declared=
    for ((j = i + 1; j < ${#floors[@]}; j++)); do
        declared+="void moat_${floors[j]}(void);"
        calls+="moat_${floors[j]}();"
    done
    object "${floors[i]}" "$declared void moat_${floors[i]}(void);
                           void moat_${floors[i]}(void) { $calls }"
    all+=("$scratch/moat_objects.dir/${floors[i]}/a.o")
done
red_for_each 'must not call' "${objects[@]:0:4}" "${all[@]}"
object stack 'void moat_stack_a(void); void moat_stack_a(void) {}'
object trap 'void moat_stack_a(void); void moat_trap_a(void);
             void moat_trap_a(void) { moat_stack_a(); }'
object unwind 'void moat_unwind_a(void); void moat_unwind_a(void) {}'
object trap 'void moat_unwind_a(void); void moat_trap_a(void);
             void moat_trap_a(void) { moat_unwind_a(); }'
red 'trap must not call unwind' "${objects[@]:0:4}" \
    "$scratch"/moat_objects.dir/{unwind,trap}/a.o
object trap 'void moat_stack_a(void); void moat_trap_a(void);
             void moat_trap_a(void) { moat_stack_a(); }'
object stack 'void moat_stack_a(void); void moat_stack_a(void) {} int loose;'
red 'loose, which is not moat_' "${objects[@]}"
object stack 'void moat_stack_a(void); void moat_nowhere(void);
              void moat_stack_a(void) { moat_nowhere(); }'
red 'no object defines moat_nowhere' "${objects[@]}"
object stack 'void moat_stack_a(void);
              __attribute__((constructor)) void moat_stack_a(void) {}'
red 'before or after main' "${objects[@]}"

# Sizes: a tree of small files; then a long file, long functions, a header of
# three files, a room that is too large.
sizes=("$checks/sizes.py" "$scratch/tree")
small() {
    tree
    local floor
    for floor in "${floors[@]}"; do
        printf 'int x;\n%.0s' {1..20} >"$scratch/tree/$floor/a.c"
    done
}
small
green "${sizes[@]}"
printf 'int x;\n%.0s' {1..451} >"$scratch/tree/trap/b.c"
red 'trap/b.c has 451 lines' "${sizes[@]}"
red 'trap holds' "${sizes[@]}"
small
{ printf 'void moat_a(void)\n{\n'; printf '    x++;\n%.0s' {1..9}; echo '}'; } \
    >"$scratch/tree/trap/b.c"
red 'the median function has' "${sizes[@]}"
small
for name in a b c; do
    echo "void moat_$name(void);" >>"$scratch/tree/trap/b.h"
    printf 'void moat_%s(void)\n{\n}\n' "$name" >"$scratch/tree/trap/$name.c"
done
red 'trap/b.h declares for' "${sizes[@]}"

# Two files of a folder that call each other; two headers that include each
# other.
circles=("$checks/circles.py" --nm "$nm" --root "$scratch/tree")
pair=("$scratch"/moat_objects.dir/{stack,trap}/a.o)
tree
object stack 'void moat_stack_a(void); void moat_stack_a(void) {}'
green "${circles[@]}" "${pair[@]}"
object stack 'void moat_trap_a(void); void moat_stack_a(void);
              void moat_stack_a(void) { moat_trap_a(); }'
red 'call each other: stack/a.o trap/a.o' "${circles[@]}" "${pair[@]}"
object stack 'void moat_stack_a(void); void moat_stack_a(void) {}'
tree stack/a.h stack/b.h
echo '#include "stack/b.h"' >>"$scratch/tree/stack/a.h"
green "${circles[@]}" "${pair[@]}"
echo '#include "stack/a.h"' >>"$scratch/tree/stack/b.h"
red 'include each other: stack/a.h stack/b.h' "${circles[@]}" "${pair[@]}"

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

# The shared library: an extra name, a missing name, an executable stack.
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
red 'a.map .* differ' "${exports[@]}"
shared "$api ${api/moat_a/moat_d}" 'moat_a;' "$body"
red 'headers .* differ' "${exports[@]}"
"$compiler" -shared -fPIC -x c -o "$scratch/libsigsegv.so" \
    -Wl,-soname,libsigsegv.so.2 - <<<'int sigsegv_a;'
shared "$api" 'moat_a;' "$body" -Wl,--no-as-needed "$scratch/libsigsegv.so"
red 'under the GPL' "${exports[@]}"
shared "$api" 'moat_a;' "$body" -Wl,-z,execstack
red 'executable stack' "${exports[@]}"

exit "$bad"
