#!/usr/bin/env bash
#
# consumers.sh: installs moat, moves the tree away, and builds and runs programs
# that find it by CMake and by pkg-config, shared, static and fully static.
#
#   consumers.sh CMAKE BUILD_DIR HERE CC CXX LIBDIR
#
# SPDX-License-Identifier: MIT
set -euo pipefail

cmake=$1
build=$2
here=$3
cc=$4
cxx=$5
libdir=$6

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

quietly() {
    "$@" >"$scratch/log" 2>&1 || {
        echo "failed: $*"
        cat "$scratch/log"
        exit 1
    }
}

# Runs a program, which must print these words.
expect() {
    local output
    output=$("${@:2}") || {
        echo "status $?: ${*:2}"
        exit 1
    }
    echo "${*:2}: $output"
    grep -q -- "$1" <<<"$output"
}

quietly "$cmake" --install "$build" --prefix "$scratch/first"
mv "$scratch/first" "$scratch/moved"
prefix=$scratch/moved

echo "no installed text file knows where it was built or first installed"
if grep -rIl -e "$scratch/first" -e "$build" "$prefix"; then
    exit 1
fi
for file in "$libdir/libmoat.a" "$libdir/libmoat.so" "$libdir/libmoat.so.0.1" \
    "$libdir/pkgconfig/moat.pc" "$libdir/cmake/moat/moatConfig.cmake" \
    include/moat/moat.h include/moat/moat.hpp include/moat/version.h include/moat/cpu.h \
    include/moat/switch/x86_64.h; do
    [ -e "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done

echo "the documents and examples that headers and manual pages name"
named=$(grep -rhoE 'docs/[a-z-]+\.md|examples/[a-z_]+\.c' \
    "$prefix/include" "$prefix/share/man" | sort -u)
[ "$(wc -l <<<"$named")" -ge 8 ]
for file in $named; do
    [ -e "$prefix/share/doc/moat/$file" ] || {
        echo "not installed: $file"
        exit 1
    }
done

echo "links in the installed documents lead to installed files"
dead=0
while read -r document; do
    folder=$(dirname "$document")
    # With an anchor or without; not the addresses of the web, nor code, where a
    # lambda looks like a link.
    for target in $(awk '/^```/ { code = !code } !code' "$document" |
        grep -oE '\]\([^):]+\)' | sed -E 's/^\]\(//; s/(#.*)?\)$//'); do
        [ -e "$folder/$target" ] || {
            echo "$document: there is no '$target'"
            dead=1
        }
    done
done < <(find "$prefix/share/doc/moat" -name '*.md' ! -path '*/tests/*')
[ "$dead" = 0 ]

echo "the component lib alone is the shared library, ready to run"
quietly "$cmake" --install "$build" --prefix "$scratch/lib" --component lib
[ -e "$scratch/lib/$libdir/libmoat.so.0.1" ]
[ ! -e "$scratch/lib/include" ]

echo "the command starts from where it was moved to"
[ ! -e "$prefix/bin/moat" ] || expect '^moat [0-9]' "$prefix/bin/moat" version

echo "find_package"
quietly "$cmake" -S "$here/consumer" -B "$scratch/cmake" \
    -D CMAKE_PREFIX_PATH="$prefix" -D CMAKE_C_COMPILER="$cc" \
    -D CMAKE_CXX_COMPILER="$cxx" -D CMAKE_BUILD_TYPE=Release
quietly "$cmake" --build "$scratch/cmake"
for program in in_default in_static in_shared all_static; do
    expect 'moat 0\.1\.0: .*null' "$scratch/cmake/$program"
done
expect 'caught in the guest' "$scratch/cmake/in_cxx"
for program in in_static in_shared; do
    if ldd "$scratch/cmake/$program" | grep -i sigsegv; then
        echo "moat brought libsigsegv, which is under the GPL"
        exit 1
    fi
done

if [ -e "$prefix/$libdir/pkgconfig/moat-malloc.pc" ]; then
    expect 'moat-malloc: memory limit passed' "$scratch/cmake/with_malloc"
    echo "moat-malloc can be preloaded"
    expect 'loaded' env LD_PRELOAD="$prefix/$libdir/libmoat-malloc.so.0.1" \
        echo loaded
fi

if [ -e "$prefix/$libdir/pkgconfig/moat-uv.pc" ]; then
    expect 'moat-uv: null pointer access' "$scratch/cmake/uv_static"
    expect 'moat-uv: null pointer access' "$scratch/cmake/uv_shared"
fi

# moat-sigsegv, if this build has it: chosen by the program, and by the
# environment, which counts only if the program does not choose.
sigsegv_works() {
    MOAT_TRAP_SOURCE='' expect 'by way of sigsegv' "$1"
    MOAT_TRAP_SOURCE=sigsegv expect 'by way of sigsegv' "$1" open
    MOAT_TRAP_SOURCE=sigaction expect 'by way of sigaction' "$1" open
    MOAT_TRAP_SOURCE=sigaction expect 'by way of sigsegv' "$1"
}
# Also in a program that never names it.
sigsegv_can_be_asked_for() {
    MOAT_TRAP_SOURCE='' expect 'by way of sigaction' "$1"
    MOAT_TRAP_SOURCE=sigsegv expect 'by way of sigsegv' "$1"
}
sigsegv=no
if [ -e "$prefix/$libdir/pkgconfig/moat-sigsegv.pc" ]; then
    sigsegv=yes
    sigsegv_works "$scratch/cmake/sigsegv_static"
    sigsegv_works "$scratch/cmake/sigsegv_shared"
    sigsegv_can_be_asked_for "$scratch/cmake/sigsegv_open_static"
    sigsegv_can_be_asked_for "$scratch/cmake/sigsegv_open_shared"
fi

echo "find_package refuses another minor version"
sed 's/moat 0\.1 CONFIG/moat 0.2 CONFIG/' "$here/consumer/CMakeLists.txt" \
    >"$scratch/CMakeLists.txt"
if "$cmake" -S "$scratch" -B "$scratch/refused" \
    -D CMAKE_PREFIX_PATH="$prefix" >/dev/null 2>&1; then
    echo "version 0.2 was found"
    exit 1
fi

export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig

# Splits the output of pkg-config into words.
package=moat
flags() {
    read -ra words < <(pkg-config "$@" "$package")
}

pc_sigsegv() {
    package=moat-sigsegv
    flags "$@" --cflags --libs
    package=moat
    quietly "$cc" -O1 "$here/consumer/consumer_sigsegv.c" "${words[@]}" \
        -Wl,-rpath,"$prefix/$libdir" -o "$scratch/pc_sigsegv"
    sigsegv_works "$scratch/pc_sigsegv"
    for linked in -Wl,--no-as-needed -Wl,--as-needed; do
        quietly "$cc" -O1 -DLEFT_OPEN "$linked" \
            "$here/consumer/consumer_sigsegv.c" "${words[@]}" \
            -Wl,-rpath,"$prefix/$libdir" -o "$scratch/pc_sigsegv_open"
        sigsegv_can_be_asked_for "$scratch/pc_sigsegv_open"
    done
}

echo "pkg-config, shared"
flags --cflags --libs
quietly "$cc" -O1 "$here/consumer/consumer.c" "${words[@]}" \
    -Wl,-rpath,"$prefix/$libdir" -o "$scratch/pc_shared"
expect 'null' "$scratch/pc_shared"
[ "$sigsegv" = no ] || pc_sigsegv

echo "Meson, as examples/meson shows, from the installed examples"
if command -v meson >/dev/null && command -v ninja >/dev/null; then
    quietly env CC="$cc" meson setup "$scratch/meson" \
        "$prefix/share/doc/moat/examples/meson"
    quietly ninja -C "$scratch/meson"
    LD_LIBRARY_PATH=$prefix/$libdir expect 'still here' "$scratch/meson/hello"
    for name in malloc sigsegv; do
        [ -e "$prefix/$libdir/pkgconfig/moat-$name.pc" ] || continue
        mkdir "$scratch/with_$name"
        cp "$here/consumer/consumer_$name.c" "$scratch/with_$name"
        cat >"$scratch/with_$name/meson.build" <<END
project('with_$name', 'c')
executable('host', 'consumer_$name.c', dependencies: dependency('moat-$name'))
END
        quietly env CC="$cc" meson setup "$scratch/meson_$name" \
            "$scratch/with_$name"
        quietly ninja -C "$scratch/meson_$name"
    done
else
    echo "skipped: meson: it is not installed"
fi

if [ -e "$prefix/$libdir/pkgconfig/moat-malloc.pc" ]; then
    package=moat-malloc
    flags --cflags --libs
    package=moat
    for linked in -Wl,--no-as-needed -Wl,--as-needed; do
        quietly "$cc" -O1 "$linked" "$here/consumer/consumer_malloc.c" \
            "${words[@]}" -Wl,-rpath,"$prefix/$libdir" -o "$scratch/pc_malloc"
        expect 'moat-malloc: memory limit passed' "$scratch/pc_malloc"
    done
fi

if [ -e "$prefix/$libdir/pkgconfig/moat-uv.pc" ]; then
    package=moat-uv
    flags --cflags --libs
    package=moat
    quietly "$cc" -O1 "$here/consumer/consumer_uv.c" "${words[@]}" \
        -Wl,-rpath,"$prefix/$libdir" -o "$scratch/pc_uv"
    expect 'moat-uv: null pointer access' "$scratch/pc_uv"
fi

echo "pkg-config, static moat (no shared library that would be preferred)"
rm "$prefix/$libdir"/libmoat*.so*
flags --static --cflags --libs
quietly "$cc" -O1 "$here/consumer/consumer.c" "${words[@]}" \
    -o "$scratch/pc_static"
expect 'null' "$scratch/pc_static"
quietly "$cxx" -O1 "$here/consumer/consumer.cc" "${words[@]}" \
    -o "$scratch/pc_cxx"
expect 'caught in the guest' "$scratch/pc_cxx"
quietly "$cxx" -O1 -static-libgcc -static-libstdc++ \
    "$here/consumer/consumer.cc" "${words[@]}" -o "$scratch/pc_libgcc"
expect 'caught in the guest' "$scratch/pc_libgcc"

[ "$sigsegv" = no ] || pc_sigsegv --static

echo "pkg-config, all static"
flags --define-variable=unwinder=-lgcc_eh --static --cflags --libs
quietly "$cc" -O1 -static "$here/consumer/consumer.c" "${words[@]}" \
    -o "$scratch/pc_all_static"
expect 'null' "$scratch/pc_all_static"
