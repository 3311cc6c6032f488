#!/usr/bin/env bash
#
# complete.sh: could each case of cases.tsv be built? Fails and names those whose
# Debian package is not installed.
#
#   complete.sh [MISSING...]
#
# SPDX-License-Identifier: MIT
set -euo pipefail
[ "$#" -eq 0 ] && exit 0
echo "cases that are not built, and the packages they want:"
printf '  %s\n' "$@"
echo "tools/setup installs them; then configure again."
exit 1
