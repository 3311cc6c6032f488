#!/usr/bin/env bash
#
# preload.sh: programs that know nothing of moat run with the library preloaded
# as without it; and it refuses what it must not be used with.
#
#   preload.sh LIBRARY COMPILER WORK_FOLDER PROGRAMS
#
# PROGRAMS is the folder of the tests that are also run before another
# allocator.
#
# SPDX-License-Identifier: MIT
set -euo pipefail
export LC_ALL=C

library=$1
compiler=$2
work=$3
programs=$4

mkdir -p "$work"
cd "$work"

status=0
same() {
    if ! diff <("$@" 2>&1) <(LD_PRELOAD=$library "$@" 2>&1) >differences; then
        echo "differs with the library: $*"
        head -5 differences
        status=1
    fi
}

same sort "$0"
same awk 'BEGIN { for (i = 0; i < 9999; i++) a[i] = i; print length(a) }'
same bash -c 'for i in {1..2000}; do x+=$i; done; echo ${#x}; (exit 3) || true'
same "$compiler" -E -x c /dev/null
if command -v python3 >/dev/null; then
    same python3 -c 'import threading
t = [threading.Thread(target=lambda: [str(i) for i in range(9999)])
     for _ in range(8)]
[x.start() for x in t]; [x.join() for x in t]; print("done")'
fi

# What the library refuses, it says in a line.
refused() {
    local words=$1
    shift
    if said=$("$@" 2>&1) || ! grep -q "^moat-malloc: $words" <<<"$said"; then
        echo "not refused ($words): $* said: $said"
        status=1
    fi
}
refused 'MOAT_MALLOC_QUOTA' \
    env MOAT_MALLOC_QUOTA=1X LD_PRELOAD="$library" true
refused 'MOAT_MALLOC_QUOTA' \
    env MOAT_MALLOC_QUOTA=257G LD_PRELOAD="$library" true
refused 'MOAT_MALLOC_LIMIT' \
    env MOAT_MALLOC_LIMIT=maybe LD_PRELOAD="$library" true
refused 'MOAT_MALLOC_KEEP' \
    env MOAT_MALLOC_KEEP=some LD_PRELOAD="$library" true
MOAT_MALLOC_QUOTA=1G MOAT_MALLOC_LIMIT=null MOAT_MALLOC_KEEP=0 \
    LD_PRELOAD=$library true

# Another allocator: after the library it serves the host, and the guests have
# their heaps; before it, it would serve all of them.
folder=/usr/lib/$("$compiler" -print-multiarch)
for other in libjemalloc.so.2 libtcmalloc_minimal.so.4; do
    if [ ! -e "$folder/$other" ]; then
        echo "skipped: malloc.preload: no $other"
        continue
    fi
    for program in "malloc_family" "malloc_cxx 1"; do
        # shellcheck disable=SC2086 # a name and an argument
        if ! MOAT_TEST_NEXT=$other LD_PRELOAD="$library:$folder/$other" \
            "$programs"/$program >log 2>&1; then
            echo "$program fails before $other:"
            tail -5 log
            status=1
        fi
    done
    same_with=$library:$folder/$other
    if ! diff <(sort "$0") <(LD_PRELOAD=$same_with sort "$0") >/dev/null; then
        echo "sort differs before $other"
        status=1
    fi
    refused 'another allocator' env LD_PRELOAD="$folder/$other:$library" true
done

if echo 'int main(void) { return 0; }' |
    "$compiler" -fsanitize=address -x c - -o sanitized 2>log; then
    refused 'this program has a sanitizer' \
        env ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD="$library" \
        ./sanitized
else
    echo "skipped: malloc.preload: $compiler has no AddressSanitizer"
fi
exit "$status"
