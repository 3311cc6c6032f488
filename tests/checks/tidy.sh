#!/usr/bin/env bash
#
# tidy.sh: runs clang-tidy on the library's sources, with the checks of
# .clang-tidy and each file's flags from compile_commands.json.
#
#   tidy.sh CLANG_TIDY BUILD_DIR ROOT FILE...    files named from ROOT
#
# SPDX-License-Identifier: MIT
set -euo pipefail
tidy=$1
build=$2
cd "$3"
# One file at a time: in the second file of a run, clang-tidy 14 reports that a
# va_list was not started.
printf '%s\0' "${@:4}" |
    xargs -0 -n 1 -P "$(nproc)" "$tidy" -p "$build" --quiet \
        --warnings-as-errors='*' 2> >(grep -v 'warnings\? generated' >&2)
