#!/bin/sh
#
# functions.sh: prints the public functions: name, prototype, and what their
# comment says of signal safety ('yes', 'no' or '-'), separated by tabs.
#
#   functions.sh INCLUDE_DIR
#
# SPDX-License-Identifier: MIT
set -eu

cat "$1"/moat/*.h "$1"/moat/*.h.in | awk '
    # The headers as one text, comments cut out; what the last one said of
    # signal safety stands before the declaration.
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
        if (code !~ /MOAT_API|static inline bool/ || code !~ /\(/) return
        if (code ~ /extern/) return
        gsub(/__attribute__ ?\(\(always_inline\)\)/, "", code)
        gsub(/MOAT_BEGIN_DECLS|MOAT_END_DECLS/, "", code)
        gsub(/MOAT_API|MOAT_NODISCARD|MOAT_NORETURN|MOAT_COLD|static inline/, "", code)
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
' | LC_ALL=C sort
