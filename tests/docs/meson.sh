#!/bin/sh
#
# meson.sh: docs/building.md shows examples/meson/meson.build without its opening
# comment.
#
#   meson.sh ROOT
#
# SPDX-License-Identifier: MIT
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$(dirname "$0")/block.sh" "$1/docs/building.md" meson >"$work/shown"
sed '1,/^# SPDX/d' "$1/examples/meson/meson.build" >"$work/file"
diff -u "$work/shown" "$work/file"
