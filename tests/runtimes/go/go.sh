#!/usr/bin/env bash
#
# go.sh: guests trap in a Go program, and in a C program with a library in Go.
#
#   go.sh INCLUDES LIBRARY COUNT
#
# INCLUDES: folders, separated by ':'. LIBRARY: libmoat.so. Exits with status 77
# if Go or a C compiler is not installed.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

for tool in go gcc; do
    if ! command -v $tool >/dev/null; then
        echo "skipped: $tool is not installed"
        exit 77
    fi
done
here=$(cd "$(dirname "$0")" && pwd)
flags="-O2 -g -fstack-clash-protection -I${1//:/ -I}"
folder=$(dirname "$2")
count=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

export GO111MODULE=off GOFLAGS='' GOCACHE=$work/cache CGO_ENABLED=1
export CGO_CFLAGS=$flags CGO_LDFLAGS="-L$folder -lmoat -Wl,-rpath,$folder"

# The compiler of Go takes a package's C files from its folder.
mkdir -p "$work/host/program"
cp "$here/host.go" "$here/../traps.c" "$work/host/program/"
cp "$here/../traps.h" "$work/host/"
sed -i 's|"traps.h"|"../traps.h"|' "$work/host/program/traps.c"
(cd "$work/host/program" && go build -o "$work/go-host" .)
"$work/go-host" "$count"

# shellcheck disable=SC2086
gcc $flags -o "$work/c-host" "$here/host.c" "$here/../traps.c" \
    $CGO_LDFLAGS -ldl -pthread
(cd "$work" && CGO_LDFLAGS="" go build -buildmode=c-shared \
    -o "$work/library.so" "$here/library.go")
"$work/c-host" "$work/library.so" "$count" go
"$work/c-host" "$work/library.so" "$count" moat
