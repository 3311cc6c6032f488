#!/usr/bin/env bash
#
# leaks.sh: runs each case of leaks.c. What is owned must not be reported, what
# is lost must be.
#
#   leaks.sh PROGRAM [CASE...]    without names: all
#
# SPDX-License-Identifier: MIT
set -euo pipefail

program=$1
failed=0

# LeakSanitizer needs ptrace.
try() {
    local status=0
    output=$("$program" "$1" 2>&1) || status=$?
    case $output in
    *"LeakSanitizer has encountered a fatal error"*)
        printf '%s\n' "$1: $output"
        failed=1
        return ;;
    *"LeakSanitizer: detected memory leaks"*) result=lost ;;
    *) [ "$status" -eq 0 ] && result=owned || result="status $status" ;;
    esac
    if [ "$result" != "$2" ]; then
        printf '%s: expected %s, found %s\n%s\n' "$1" "$2" "$result" "$output"
        failed=1
    fi
}

while read -r kind name; do
    [ $# -eq 1 ] || [[ " ${*:2} " == *" $name "* ]] || continue
    try "$name" "$kind"
done < <(ASAN_OPTIONS=detect_leaks=0 LSAN_OPTIONS=detect_leaks=0 "$program")
exit "$failed"
