#!/bin/sh
#
# curl.sh: requests by curl.
#
#   curl.sh SERVER SCRIPTS
#
# SPDX-License-Identifier: MIT
set -eu
server=$1 scripts=$2

command -v curl >/dev/null || {
    echo "skipped: http.curl: curl is not installed"
    exit 77
}
work=$(mktemp -d)
mkfifo "$work/ready"
"$server" --address 127.0.0.1 --scripts "$scripts" --reports "$work" \
    --max-body 100000 0 >"$work/ready" 2>"$work/log" &
pid=$!
trap 'kill $pid 2>/dev/null || true; rm -rf "$work"' EXIT
read -r _ port <"$work/ready"
base=http://127.0.0.1:$port

# expect WANTED CURL-ARGUMENT...
expect() {
    wanted=$1
    shift
    got=$(curl -sS --max-time 300 "$@") || {
        echo "curl $*: exit status $?"
        exit 1
    }
    [ "$got" = "$wanted" ] || {
        echo "curl $*: '$got' instead of '$wanted'"
        exit 1
    }
}

status='%{http_code}'
head -c 90000 "$server" >"$work/body"
head -c 200000 "$server" >"$work/long"

expect hello "$base/hello"
expect "hello
hello" "$base/hello" "$base/hello"
# One connection for both.
expect 10 -o /dev/null -o /dev/null -w '%{num_connects}' \
    "$base/hello" "$base/hello"
expect hello --http1.0 "$base/hello"
expect hello --http2 "$base/hello"
expect 200 -I -o /dev/null -w "$status" "$base/hello"
expect 404 -o /dev/null -w "$status" "$base/nothing"
expect 405 -o /dev/null -w "$status" -X PUT "$base/hello"
expect "3 bytes" -d abc "$base/bytes"
# Of a body of this size curl asks first.
expect "90000 bytes" --data-binary "@$work/body" -H 'Expect: 100-continue' \
    "$base/bytes"
expect "90000 bytes" -H 'Transfer-Encoding: chunked' \
    --data-binary "@$work/body" "$base/bytes"
expect 413 -o /dev/null -w "$status" --data-binary "@$work/long" "$base/bytes"
expect 431 -o /dev/null -w "$status" -H "X-Long: $(printf '%09000d' 0)" \
    "$base/hello"
expect 414 -o /dev/null -w "$status" "$base/$(printf '%09000d' 0)"
curl -sS -o "$work/back" --data-binary "@$work/body" "$base/echo"
cmp "$work/body" "$work/back"
expect "hello from Lua 5.4" "$base/lua/hello"
expect "GET /lua/echo x
from me" -A me "$base/lua/echo?x"

# A handler that fails, and its report.
report=$(curl -sS "$base/lua/crash" | sed -n 's/^report //p')
grep -q '^report .*: GET /lua/crash: .*null pointer access' \
    "$work/$report.txt"
expect hello "$base/hello"

kill -TERM "$pid"
wait "$pid"
