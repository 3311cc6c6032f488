#!/bin/sh
#
# functions.sh: prints the public functions: name, prototype, and signal safety
# according to their comment ('yes', 'no' or '-'), separated by tabs.
#
#   functions.sh INCLUDE_DIR
#
# SPDX-License-Identifier: MIT
set -eu
export LC_ALL=C # co.h comes before co_inline.h

find "$1/moat" -maxdepth 1 \( -name '*.h' -o -name '*.h.in' \) | sort |
    xargs cat | awk '
    # The headers as one text without comments. The signal safety of a function
    # comes from the last comment before its declaration.
    /^#/ || continued { continued = /\\$/; text = text "\n"; next }
    { text = text $0 "\n" }
    END {
        while ((start = index(text, "/*")) > 0) {
            emit(substr(text, 1, start - 1))
            text = substr(text, start + 2)
            stop = index(text, "*/")
            comment = substr(text, 1, stop - 1)
            if (substr(comment, 1, 1) == "*") {
                safety = "-"
                if (comment ~ /Signal-safety:[ ]+yes/) safety = "yes"
                if (comment ~ /Signal-safety:[ ]+no/) safety = "no"
            }
            text = substr(text, stop + 2)
        }
        emit(text)
    }
    function emit(code,    n, i, parts) {
        n = split(code, parts, /[;{}]/)
        for (i = 1; i <= n; i++) {
            if (i == 1) parts[i] = rest parts[i]
            if (i == n && code !~ /[;{}]$/) { rest = parts[i] " "; break }
            rest = ""
            declaration(parts[i])
        }
    }
    function declaration(code,    name, shown) {
        gsub(/[ \t\n]+/, " ", code)
        if (code !~ /MOAT_API|static inline/ || code !~ /\(/) return
        if (code ~ /static inline __attr/) return # of the inline switch
        if (code ~ /extern/) return
        gsub(/__attribute__ ?\(\(always_inline\)\)/, "", code)
        gsub(/MOAT_BEGIN_DECLS|MOAT_END_DECLS/, "", code)
        gsub(/MOAT_API_INLINE|MOAT_API|MOAT_NODISCARD|MOAT_NORETURN|MOAT_COLD|static inline/, "", code)
        gsub(/ +/, " ", code)
        gsub(/\( /, "(", code)
        sub(/^ /, "", code)
        sub(/ $/, "", code)
        name = code
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        if (name in seen) return
        seen[name] = 1
        print name "\t" code "\t" safety
        safety = "-" # a comment belongs to one function
    }
' | sort
