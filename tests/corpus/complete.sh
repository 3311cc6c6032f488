#!/usr/bin/env bash
#
# complete.sh: fails if a case of cases.tsv could not be built, and names the
# Debian packages that are not installed.
#
#   complete.sh [MISSING...]
#
# SPDX-License-Identifier: MIT
set -euo pipefail
[ "$#" -eq 0 ] && exit 0
echo "cases that are not built, and the packages they need:"
printf '  %s\n' "$@"
echo "tools/setup installs them; then configure again."
exit 1
