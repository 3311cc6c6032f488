#!/bin/sh
#
# load.sh: many connections of wrk, while handlers crash: no other request fails.
#
#   load.sh SERVER SCRIPTS
#
# SPDX-License-Identifier: MIT
set -eu
server=$1 scripts=$2

command -v wrk >/dev/null || {
    echo "skipped: http.load: wrk is not installed"
    exit 77
}
work=$(mktemp -d)
mkfifo "$work/ready"
"$server" --address 127.0.0.1 --scripts "$scripts" 0 >"$work/ready" \
    2>"$work/log" &
pid=$!
trap 'kill $pid 2>/dev/null || true; rm -rf "$work"' EXIT
read -r _ port <"$work/ready"

# refuse PATTERN FILE
refuse() {
    if grep "$1" "$2"; then
        echo "unexpected in $2: $1"
        exit 1
    fi
}

# load URL: wrk's output.
load() {
    wrk -t 1 -c 200 -d 2 --timeout 300s "http://127.0.0.1:$port$1" \
        >"$work/wrk"
    refuse 'Socket errors' "$work/wrk"
    grep -q '[1-9][0-9]* requests in ' "$work/wrk"
}

load /hello
refuse 'Non-2xx' "$work/wrk"
load /lua/hello
refuse 'Non-2xx' "$work/wrk"
refuse . "$work/log"

# A crash has a line in the log, and its answer is the only one that is not 200.
# Answers that wrk has not waited for may be among those in the log.
load /sometimes
failed=$(sed -n 's/.*Non-2xx or 3xx responses: //p' "$work/wrk")
logged=$(grep -c '^report .*null pointer access' "$work/log")
[ "${failed:-0}" -le "$logged" ]
[ "${failed:-0}" -ge $((logged - 3)) ]

kill -TERM "$pid"
wait "$pid"
