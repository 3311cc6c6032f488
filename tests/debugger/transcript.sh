#!/usr/bin/env bash
#
# transcript.sh: goes through a session that a document shows, and compares what
# comes out.
#
#   transcript.sh SOURCE DOCUMENT BLOCK PROGRAM...
#
# A line '$ COMMAND' of the block is run by the shell, in a folder with the
# programs; of gdb and lldb, the lines '(gdb) ...' and '(lldb) ...' that follow
# are the commands that it is given.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source=$1
document=$2
block=$3
shift 3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Debian 12's lldb looks for its Python module in the wrong place.
for found in /usr/lib/llvm-*/lib/python3*/dist-packages/lldb/__init__.py; do
    [ -e "$found" ] && PYTHONPATH=${found%/lldb/*}
done
export PYTHONPATH=${PYTHONPATH:-}
# It takes the standard modules of the python3 that it finds first.
export PATH=/usr/bin:$PATH
export TERM=dumb LC_ALL=C.UTF-8

skip() {
    echo "skipped: $1"
    exit 77
}

needs() {
    command -v "$1" >/dev/null || skip "$1 is not installed"
    case $1 in
    perf) perf record -q -e cpu-clock -o /dev/null true && echo there ;;
    gdb) gdb -nx -batch -ex 'python print("there")' ;;
    lldb) lldb --no-lldbinit --batch -o 'script print("there")' ;;
    *) echo there ;;
    esac </dev/null 2>/dev/null | grep '^there' >/dev/null ||
        skip "$1 may not record here, or cannot run Python"
}

# gdb WORD... with the commands of the session.
run_gdb() {
    local options=() command
    for command in "${commands[@]}"; do
        options+=(-ex "echo (gdb) ${command//\\/\\\\}\\n" -ex "$command")
    done
    timeout 240 gdb -nx -batch -ex 'set debuginfod enabled off' \
        -ex 'set width 0' -ex 'set auto-load safe-path /' \
        "${options[@]}" "$@" 2>&1 </dev/null
}

# In its batch mode lldb takes a signal for a crash, and goes on with the
# commands for that: those behind the last that lets the program run.
run_lldb() {
    local options=() flag=-k i
    for ((i = ${#commands[@]} - 1; i >= 0; i--)); do
        case ${commands[i]} in run | continue) flag=-o ;; esac
        options=("$flag" "${commands[i]}" "${options[@]}")
    done
    # A core file is there from the start.
    case " $* " in *' -c '*) options=("${options[@]/#-k/-o}") ;; esac
    timeout 240 lldb --no-lldbinit --no-use-colors --batch "${options[@]}" "$@" \
        </dev/null 2>errors || true
    # It ends at the first; its other messages come at any time.
    grep -o 'error: .*' errors || true
}

# Runs what was collected, and forgets it.
finish() {
    local words
    [ -n "$tool" ] || return 0
    read -ra words <<<"${line_of_tool#* }"
    "run_$tool" "${words[@]}"
    tool=
}

# A core file is called core, core.PID, or is not there at all.
find_core() {
    local pattern
    [ -e core ] || mv core.* core 2>/dev/null || {
        read -r pattern </proc/sys/kernel/core_pattern
        skip "no core file (core_pattern is '$pattern')"
    }
}

session() {
    local line tool='' line_of_tool='' commands=()
    while IFS= read -r line; do
        case $line in
        '$ gdb '* | '$ lldb '*)
            finish
            line_of_tool=${line#'$ '}
            tool=${line_of_tool%% *}
            needs "$tool" >&2
            commands=()
            echo "$line"
            ;;
        '$ '*)
            finish
            line_of_tool=${line#'$ '}
            case $line in
            '$ perf '* | '$ eu-stack '*) needs "${line_of_tool%% *}" >&2 ;;
            esac
            echo "$line"
            bash -c "${line#'$ '}" </dev/null 2>/dev/null || true
            case $line in *'ulimit -c'*) find_core >&2 ;; esac
            ;;
        '(gdb) '* | '(lldb) '*) commands+=("${line#*) }") ;;
        esac
    done
    finish
}

for program in "$@"; do
    ln -s "$program" "$scratch/"
done
ln -s "$source/debugger" "$source/examples" "$scratch/"
cd "$scratch"
"$source/tests/docs/block.sh" "$document" "$block" >block
status=0
session <block >output || status=$?
[ "$status" -eq 0 ] || exit "$status"
if grep -qE 'ptrace: Operation not permitted|personality set failed' output; then
    skip "no process may be traced here"
fi
cat output
"$source/tests/docs/match.sh" "$document" "$block" output "$here/filter.sed"
