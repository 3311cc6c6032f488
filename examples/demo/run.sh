#!/bin/sh
#
# run.sh: runs all scripts of this folder in one `moat run`, and compares the
# verdict of each with its first line ('-- expect: stack overflow').
#
#   run.sh MOAT MODULE_DIR [OPTION]...
#
# MODULE_DIR contains the module buggy.so. Further options go to `moat run`.
# Prints the output of `moat run`, then a line per script with its verdict.
# Exit status: 0 if all verdicts are as expected.
#
# SPDX-License-Identifier: MIT
set -eu

if [ "$#" -lt 2 ]; then
    echo "usage: run.sh MOAT MODULE_DIR [OPTION]..." >&2
    exit 2
fi
# The script changes to its own folder, so the caller's paths become absolute.
moat=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
modules=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT

set -- --stack 256K --cpu 1s --wall 60s --memory 64M --read data \
    --module "buggy=$modules/buggy.so" "$@" ./*.lua

{
    status=0
    "$moat" run "$@" || status=$?
    echo "$status" >"$work/status"
} | tee "$work/output"

# The host must exit with status 1, because half of the scripts fail. Any other
# status is a failure of the host.
status=$(cat "$work/status" 2>/dev/null || echo none)

for script in ./*.lua; do
    printf '%s\t%s\n' "$script" "$(sed -n '1s/^-- expect: //p' "$script")"
done >"$work/expected"

echo
if ! awk -F '\t' '
    NR == FNR { expected[$1] = $2; order[++n] = $1; next }
    /^\.\/[a-z_]+\.lua: .* \(time / {
        file = $0; sub(/: .*/, "", file)
        verdict = $0; sub(/^[^:]*: /, "", verdict); sub(/ \(time .*/, "", verdict)
        got[file] = verdict
    }
    END {
        for (i = 1; i <= n; i++) {
            file = order[i]
            verdict = (file in got) ? got[file] : "nothing"
            name = file; sub(/^\.\//, "", name)
            good = verdict == expected[file] && verdict != ""
            remark = good ? "as expected" : "EXPECTED: " expected[file]
            printf "  %-24s %-34s %s\n", name, verdict, remark
            if (!good) wrong++
            if (!(verdict in count)) kinds[++k] = verdict
            count[verdict]++
        }
        printf "%d scripts:", n
        for (i = 1; i <= k; i++)
            printf "%s %d %s", (i > 1 ? "," : ""), count[kinds[i]], kinds[i]
        print ""
        exit wrong > 0
    }' "$work/expected" "$work/output"; then
    echo "demo: not everything came out as expected" >&2
    exit 1
fi
if [ "$status" != 1 ]; then
    echo "demo: the host ended with status $status, not 1" >&2
    exit 1
fi
echo "host alive"
