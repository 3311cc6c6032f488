#!/usr/bin/env bash
#
# refusals.sh: every refusal that moat_error_detail has to explain notes why.
#
#   refusals.sh ROOT
#
# In the sources of the libraries a status of these kinds comes from a function
# that notes a sentence, or is compared with another one.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

cd "$1"
rooms=(sys arch stack heap registry unwind publish trap engine trace report
    sched malloc sigsegv)
# Statuses that the caller in the same room takes: locked pages are cleared
# instead; a scrub that fails drops the pages; a deadline that is late.
taken='^(sys/linux/pages\.c:.*errno == EINVAL \? MOAT_E_UNSUPPORTED|stack/scrub\.c:.*= MOAT_E_SYSTEM;|stack/trim\.c:.*= MOAT_E_SYSTEM;|trace/script\.c:.*moat_status_str)'

# Each statement on one line, without comments.
statements() {
    local file
    find "${rooms[@]}" -name '*.[ch]' ! -path '*/include/*' | sort |
        while read -r file; do
            gcc -fpreprocessed -dD -E -P -x c "$file" 2>/dev/null |
                tr '\n' ' ' | tr -s ' ' |
                sed -e 's/[;{}]/&\n/g' -e 's/ #/\n#/g' | sed "s|^ *|$file: |"
        done
}

bad=$(statements | grep -E 'MOAT_E_(INVAL|LIMIT|UNSUPPORTED|SYSTEM|FULL)\b' |
    grep -vE '(refuse[a-z_]*|moat_error_note)\(' |
    grep -vE '[!=]= MOAT_E_(INVAL|LIMIT|UNSUPPORTED|SYSTEM|FULL)\b' |
    grep -vE "$taken" || true)
noted=$(statements | grep -cE '(refuse[a-z_]*|moat_error_note)\(')
[ "$noted" -ge 100 ] || { echo "only $noted refusals were found"; exit 1; }
if [ -n "$bad" ]; then
    echo "these note no reason:"
    echo "$bad"
    exit 1
fi
