#!/bin/sh
# compare.sh: runs an example and compares its output with the expected output.
#
# Everything in a report that depends on the build is normalised first, in text
# and in JSON: registers, code bytes, stack use, signals, addresses, offsets,
# modules and lines. Frames of the C library below main are removed, and frames
# of moat itself that only builds with a sanitizer have. So are the lines of
# MOAT_REPORT_LINE.
#
# Lines of scripts do not depend on the build and are kept. Equal consecutive
# frames of a recursion are reduced to one.
#
# Usage: compare.sh EXPECTED PROGRAM [ARGUMENT...]
#
# SPDX-License-Identifier: MIT
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 EXPECTED PROGRAM [ARGUMENT...]" >&2
    exit 2
fi
expected=$1
shift
actual=$(mktemp)
trap 'rm -f "$actual"' EXIT

status=0
"$@" >"$actual.raw" || status=$?
sed -E \
    -e '/^ +[a-z][a-z0-9]+ [0-9a-f]{16} /d' \
    -e 's/^(  bytes +).*/\1.../' \
    -e 's/^(  stack +)[0-9]+ of [0-9]+/\1N of N/' \
    -e 's/^(  limit +.*, used )[0-9.]+ [a-z]+$/\1N/' \
    -e 's/^(  access +[a-z]+ [a-z]+ )0x[0-9a-f]{8,}/\1ADDRESS/' \
    -e 's/^(  signal +SIGRTMAX-)[0-9]+/\1N/' \
    -e 's/^(  \.\.\. )[0-9]+( frames left out)/\1N\2/' \
    -e 's/^( +#[0-9]+ +\??)[0-9a-f]{16} /\1ADDRESS /' \
    -e '/^ +#/s/ \([^ ]+, inlined in .*\)$//' \
    -e '/^ +#/{' \
    -e '/\.(ditch|lua):[0-9]+$/!s/ at [^ ]+:[0-9]+$//' \
    -e 's/\+0x[0-9a-f]+( in [^ ]+)?( at [^ ]+)?$/\2/' \
    -e '}' \
    -e '/ trapped: /s/, in [^ ]+ in [^ ]+ at [^ ]+ \(([A-Za-z_0-9]+), inlined in .*\)$/, in \1/' \
    -e '/ trapped: /s/(, in [A-Za-z_0-9]+)(\.cold)?\+0x[0-9a-f]+( in [^ ]+)?( at [^ ]+)?$/\1/' \
    -e '/^\{"coroutine"/{' \
    -e 's/"(signal|code|limit_used|stack_used|frame_count|number|line)":-?[0-9]+/"\1":N/g' \
    -e 's/"(bytes|pc|sp|module|file)":"[^"]*"/"\1":"..."/g' \
    -e 's/"registers":\{[^}]*\}/"registers":{}/' \
    -e 's/,"(module|file)":"\.\.\."//g' \
    -e 's/,"line":N//g' \
    -e 's/,"inlined":\[[^]]*\]//g' \
    -e 's/,"module_offset":"[^"]*"//g' \
    -e 's/\{[^{}]*"function":"annotated_entry"\},//g' \
    -e 's/"handle":"[^"]*"/"handle":"..."/g' \
    -e 's/("function":"main"\}),.*(\],"frames_left_out":[0-9]+\})$/\1\2/' \
    -e '}' \
    "$actual.raw" |
    awk -v own='^(annotated_entry|enter|moat_(resume_run|co_resume_slow))$' '
         /^ +#/ && (below || $NF ~ own) { next }
         /^ +#/ && $NF == "main" { below = 1 }
         /^ +#/ { frame = $0; sub(/#[0-9]+ +/, "", frame) }
         /^ +#/ && frame == last { next }
         /^ +#/ { last = frame; width = / \?/ ? 3 : 4 }
         /^ +#/ { sub(/#[0-9]+ +/, sprintf("#%-" width "d", number++)) }
         { print }' >"$actual"
rm -f "$actual.raw"

if ! diff -u "$expected" "$actual"; then
    echo "$1: the output differs from $expected" >&2
    exit 1
fi
if [ "$status" -ne 0 ]; then
    echo "$1: exit status $status" >&2
    exit 1
fi
