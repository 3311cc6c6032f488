#!/usr/bin/env bash
#
# headers.sh: compiles the umbrella header, and the header that it does not
# include, with one compiler in every supported language, inline and out of
# line.
#
#   headers.sh COMPILER INCLUDE_DIR...
#
# SPDX-License-Identifier: MIT
set -euo pipefail

compiler=$1
includes=("${@:2}")
flags=(-fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef
    -Wmissing-declarations -Werror)

for variant in -DMOAT_INLINE_AS_USUAL -DMOAT_NO_INLINE; do
    for standard in c11 c17 c++11 c++14 c++17 c++20; do
        language=c
        if [[ $standard == c++* ]]; then
            language=c++
        fi
        echo "$compiler -std=$standard $variant"
        printf '#include <moat/%s.h>\n' moat source |
            "$compiler" -x "$language" -std="$standard" "$variant" \
                "${flags[@]}" "${includes[@]/#/-I}" -
    done
done
