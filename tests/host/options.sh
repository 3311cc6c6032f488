#!/bin/sh
#
# options.sh: arguments, error messages and exit statuses.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

fine=$scripts/fine.lua

# A wrong word prints two lines, not the whole help.
brief() {
    cases=$((cases + 1))
    [ "$(wc -l <"$work/err")" = 2 ] || fail "moat $what: more than two lines"
}

expect 2
says '^usage: moat COMMAND'
expect 2 dance
says "^moat: there is no command 'dance'$"
says "^Try 'moat help'\.$"
brief
expect 0 help
has '^usage: moat COMMAND'
expect 0 --help
has '^usage: moat COMMAND'
for command in run doctor version help; do
    expect 0 "$command" --help
    has "^usage: moat $command"
    expect 0 help "$command"
    has "^usage: moat $command"
done
expect 2 help dance
says "^moat: help: there is no command 'dance'$"
says "^Try 'moat help'\.$"
brief
expect 2 help run version
says "'version' is one argument too many"
expect 0 version
has '^moat [0-9]'
has '^Lua 5\.4'
expect 2 version now
says "^moat: version: 'now': takes no argument$"
says "^Try 'moat version --help'\.$"
expect 2 doctor --loud
says "^moat: doctor: unrecognized option '--loud'$"
says "^Try 'moat doctor --help'\.$"
expect 2 doctor please
says "^moat: doctor: 'please': takes no argument$"
says "^Try 'moat doctor --help'\.$"

expect 2 run
says '^moat: run: no FILE'
says "^Try 'moat run --help'\.$"
expect 2 run --loud "$fine"
says "^moat: run: unrecognized option '--loud'$"
expect 2 run --json=yes "$fine"
says "^moat: run: .*doesn't allow an argument"
expect 2 run --stack
says '^moat: run: .*requires an argument'

# Each message names the option, the value and the limit.
expect 2 run --stack 4K "$fine"
says "^moat: run: --stack: '4K' is too small: at least 16K"
expect 2 run --stack 2G "$fine"
says "--stack: '2G' is too large: at most 1G"
expect 2 run --stack 0 "$fine"
says "--stack: '0' is too small"
expect 2 run --memory 1K "$fine"
says "--memory: '1K' is too small: at least 128K"
expect 2 run --memory 18446744073709551616 "$fine"
says "--memory: '18446744073709551616' is too large: at most 64G"
expect 2 run --memory 17179869184G "$fine"
says "--memory: '17179869184G' is too large"
expect 2 run --output 1 "$fine"
says "--output: '1' is too small: at least 4K"
expect 2 run --cpu 1us "$fine"
says "--cpu: '1us' is too small: at least 1ms (0: no limit)"
expect 2 run --cpu 5 "$fine"
says "--cpu: '5' is not a time"
expect 2 run --wall 86401s "$fine"
says "--wall: '86401s' is too large: at most 86400s"
expect 2 run --jobs 0 "$fine"
says "--jobs: '0' is too small: at least 1"
expect 2 run --jobs 257 "$fine"
says "--jobs: '257' is too large: at most 256"
for garbage in '' ' ' K -1 +1 1.5M 1KB 0x10K '1 K' 64KK ٣K; do
    expect 2 run --stack "$garbage" "$fine"
    says "--stack: '$garbage' is not a size"
done
for garbage in '' s -1s 1.5s 1sec '1 s' 5m; do
    expect 2 run --wall "$garbage" "$fine"
    says "--wall: '$garbage' is not a time"
done

# Input: nothing runs if one file cannot be read.
expect 2 run "$fine" "$work/nowhere.lua"
says 'nowhere.lua: No such file'
hasnt 'fine'
expect 2 run "$work"
says 'is a folder'
expect 2 run -
says '^moat: run: -: .*standard input is not read'
cp "$fine" "$work/-"
cases=$((cases + 1))
(cd "$work" && "$MOAT" run ./- >out 2>err </dev/null) || fail 'a file named -'
has '^\./-: ok ('
expect 2 run --read "$work/nowhere" "$fine"
says 'nowhere: No such file'
expect 2 run --module "$fine" "$fine"
says '^moat: run: --module: .* is not NAME=PATH'
expect 2 run --module "a/b=$fine" "$fine"
says "'a/b' is not a module name"
expect 2 run --module "a=$fine" "$fine"
says '^moat: run: --module: a='
expect 2 run --module "other=$BUGGY" "$fine"
says 'no luaopen function'

# The environment asks for unknown guards.
export MOAT_GUARD=foo
for command in 'doctor' "run $fine"; do
    # shellcheck disable=SC2086 # a command and its file
    expect 2 $command
    says "^moat: ${command%% *}: MOAT_GUARD: 'foo' is none of madvise, mprotect, auto$"
done
for guard in '' auto mprotect; do
    export MOAT_GUARD="$guard"
    expect 0 run "$fine"
done
unset MOAT_GUARD

# The environment asks for an unknown source of faults.
export MOAT_TRAP_SOURCE=foo
expect 2 run "$fine"
says "^moat: run: MOAT_TRAP_SOURCE: 'foo' is none of sigaction, sigsegv, manual, auto$"
export MOAT_TRAP_SOURCE=sigsegv
expect 2 run "$fine"
says "^moat: run: MOAT_TRAP_SOURCE: this command is not linked with the library of 'sigsegv'$"
for source in '' auto sigaction manual; do
    export MOAT_TRAP_SOURCE="$source"
    expect 0 run "$fine"
done
unset MOAT_TRAP_SOURCE

# A machine that refuses a system call says why: here, a timer.
moat=$MOAT
MOAT=$work/without_timers
printf '#!/bin/sh\nexec prlimit --sigpending=0:0 -- "%s" "$@"\n' "$moat" \
    >"$MOAT"
chmod +x "$MOAT"
expect 1 run "$fine"
has 'resume: Resource temporarily unavailable'
hasnt 'errno'
MOAT=$moat

# Values at the limits are accepted.
expect 0 run --stack 64K --memory 64G --output 4K --cpu 86400s --wall 0 \
    --jobs 256 "$fine"
has 'fine.lua: ok'
expect 0 run --cpu 0 --wall 0ms --stack 1G "$fine"
expect 0 run -- "$fine"
expect 0 run --quiet --no-progress "$fine"
hasnt '^fine$'
has 'fine.lua: ok (time .*, memory [^,]*)'
expect 0 run --stack-use "$fine"
has 'fine.lua: ok (time .*, memory .*, stack [1-9].*)'

# --quiet suppresses output and progress; the verdicts and messages remain.
script 'print("chatter") error("no luck")'
expect 1 run --quiet "$work/script.lua"
hasnt 'chatter'
has 'script.lua:1: no luck'
expect 1 run --quiet "$scripts/overflow.lua"
has 'backtrace, innermost first'
expect 1 run --quiet --json "$work/script.lua"
has '"output":"chatter'
finish
