#!/bin/sh
#
# left_out.sh: on a machine without 32-bit code the crime that needs it is
# skipped by name, and all others pass.
#
#   left_out.sh PROGRAM [WORD...]
#
# SPDX-License-Identifier: MIT
set -eu

status=0
output=$(MOAT_TEST_LACKS=32-bit "$@" 2>&1) || status=$?
printf '%s\n' "$output"
[ "$status" -eq 0 ] || exit "$status"
printf '%s\n' "$output" | grep -q '^skipped: ud2_in_32_bit_code: '
