#!/usr/bin/env bash
#
# lines.sh: checks that the frames of a report have the right lines and inlined
# functions and, if they have no name, an address that addr2line accepts.
#
#   lines.sh gcc|clang
#
# The environment, from CMakeLists.txt: SOURCE and BINARY (the project's
# folders), LIBRARY (libmoat.a), LINK (the libraries it needs), LINES_KNOWN (ON:
# by libdw), WORK (a folder of its own).
#
# SPDX-License-Identifier: MIT
set -euo pipefail

compiler=$1
if ! command -v "$compiler" >/dev/null; then
    echo "$compiler is not installed"
    exit 77
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
read -ra link <<<"$LINK"
rm -rf "$WORK"
mkdir -p "$WORK"
cd "$WORK"
cp "$here/lines.c" lines.c

position=-pie # how the program is linked
build() {
    echo "$compiler $*"
    "$compiler" -I"$SOURCE/include" -I"$BINARY/include" "$@" -c lines.c -o lines.o
    "$compiler" "$position" lines.o "$LIBRARY" "${link[@]}" -o lines
}

line_of() {
    grep -n "/\* $1 \*/" lines.c | cut -d: -f1
}

# Fails unless a line of the last output matches.
has() {
    if ! grep -qE -- "$1" printed; then
        echo "not printed: $1"
        cat printed
        exit 1
    fi
}

file='[^ ",]*lines\.c'
fault=$file:$(line_of FAULT)
call_1=$file:$(line_of 'CALL 1')
call_2=$file:$(line_of 'CALL 2')
resume=$file:$(line_of RESUME)

# Checks the frames' lines; $1: the symbols of value_of, sum and guest.
check_lines() {
    read -r value_of sum guest <<<"$1"
    ./lines >printed
    has "^  #0 .* $guest\+0x[0-9a-f]+ in [^ ]*/lines at $fault \($value_of,\
 inlined in $sum at $call_1, inlined in $guest at $call_2\)$"
    # Not the header's lines: the inlined switch belongs to its caller.
    has "^  #[2-9] .* main\+0x[0-9a-f]+ in [^ ]*/lines at $resume$"
    ./lines json >printed
    has "\"function\":\"$guest\",\"module\":\"[^ \"]*/lines\",\
\"module_offset\":\"0x[0-9a-f]+\",\"file\":\"$file\",\"line\":$(line_of FAULT),\
\"inlined\":\[\{\"function\":\"$value_of\",\"call_file\":\"$file\",\
\"call_line\":$(line_of 'CALL 1')\},\{\"function\":\"$sum\",\
\"call_file\":\"$file\",\"call_line\":$(line_of 'CALL 2')\}\]\}"
}

if [ "$LINES_KNOWN" = ON ]; then
    for way in -O0 "-O2 -gdwarf-4" "-O2 -gdwarf-5" "-O2 -gdwarf-aranges"; do
        read -ra flags <<<"$way"
        if [ "$way" = "-O2 -gdwarf-aranges" ] && [ "$compiler" != clang ]; then
            continue # gcc always writes them
        fi
        build -g "${flags[@]}"
        check_lines "value_of sum guest"
        build -g "${flags[@]}" -x c++
        check_lines "_Z8value_ofPVKi _Z3sumPVKi _ZL5guestP7moat_coPv"
    done
fi

# Without names, or when they must not be looked up, the frame has an address
# that addr2line accepts.
check_offset() {
    has '^  #0 .* [^ ]*/lines\+0x[0-9a-f]+$'
    offset=$(sed -nE 's/^  #0 .*lines\+(0x[0-9a-f]+)$/\1/p' printed)
    addr2line -e whole "$offset" >printed
    has "^$fault"
}

for position in -pie -no-pie; do
    build -g -O2 "-f${position#-}"
    cp lines whole
    ./lines poisoned >printed
    check_offset
    strip lines
    ./lines >printed
    check_offset
    ./lines json >printed
    has '"module":"[^ "]*/lines","module_offset":"0x[0-9a-f]+"\}'
done
