#!/bin/sh
#
# readme.sh: builds and runs README.md's case with the commands given there.
#
#   readme.sh SOURCE BUILD
#
# SPDX-License-Identifier: MIT
set -eu

block=$1/tests/docs/block.sh
readme=$1/tests/corpus/README.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/build"
ln -s "$1/tests" "$work/tests"
ln -s "$2" "$work/build/debug"
cd "$work"
"$block" "$readme" case >nest.c
sh -euc "$("$block" "$readme" commands)"
