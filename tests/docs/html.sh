#!/bin/sh
#
# html.sh: builds the guide and the reference (tools/docs) and checks that every
# link in them leads somewhere, and that they have what a reader looks for.
#
#   html.sh ROOT FOLDER
#
# SPDX-License-Identifier: MIT
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$1
html=$2/html

"$root/tools/site/build.py" "$2"
"$here/links.py" "$html"

status=0
expect() {
    grep -q "$2" "$html/$1" || {
        echo "$1 has no $2"
        status=1
    }
}
# Code names the functions that it calls: each is a link to the reference.
expect tutorial.html 'href="reference/co.html#c.moat_co_resume"'
expect reference/co.html 'id="c.moat_co_create"'
expect reference/co.html 'MOAT_E_THREAD'
expect tutorial.html 'event.html#c.moat_event_kind.MOAT_EVENT_PREEMPT"'
expect reference/limits.html 'slice_ns'
expect files/examples/hello.c.html 'moat_co_create'
for document in "$root"/docs/*.md; do
    [ -f "$html/$(basename "$document" .md).html" ] || {
        echo "no page for $document"
        status=1
    }
done
exit "$status"
