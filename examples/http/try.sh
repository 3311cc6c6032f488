#!/bin/sh
#
# try.sh: a session with the server, by curl.
#
#   try.sh SERVER SCRIPTS
#
# SPDX-License-Identifier: MIT
set -eu
server=$1 scripts=$2

reports=$(mktemp -d)
mkfifo "$reports/ready"
"$server" --address 127.0.0.1 --scripts "$scripts" --reports "$reports" 0 \
    >"$reports/ready" 2>/dev/null &
pid=$!
trap 'kill $pid || true; rm -rf "$reports"' EXIT
read -r _ port <"$reports/ready"

ask() {
    echo "\$ curl localhost:PORT$1"
    answer=$(curl -sS "http://127.0.0.1:$port$1")
    echo "$answer" | sed 's/^report .*/report ID/'
}

ask /hello
ask /lua/hello
ask /overflow
ask /lua/loop
ask /lua/eat
ask /lua/crash
echo "\$ grep -e ^report -e ' lua ' ID.txt"
grep -e ^report -e ' lua ' "$reports/${answer#report }.txt" |
    sed 's/^report [^ ]*:/report ID:/'
ask /hello
