#!/usr/bin/env bash
#
# transcript.sh: runs a session that a document shows, and compares the output.
#
#   transcript.sh SOURCE DOCUMENT BLOCK PROGRAM...
#
# The shell runs each line '$ COMMAND' of the block in a folder with the
# programs. gdb and lldb are given the commands in the lines '(gdb) ...' and
# '(lldb) ...' that follow.
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

# Debian 12's lldb looks for its Python module in the wrong folder.
for found in /usr/lib/llvm-*/lib/python3*/dist-packages/lldb/__init__.py; do
    [ -e "$found" ] && PYTHONPATH=${found%/lldb/*}
done
export PYTHONPATH=${PYTHONPATH:-}
# lldb uses the standard modules of the first python3 in PATH.
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
        skip "$1 is not permitted to record, or cannot run Python"
}

# Runs gdb WORD... with the commands of the session.
run_gdb() {
    local options=() command
    for command in "${commands[@]}"; do
        options+=(-ex "echo (gdb) ${command//\\/\\\\}\\n" -ex "$command")
    done
    timeout 240 gdb -nx -batch -ex 'set debuginfod enabled off' \
        -ex 'set width 0' -ex 'set auto-load safe-path /' \
        "${options[@]}" "$@" 2>&1 </dev/null
}

# In batch mode, lldb treats a signal as a crash, and then runs the commands for
# crashes (-k). These are the ones after the last command that runs the program.
run_lldb() {
    local options=() flag=-k i
    for ((i = ${#commands[@]} - 1; i >= 0; i--)); do
        case ${commands[i]} in run | continue) flag=-o ;; esac
        options=("$flag" "${commands[i]}" "${options[@]}")
    done
    # With a core file, the program has stopped from the start.
    case " $* " in *' -c '*) options=("${options[@]/#-k/-o}") ;; esac
    timeout 240 lldb --no-lldbinit --no-use-colors --batch "${options[@]}" "$@" \
        </dev/null 2>errors || true
    # lldb ends at its first error; other messages come at any time.
    grep -o 'error: .*' errors || true
}

# Runs the collected commands and clears them.
finish() {
    local words
    [ -n "$tool" ] || return 0
    read -ra words <<<"${line_of_tool#* }"
    "run_$tool" "${words[@]}"
    tool=
}

# A core file is named core or core.PID, or there is none.
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
[ "$status" -ne 77 ] || exit "$status"
refused="ptrace: Operation not permitted|personality set failed"
refused+="|'A' packet returned an error"
if grep -qE "$refused" output; then
    skip "no process may be traced here"
fi
[ "$status" -eq 0 ] || exit "$status"
cat output
"$source/tests/docs/match.sh" "$document" "$block" output "$here/filter.sed"
