#!/usr/bin/env bash
#
# jvm.sh: guests trap in a Java program, and in a C program that creates a JVM.
#
#   jvm.sh INCLUDES LIBRARY COUNT
#
# INCLUDES: folders, separated by ':'. LIBRARY: libmoat.so. Exits with status 77
# if a JDK or a C compiler is not installed.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

for tool in javac java gcc; do
    if ! command -v $tool >/dev/null; then
        echo "skipped: $tool is not installed"
        exit 77
    fi
done
home=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
jvm=$home/lib/server/libjvm.so
if [ ! -e "$jvm" ] || [ ! -e "$home/include/jni.h" ]; then
    echo "skipped: the JDK in $home has no libjvm.so or jni.h"
    exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
flags="-O2 -g -fstack-clash-protection -I${1//:/ -I}"
flags+=" -I$home/include -I$home/include/linux"
folder=$(dirname "$2")
link="-L$folder -lmoat -Wl,-rpath,$folder"
count=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

javac -d "$work" "$here/Host.java"
# shellcheck disable=SC2086
gcc $flags -shared -fPIC -o "$work/libnatives.so" "$here/natives.c" \
    "$here/../traps.c" $link
# Both compilers of the JVM; the first one keeps loads that fault for ever.
java -XX:TieredStopAtLevel=1 -cp "$work" Host "$work/libnatives.so" "$count"
java -cp "$work" Host "$work/libnatives.so" "$count"
# shellcheck disable=SC2086
gcc $flags -o "$work/host" "$here/host.c" "$here/../traps.c" $link \
    -ldl -pthread
"$work/host" "$jvm" "$work" "$count"
