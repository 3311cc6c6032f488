#!/usr/bin/env bash
#
# session.sh: runs the commands that moat(1) shows, each after '$ ', and compares
# what they print with what the page shows.
#
#   session.sh PAGE MOAT FOLDER
#
# FOLDER: where the page's scripts are.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
page=$(realpath "$1")
ln -s "$(realpath "$2")" "$work/moat"
PATH=$work:$PATH

"$here/example.sh" "$page" >"$work/shown"
cd "$3"
while IFS= read -r line; do
    case $line in
    '$ '*)
        echo "$line"
        # A script that fails makes the command fail.
        bash -c "${line#'$ '}" 2>&1 || true
        ;;
    esac
done <"$work/shown" >"$work/printed"
[ "$(grep -c '^\$ moat' "$work/printed")" -ge 3 ]
{
    echo '<!-- check: session -->'
    echo '```'
    cat "$work/shown"
    echo '```'
} >"$work/document"
"$here/match.sh" "$work/document" session "$work/printed"
