#!/bin/sh
#
# syscalls.sh: --syscalls: what C modules may ask of the kernel.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

expect 2 run --syscalls nothing "$scripts/fine.lua"
says "^moat: run: --syscalls: 'nothing' is no system call"
expect 2 run --syscalls getpid,,close "$scripts/fine.lua"
says "^moat: run: --syscalls: '' is no system call"
expect 2 run --syscalls none,getpid "$scripts/fine.lua"
says "^moat: run: --syscalls: 'none' is no system call"

if [ "$SANITIZER" = address ]; then
    echo "skipped: host.syscalls: calls that the sanitizer makes under its locks would trap"
    finish
    exit
fi
script 'print("runs")'
if ! "$MOAT" run --syscalls none "$work/script.lua" >"$work/out" 2>&1; then
    grep -q 'PR_SET_SYSCALL_USER_DISPATCH\|Valgrind' "$work/out" || cat "$work/out"
    echo "skipped: host.syscalls: no Syscall User Dispatch here"
    finish
    exit
fi

# run_with POLICY CODE STATUS: runs code that has the module `calls`.
run_with() {
    script "local calls = require('calls') $2"
    expect "$3" run --syscalls "$1" --module "calls=$CALLS" "$work/script.lua"
}

run_with all 'assert(calls.parent() > 0)' 0
run_with none 'print(calls.parent())' 1
has 'denied system call'
has 'call     getppid (110)'
run_with getppid,close 'assert(calls.parent() > 0)' 0
run_with getppid 'calls.open("/etc/passwd")' 1
has 'call     openat (257)'
run_with read-only 'assert(calls.open("/etc/passwd"))' 0
run_with read-only "calls.open('$work/new', true)" 1
has 'call     openat (257)'
[ ! -e "$work/new" ] || fail "a file was created"
run_with none 'assert(not calls.large())' 0
run_with memory 'assert(calls.large())' 0

# What the host does for scripts is not concerned.
mkdir "$work/data"
echo text >"$work/data/file"
script 'local keep = {}
for i = 1, 2000 do keep[i] = ("x"):rep(5000) .. i end
math.randomseed()
assert(os.clock() >= 0 and os.time() > 0 and #os.date() > 0)
assert(io.open("file"):read("a") == "text\n")'
expect 0 run --syscalls none --read "$work/data" "$work/script.lua"
script 'while true do end'
expect 1 run --syscalls none --cpu 50ms "$work/script.lua"
has 'time limit'
script "require('calls').parent()"
expect 1 run --json --syscalls none --module "calls=$CALLS" "$work/script.lua"
has '"kind":"MOAT_TRAP_SYSCALL"'
finish
