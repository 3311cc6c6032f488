#!/usr/bin/env bash
#
# objects.sh: checks the symbols that the library's objects define and call. It
# also finds functions that are declared by hand instead of included.
#
#   objects.sh LAYERS NM READELF OBJECT...    each .../moat_objects.dir/MODULE/...
#
# - A moat_ symbol that an object needs is defined on the object's own floor of
#   layers.txt or above; a weak one need not be defined.
# - Every global name begins with moat_, except those that debuggers look up.
# - Nothing runs before main: no constructors.
# - No executable stack: each object has its GNU-stack note, without X.
#
# SPDX-License-Identifier: MIT
set -euo pipefail

layers=$1
nm=$2
readelf=$3
objects=("${@:4}")
[ "${#objects[@]}" -gt 0 ] || { echo "objects.sh: no objects" >&2; exit 2; }

# One line per symbol: module, 'D'efined or 'U'ndefined, name.
symbols() {
    local object module
    for object in "${objects[@]}"; do
        module=${object##*moat_objects.dir/}
        module=${module#./}
        module=${module%%/*}
        "$nm" -g "$object" | awk -v module="$module" -v object="$object" '
            NF == 2 && $1 == "U" { print module, "U", $2, object }
            NF == 3 { print module, "D", $3, object }'
    done
}

judge_symbols() {
    awk '
        FNR == NR {
            if ($1 == "symbols")
                for (i = 2; i <= NF; i++)
                    free[$i] = 1
            else if ($1 == "apart")
                for (i = 3; i <= NF; i++)
                    apart[$2, $i] = 1
            else if ($1 ~ /^[a-z]/ && NF == 1)
                floor[$1] = ++floors
            next
        }
        $2 == "D" {
            home[$3] = $1
            # The compiler generates the pointer to the personality routine, and
            # debuggers look up the others.
            if ($3 !~ /^(moat_|__jit_debug_(descriptor|register_code)$|DW\.ref\.__gcc_personality_v0$)/)
                complain($4 ": defines " $3 ", which is not moat_...")
        }
        $2 == "U" && $3 ~ /^moat_/ { needs[++n] = $0 }
        function complain(text) { print text; bad = 1 }
        END {
            for (i = 1; i <= n; i++) {
                split(needs[i], need, " ")
                if (!(need[3] in home))
                    complain(need[4] ": no object defines " need[3])
                else if (!(need[3] in free) &&
                         (floor[home[need[3]]] > floor[need[1]] ||
                          (need[1], home[need[3]]) in apart))
                    complain(need[4] ": " need[1] " must not call " \
                        home[need[3]] " (" need[3] ")")
            }
            exit bad
        }' "$layers" -
}

judge_sections() {
    local object sections bad=0
    for object in "${objects[@]}"; do
        sections=$("$readelf" -SW "$object")
        if grep -Eq '\.(init_array|ctors|fini_array|dtors)' <<<"$sections"; then
            echo "$object: runs code before or after main"
            bad=1
        fi
        if ! grep -q '\.note\.GNU-stack' <<<"$sections"; then
            echo "$object: has no GNU-stack note"
            bad=1
        elif grep -Eq '\.note\.GNU-stack +[A-Z]+( +[0-9a-f]+){4} +[A-Z]*X' \
            <<<"$sections"; then
            echo "$object: needs an executable stack"
            bad=1
        fi
    done
    return "$bad"
}

status=0
symbols | judge_symbols || status=1
judge_sections || status=1
[ "$status" -ne 0 ] || echo "${#objects[@]} objects keep to their layers"
exit "$status"
