#!/usr/bin/env bash
#
# format.sh: checks the layout of every C and C++ file against .clang-format.
#
#   format.sh ROOT CLANG_FORMAT
#
# SPDX-License-Identifier: MIT
set -euo pipefail
cd "$1"
find . \( -path ./build -o -path ./.git \) -prune \
    -o \( -name '*.[ch]' -o -name '*.cc' -o -name '*.hpp' \) -print0 |
    LC_ALL=C sort -z | xargs -0 -r "$2" --dry-run -Werror --style=file --
