#!/usr/bin/env bash
#
# objects.sh: what the library's objects define and call. Sees what the
# includes do not show: a function declared by hand across a border.
#
#   objects.sh LAYERS NM READELF OBJECT...    each .../moat_objects.dir/MODULE/...
#
# - A moat_ symbol that an object needs (a weak one it only asks for) is defined in a module that layers.txt
#   allows to the object's module.
# - Every global name begins with moat_, or debuggers look for it.
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
            if ($1 ~ /^[a-z]/) {
                allow[$1, $1] = 1
                for (i = 2; i <= NF; i++)
                    if ($1 == "symbols")
                        free[$i] = 1
                    else
                        allow[$1, $i] = 1
            }
            next
        }
        $2 == "D" {
            home[$3] = $1
            # The compiler names its pointer to a personality routine so, and
            # debuggers look for the others.
            if ($3 !~ /^(moat_|__jit_debug_(descriptor|register_code)$|DW\.ref\.__gcc_personality_v0$)/)
                complain($4 ": defines " $3 ", which is not moat_...")
        }
        $2 == "U" && $3 ~ /^moat_/ { needs[++n] = $0 }
        function complain(text) { print text; bad = 1 }
        END {
            for (i = 1; i <= n; i++) {
                split(needs[i], need, " ")
                if (!(need[3] in home))
                    complain(need[4] ": nobody defines " need[3])
                else if (!(need[3] in free) &&
                         !((need[1], home[need[3]]) in allow))
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
            echo "$object: wants an executable stack"
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
