#!/bin/sh
#
# cores.sh: --core-dir writes a core file for each script that traps, and the
# report names it; folders that are refused; core files that cannot be written.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

trap=$scripts/trap_in_coroutine.lua
cores=$work/cores
mkdir -m 700 "$cores"

count() {
    cases=$((cases + 1))
    found=$(find "$cores" -type f | wc -l)
    [ "$found" = "$1" ] || fail "moat $what: $found files, not $1"
}

# Each trap writes its own core file, and the report names it.
script 'error("no trap")'
expect 1 run --core-dir "$cores" --cpu 300ms --module "buggy=$BUGGY" \
    "$scripts/fine.lua" "$work/script.lua" "$trap" "$scripts/overflow.lua" "$trap"
count 3
has "^    core: $cores/trap_in_coroutine.lua.3.[0-9]*.core$"
has "^    core: $cores/overflow.lua.4.[0-9]*.core$"
has "^    core: $cores/trap_in_coroutine.lua.5.[0-9]*.core$"
cases=$((cases + 1))
for file in "$cores"/*; do
    [ "$(stat -c %a "$file")" = 600 ] || fail "mode of $file"
    [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] || fail "$file is no ELF file"
    # e_type: a core
    [ "$(od -A n -t u2 -j 16 -N 2 "$file" | tr -d ' ')" = 4 ] || fail "$file"
done
rm "$cores"/*

# Several threads, as JSON.
expect 1 run --json --jobs 4 --core-dir "$cores" --module "buggy=$BUGGY" \
    "$trap" "$trap" "$trap" "$trap" "$scripts/fine.lua"
count 4
for number in 1 2 3 4; do
    has "\"core\":\"$cores/trap_in_coroutine.lua.$number.[0-9]*.core\""
done
cases=$((cases + 1))
[ "$(grep -c '"core"' "$work/out")" = 4 ] || fail 'a core without a trap'
rm "$cores"/*
expect 1 run --json --module "buggy=$BUGGY" "$trap"
has '"core":null'
count 0

# A name that is too long for a file is truncated.
long=$(printf '%0240d' 7).lua
cp "$trap" "$work/$long"
expect 1 run --core-dir "$cores" --module "buggy=$BUGGY" "$work/$long"
has "^    core: $cores/0*.1.[0-9]*.core$"
count 1
rm "$cores"/*

# An existing file is not overwritten: here the core's name is taken.
cases=$((cases + 1))
cat >"$work/taken" <<END
for name in "$cores"/trap_in_coroutine.lua.1.\$\$.core; do
    ln -s "$work/elsewhere" "\$name"
done
exec "$MOAT" run --core-dir "$cores" --module "buggy=$BUGGY" "$trap"
END
what='with a taken name'
got=0
sh "$work/taken" >"$work/out" 2>"$work/err" || got=$?
[ "$got" = 1 ] || fail "status $got"
has ': null pointer access'
hasnt 'core:'
says '^moat: run: .*/trap_in_coroutine.lua.1.[0-9]*.core: File exists$'
[ ! -e "$work/elsewhere" ] || fail 'a link was followed'
rm "$cores"/*

# An incomplete core is removed, and the verdict stays the same.
cases=$((cases + 1))
what='with little room'
got=0
(ulimit -f 100 &&
    exec "$MOAT" run --json --core-dir "$cores" --module "buggy=$BUGGY" "$trap") \
    >"$work/out" 2>"$work/err" || got=$?
[ "$got" = 1 ] || fail "status $got"
has '"verdict":"null pointer access"'
has '"core":null'
says '^moat: run: .*/trap_in_coroutine.lua.1.[0-9]*.core: File too large$'
count 0

# Folders that are refused; nothing runs.
expect 2 run --core-dir "$work/nowhere" "$scripts/fine.lua"
says "^moat: run: --core-dir: $work/nowhere: No such file or directory$"
hasnt 'fine'
expect 2 run --core-dir "$scripts/fine.lua" "$scripts/fine.lua"
says ': Not a directory$'
for mode in 770 707 1777; do
    chmod "$mode" "$cores"
    expect 2 run --core-dir "$cores" "$scripts/fine.lua"
    says "^moat: run: --core-dir: $cores: others may write to it$"
done
chmod 500 "$cores"
if [ "$(id -u)" = 0 ]; then
    chmod 700 "$cores"
    chown 1 "$cores"
    expect 2 run --core-dir "$cores" "$scripts/fine.lua"
    says "^moat: run: --core-dir: $cores: belongs to another user$"
else
    expect 2 run --core-dir "$cores" "$scripts/fine.lua"
    says "^moat: run: --core-dir: $cores: Permission denied$"
    chmod 700 "$cores"
fi
expect 2 run --core-dir
says '^moat: run: .*requires an argument'
finish
