#!/usr/bin/env bash
#
# bare.sh: without moat-malloc the host of a guest that is stopped in malloc
# hangs, and the runner sees it.
#
#   bare.sh PROGRAM CASE
#
# SPDX-License-Identifier: MIT
set -euo pipefail
output=$("$1" --hang 3 --deadline 20 --repetitions 16 --phases 16 "$2" 2>&1) &&
    status=0 || status=$?
echo "$output"
[ "$status" -eq 1 ]
grep -q 'FAILS: hangs: malloc (left its lock held: free)$' <<<"$output"
