#!/usr/bin/env bash
#
# options.sh: what MOAT_SWITCH refuses, and how.
#
#   options.sh ROOT CMAKE GENERATOR COMPILER FOLDER     FOLDER: is overwritten
#
# SPDX-License-Identifier: MIT
set -euo pipefail

root=$1
cmake=$2
generator=$3
compiler=$4
folder=$5
status=0

# refused MESSAGE OPTION...
refused() {
    local message=$1 said
    shift
    rm -rf "$folder"
    if said=$("$cmake" -S "$root" -B "$folder" -G "$generator" \
        -D CMAKE_C_COMPILER="$compiler" "${@/#/-D}" 2>&1); then
        echo "options.sh: $* was accepted"
        status=1
    elif ! tr -s ' \n' ' ' <<<"$said" | grep -qF "$message"; then
        printf 'options.sh: %s: no "%s" in:\n%s\n' "$*" "$message" "$said"
        status=1
    fi
}

refused "MOAT_SWITCH is 'fast'. It is one of: native, ucontext, sigaltstack, threads" \
    MOAT_SWITCH=fast
refused "MOAT_SWITCH is ''. It is one of: native, ucontext, sigaltstack, threads" \
    MOAT_SWITCH=
refused "which the port 'stub' does not support. It has: native." \
    MOAT_SWITCH=ucontext MOAT_ARCH=stub
refused "which the port 'generic' does not support. It has: ucontext." \
    MOAT_SWITCH=native MOAT_ARCH=generic
refused "which the port 'generic' does not support. It has: ucontext." \
    MOAT_SWITCH=sigaltstack MOAT_ARCH=generic
refused "MOAT_SANITIZE=address needs native." \
    MOAT_ARCH=generic MOAT_SANITIZE=address
refused "MOAT_SANITIZE=address needs native." \
    MOAT_SWITCH=ucontext MOAT_SANITIZE=address
refused "MOAT_SANITIZE=thread needs native." \
    MOAT_SWITCH=threads MOAT_SANITIZE=thread
exit "$status"
