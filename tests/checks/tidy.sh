#!/usr/bin/env bash
#
# tidy.sh: clang-tidy over the library's sources, as .clang-tidy says. Reads
# compile_commands.json, so it knows each file's flags.
#
#   tidy.sh CLANG_TIDY BUILD_DIR ROOT FILE...    files named from ROOT
#
# SPDX-License-Identifier: MIT
set -euo pipefail
tidy=$1
build=$2
cd "$3"
# One file at a time: of a second one's va_list, clang-tidy 14 believes that
# nobody has started it.
printf '%s\0' "${@:4}" |
    xargs -0 -n 1 -P "$(nproc)" "$tidy" -p "$build" --quiet \
        --warnings-as-errors='*' 2> >(grep -v 'warnings\? generated' >&2)
