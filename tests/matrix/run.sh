#!/bin/sh
# run.sh: builds program.c in every way that the switch supports, runs each, and
# prints a table.
#
# The environment, from CMakeLists.txt: SOURCE and BINARY (the project's
# folders), LIBRARY (libmoat.a), LINK and LINK_STATIC (the libraries it needs),
# DEFINES, WORK (a folder of its own), JOBS.
#
# SPDX-License-Identifier: MIT
set -u

here=$(cd "$(dirname "$0")" && pwd)
levels="-O0 -O1 -O2 -O3 -Os"
include="-I$SOURCE/include -I$BINARY/include"

# One way per line.
ways() {
    cat <<'END'
(default)
-fomit-frame-pointer
-fno-omit-frame-pointer
-fcf-protection=full
-fcf-protection=none -fno-pie -no-pie
-fno-plt
-static
-flto
-fstack-protector-all
-fstack-clash-protection
-mno-red-zone
-march=x86-64-v3
-mavx512f -mavx512bw
-DMOAT_NO_INLINE
END
}

# moat itself is compiled too, with the same flags as the program.
whole_ways() {
    cat <<'END'
whole -flto
whole -flto -static
whole -fcf-protection=full
END
}

has() {
    grep -qw "$1" /proc/cpuinfo
}

# Prints why a way cannot be tried here; nothing if it can.
obstacle() {
    compiler=$1
    way=$2
    case $way in
    *-mavx512*)
        has avx512bw || echo "the CPU has no AVX-512" ;;
    *x86-64-v3*)
        { has avx2 && has bmi1 && has bmi2 && has fma && has f16c &&
            has abm && has movbe; } || echo "the CPU is no x86-64-v3" ;;
    esac
    case $way in
    *-flto*)
        probe "$compiler" -flto ||
            echo "$compiler cannot link with -flto" ;;
    esac
    case $way in
    *-static*)
        # shellcheck disable=SC2086
        probe "$compiler" -static $LINK_STATIC ||
            echo "a static library is missing" ;;
    esac
}

probe() {
    compiler=$1
    shift
    echo 'int main(void) { return 0; }' >"$WORK/probe-$$.c"
    "$compiler" "$WORK/probe-$$.c" "$@" -o "$WORK/probe-$$" 2>/dev/null
    result=$?
    rm -f "$WORK/probe-$$" "$WORK/probe-$$.c"
    return $result
}

# Compiles the sources of libmoat.a in this way and prints the objects.
whole_library() {
    compiler=$1
    flags=$2
    folder=$3
    mkdir -p "$folder"
    for source in $SOURCES; do
        object=$folder/$(echo "$source" | tr '/' '_').o
        # shellcheck disable=SC2086
        "$compiler" $flags -std=gnu11 -fPIC -fvisibility=hidden \
            -fasynchronous-unwind-tables -fexceptions $DEFINES -I"$SOURCE" $include \
            -c "$SOURCE/$source" -o "$object" || return 1
        echo "$object"
    done
}

# Builds and runs one; prints "passed" or "failed: ...".
one() {
    compiler=$1
    level=$2
    way=$3
    name=$(echo "$compiler$level$way" | tr -c 'A-Za-z0-9_\n' '_')
    log=$WORK/$name.log
    flags=$(echo "$way" | sed -e 's/(default)//' -e 's/^whole //')
    link=$LINK
    case $way in *-static*) link=$LINK_STATIC ;; esac
    library=$LIBRARY
    strict=-Werror
    case $way in
    whole*)
        strict= # the optimiser warns about code that it cannot analyse
        library=$(whole_library "$compiler" "$level $flags" \
            "$WORK/$name.objects" 2>"$log") || {
            echo "failed: moat does not compile; $log"
            return
        } ;;
    esac
    # shellcheck disable=SC2086
    if ! "$compiler" -std=gnu11 -g -Wall -Wextra $strict $level $flags \
        $PROGRAM_DEFINES $include "$here/program.c" $library $link \
        -o "$WORK/$name" >>"$log" 2>&1; then
        echo "failed: does not build; $log"
    elif ! timeout 300 "$WORK/$name" >>"$log" 2>&1; then
        echo "failed: $(tail -n 1 "$log"); $log"
    else
        echo "passed"
        rm -rf "${WORK:?}/$name" "${WORK:?}/$name.objects" "$log"
    fi
}

# Prints "compiler|level|way" for all that can be tried; the others go to
# `skipped`.
plan() {
    : >"$WORK/skipped"
    for compiler in gcc clang; do
        if ! command -v $compiler >/dev/null; then
            echo "$compiler is not installed" >>"$WORK/skipped"
            continue
        fi
        ways | while read -r way; do
            plan_way "$compiler" "$way" "$levels"
        done
        whole_ways | while read -r way; do
            plan_way "$compiler" "$way" "-O2"
        done
    done
}

plan_way() {
    why=$(obstacle "$1" "$2")
    if [ -n "$why" ]; then
        echo "$1 $2: $why" >>"$WORK/skipped"
        return
    fi
    for level in $3; do
        echo "$1|$level|$2"
    done
}

table() {
    for compiler in gcc clang; do
        printf '\n%-42s %s\n' "$compiler" "$levels"
        { ways; whole_ways; } | while read -r way; do
            printf '  %-40s' "$way"
            for level in $levels; do
                cell=$(grep -F "$compiler|$level|$way|" "$WORK/results" |
                    sed -e 's/.*|//' -e 's/:.*//')
                case $cell in
                passed) printf ' ok ' ;;
                failed) printf ' BAD' ;;
                *) printf ' -  ' ;;
                esac
            done
            echo
        done
    done
}

if [ "${1:-}" = one ]; then
    compiler=$(echo "$2" | cut -d'|' -f1)
    level=$(echo "$2" | cut -d'|' -f2)
    way=$(echo "$2" | cut -d'|' -f3)
    echo "$2|$(one "$compiler" "$level" "$way")"
    exit 0
fi

rm -rf "$WORK"
mkdir -p "$WORK"
plan >"$WORK/plan"
tr '\n' '\0' <"$WORK/plan" | xargs -0 -n 1 -P "${JOBS:-2}" "$0" one >"$WORK/results"
table
echo
sed 's/^/skipped: /' "$WORK/skipped"
grep -v '|passed$' "$WORK/results"
passed=$(grep -c '|passed$' "$WORK/results")
failed=$(($(wc -l <"$WORK/plan") - passed))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
