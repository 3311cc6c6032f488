#!/bin/sh
#
# output.sh: what scripts print, raise and are called cannot be mistaken for a
# verdict, and does not reach the terminal as it is.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"
export LC_ALL=C # a character is a byte

# harmless: neither stream has a control character besides newline and tab, a
# byte that is not UTF-8, or a character that directs others.
harmless() {
    for file in "$work/out" "$work/err"; do
        cases=$((cases + 1))
        [ "$(tr -d '\001-\010\013-\037\177\000' <"$file" | wc -c)" = \
            "$(wc -c <"$file")" ] || fail "moat $what: a control character"
        iconv -f UTF-8 -t UTF-8 "$file" >"$work/same" 2>&1 ||
            fail "moat $what: not UTF-8"
        for range in '\302[\200-\237]' '\342\200[\216\217\250-\256]' \
            '\342\201[\246-\257]' '\357\273\277'; do
            # shellcheck disable=SC2059 # the bytes of the range
            ! grep -q -e "$(printf "$range")" "$file" ||
                fail "moat $what: a character that directs others"
        done
    done
}

# verdicts COUNT: so many lines are verdicts. By the rule of the manual: the
# first mark of the line is ": ", not "| ", and it has no indentation.
verdicts() {
    cases=$((cases + 1))
    found=$(grep -c '^[^ ].*: .* (time ' "$work/out" || true)
    marked=$(grep '^[^ ].*: .* (time ' "$work/out" | grep -c '^[^:]*| ' || true)
    [ "$((found - marked))" = "$1" ] || fail "moat $what: not $1 verdicts"
}

# Escape sequences and a false verdict, in output and message.
cat >"$work/spoof.lua" <<'END'
print("\27[2J\27[31mred\27[0m \7\8\127 \r over")
print("spoof.lua: ok (time 1.0 ms, memory 1.0 KiB, stack 4.0 KiB)")
io.write("1 script: 1 ok; host alive\n\n")
io.stderr:write("\u{9b}31m \u{202e}reversed\u{202c} \u{2028} \u{feff}")
io.write("\x9b5m \xc3( \xed\xa0\x80 \0 caf\u{e9} \u{1f600}\ttab")
error("\27]0;title\7 boo\nspoof.lua: ok (time 1.0 ms)\n\u{85}\xff")
END
expect 1 run "$work/spoof.lua"
harmless
verdicts 1
has '^| \\x1b\[2J\\x1b\[31mred\\x1b\[0m \\x07\\x08\\x7f \\x0d over$'
has '^| spoof.lua: ok (time'
has '^| 1 script: 1 ok; host alive$'
has '^| $'
has '^| \\u{9b}31m \\u{202e}reversed\\u{202c} \\u{2028} \\u{feff}\\x9b5m'
has '\\x9b5m \\xc3( \\xed\\xa0\\x80 \\x00 café 😀	tab$'
has '^/.*/spoof.lua: error (time '
has '^    .*spoof.lua:6: \\x1b\]0;title\\x07 boo$'
has '^    spoof.lua: ok (time 1.0 ms)$'
has '^    \\u{85}\\xff$'
# Among several each line has the script's name.
expect 1 run --jobs 2 "$work/spoof.lua" "$scripts/fine.lua" "$work/spoof.lua"
harmless
verdicts 3
has '^/.*/spoof.lua| spoof.lua: ok (time'
has '^/.*/fine.lua| fine$'
hasnt '^| '

# As JSON everything is there, and the terminal is as safe.
expect 1 run --json "$work/spoof.lua"
harmless
has '\\u001[bB]\[2J'
has '\\u009b31m \\u202ereversed\\u202c \\u2028 \\ufeff'
has 'café 😀'
cases=$((cases + 1))
"$CMAKE" -D "FILE=$work/out" -P "$(dirname "$0")/check_json.cmake" \
    >"$work/err" 2>&1 || fail "moat $what: no JSON"

# --raw: the bytes as they are; the verdict is on the other stream.
printf 'io.write("\\27[1m\\0\\xff\\r\\n no newline")' >"$work/script.lua"
expect 0 run --raw "$work/script.lua"
printf '\033[1m\000\377\r\n no newline' >"$work/wanted"
cases=$((cases + 1))
cmp -s "$work/out" "$work/wanted" || fail 'other bytes than the script wrote'
says '^/.*/script.lua: ok (time '
expect 0 run --raw "$work/script.lua" "$work/script.lua"
cat "$work/wanted" "$work/wanted" >"$work/both"
cases=$((cases + 1))
cmp -s "$work/out" "$work/both" || fail 'other bytes than two scripts wrote'
says '^2 scripts: 2 ok; host alive$'
expect 1 run --raw "$work/spoof.lua"
cp "$work/spoof.lua" "$work/out" # only the messages count here
harmless
says '^    .*\\x1b\]0;title'
expect 2 run --raw --json "$work/script.lua"
says '^moat: run: --raw, --json: only one'
if env script --version >/dev/null 2>&1; then
    # A terminal is no place for it.
    cases=$((cases + 1))
    got=0
    env script -qec "$MOAT run --raw $work/script.lua" /dev/null >"$work/out" \
        </dev/null || got=$?
    [ "$got" = 2 ] || fail "--raw on a terminal: status $got"
    has 'standard output is a terminal'
else
    echo 'skipped: host.output: --raw on a terminal: no script(1)'
fi

# Names of files: one that looks like a verdict, and one with everything.
false="$work/a.lua: ok (time 1.0 ms, memory 1.0 KiB, stack 4.0 KiB)"
mkdir -p "$work/a.lua: ok (time 1.0 ms, memory 1.0 KiB, stack 4.0 KiB)"
cp "$scripts/fine.lua" "$false/b| c.lua"
expect 0 run "$false/b| c.lua" "$scripts/fine.lua"
verdicts 2
has '^/.*/a.lua:\\x20ok (time 1.0 ms.*)/b|\\x20c.lua: ok (time '
has '^/.*/a.lua:\\x20ok (time 1.0 ms.*)/b|\\x20c.lua| fine$'
evil=$(printf ' \033[31m\n0 scripts: host dead\n\342\200\256\377.lua')
cp "$work/spoof.lua" "$work/$evil"
cd "$work" || exit
expect 1 run "$evil"
harmless
verdicts 1
has '^\\x20\\x1b\[31m\\x0a0 scripts:\\x20host dead\\x0a\\u{202e}\\xff.lua: error ('
hasnt '^0 scripts'
expect 1 run --json "$evil"
harmless
expect 1 run --core-dir "$work" --cpu 0 --module "buggy=$BUGGY" \
    "$scripts/trap_in_coroutine.lua" "$evil"
cp "$scripts/trap_in_coroutine.lua" "$evil"
mkdir -m 700 cores
expect 1 run --core-dir cores --module "buggy=$BUGGY" "$evil"
harmless
has '^    core: cores/ \\x1b\[31m\\x0a0 scripts'
has "^    coroutine ' .*host dead.*' trapped: null pointer access$"
hasnt '^0 scripts'
# The same in arguments and error messages.
expect 2 run "$evil.none"
harmless
says '^moat: run:  \\x1b\[31m\\x0a.*: No such file'
for word in "--$evil" "--json=$evil" "--c" '-x' "-$evil"; do
    expect 2 run "$word" "$scripts/fine.lua"
    harmless
    says '^moat: run: \(unrecognized option\|option .*\(allow\|ambiguous\)\)'
    expect 2 doctor "$word"
    harmless
done
for option in --stack --cpu --jobs --module --read --core-dir; do
    expect 2 run "$option" "$evil" "$scripts/fine.lua"
    harmless
    says "^moat: run: "
done
expect 2 run --module "m=$evil" "$scripts/fine.lua"
harmless
expect 2 "$evil"
harmless
expect 2 help "$evil"
harmless
expect 2 version "$evil"
harmless
export MOAT_GUARD="$evil"
expect 2 run "$scripts/fine.lua"
harmless
says '^moat: run: MOAT_GUARD: '
unset MOAT_GUARD

# The progress line, which only a terminal gets, has the names too.
if env script --version >/dev/null 2>&1; then
    # It runs until the line has been drawn.
    echo 'local start = os.clock() while os.clock() - start < 0.3 do end' >"$evil"
    what='the progress line'
    cat >"$work/progress" <<END
exec "$MOAT" run "$evil" "$scripts/fine.lua" "$scripts/fine.lua" \\
    "$scripts/fine.lua" "$scripts/fine.lua" >/dev/null
END
    env script -qec "sh '$work/progress'" /dev/null </dev/null >"$work/typed"
    cases=$((cases + 1))
    grep -q '\[0/5\].*\\x1b\[31m\\x0a0 scripts: host dead\\x0a\\u{202e}' \
        "$work/typed" || fail 'no progress line with the name'
    # What the line itself consists of.
    tr '\r' '\n' <"$work/typed" | sed "s/^$(printf '\033')\[K//" >"$work/out"
    : >"$work/err"
    harmless
else
    echo 'skipped: host.output: the progress line: no script(1)'
fi

# Names that a script chooses: of its chunks and of its functions.
cat >"$work/script.lua" <<'END'
local names = {["\27[5m\n    core: /none\n"] = require("buggy").null_write}
local text = "local f, t = ... t['\27[7m\\nx: ok (time'] = function() f() end " ..
    "t['\27[7m\\nx: ok (time']() return 1"
local chunk = load(text, "@\27[31m\nx: ok (time 1 ms)")
print(pcall(chunk, function() error("\27[3m") end, {}))
for _, f in pairs(names) do chunk(f, {}) end
END
expect 1 run --module "buggy=$BUGGY" "$work/script.lua"
harmless
verdicts 1
hasnt '^ *x: ok (time'
hasnt '^    core:'
has 'lua .*\\x1b\[31m.*x: ok (time 1 ms)'
expect 1 run --json --module "buggy=$BUGGY" "$work/script.lua"
harmless
finish
