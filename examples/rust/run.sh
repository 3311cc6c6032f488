#!/bin/sh
# run.sh: compiles host.rs with a library of this build, runs it and compares its
# output with ../expected/rust.txt.
#
# Usage: run.sh RUSTC LIBRARY FOLDER
#
# SPDX-License-Identifier: MIT
set -eu

here=$(cd "$(dirname "$0")" && pwd)
libraries=$(dirname "$2")
mkdir -p "$3"
"$1" --edition 2021 -D warnings -C debuginfo=1 -L "$libraries" -l moat \
    -C link-arg=-Wl,-rpath,"$libraries" -o "$3/host" "$here/host.rs"
"$here/../compare.sh" "$here/../expected/rust.txt" "$3/host"
