#!/bin/sh
#
# streams.sh: missing standard streams, output that cannot be written, and files
# that are no scripts.
#
# SPDX-License-Identifier: MIT
# shellcheck source=expect.sh
. "${0%/*}/expect.sh"

fine=$scripts/fine.lua

# ends STATUS: the exit status of the command before.
ends() {
    cases=$((cases + 1))
    [ "$got" = "$1" ] || fail "$what: status $got, not $1"
}

# A script prints numbers of eight bytes, large and small: what an index, a
# length or an address looks like. Nothing of it may come back as data of the
# command's own.
script 'for i = 0, 255 do io.write(string.pack("<I8", i * 0x0101010101)) end
io.write(string.pack("<I8", 1 << 40), string.pack("<I8", 0))'
: >"$work/out"
: >"$work/err"
for without in 0 1 2 01 02 12 012; do
    what="without the streams $without"
    close=
    case $without in *0*) close="$close <&-" ;; esac
    case $without in *1*) close="$close >&-" ;; *) close="$close >$work/out" ;; esac
    case $without in *2*) close="$close 2>&-" ;; *) close="$close 2>$work/err" ;; esac
    # What cannot be written is a failure; nobody reads standard input.
    case $without in *1*) wanted=3 ;; *) wanted=0 ;; esac
    for command in "run $work/script.lua $fine $work/script.lua" \
        "run --json --jobs 2 $work/script.lua $fine" version 'help run' doctor; do
        what="moat $command, without the streams $without"
        got=0
        eval "\"\$MOAT\" $command $close" || got=$?
        ends "$wanted"
        case $without in
        1 | 01) says 'standard output: Bad file descriptor$' ;;
        esac
    done
done

# Output that cannot be written has a status of its own: scripts have run.
for command in "run $fine" "run $fine $work/script.lua $fine" \
    "run --json $fine" version help 'help doctor' 'doctor --json' 'run --help'; do
    what="moat $command >/dev/full"
    got=0
    # shellcheck disable=SC2086 # a command and its files
    "$MOAT" $command >/dev/full 2>"$work/err" || got=$?
    ends 3
    says 'standard output: No space left on device$'
done
# That is also so after a script that failed.
script 'error("no luck")'
what='a failing script, >/dev/full'
got=0
"$MOAT" run "$work/script.lua" >/dev/full 2>"$work/err" || got=$?
ends 3
what='the verdicts of --raw, 2>/dev/full'
got=0
"$MOAT" run --raw "$fine" 2>/dev/full >"$work/out" || got=$?
ends 3

# A reader that goes away, whether or not the caller ignores SIGPIPE; a script
# that would run for ever is not waited for.
script 'while true do end'
mkfifo "$work/pipe"
for way in '--default-signal=PIPE' '--ignore-signal=PIPE'; do
    what="a broken pipe, $way"
    : <"$work/pipe" &
    got=0
    env "$way" "$MOAT" run --cpu 0 --wall 0 "$fine" "$work/script.lua" \
        >"$work/pipe" 2>"$work/err" || got=$?
    wait
    ends 3
    says 'standard output: Broken pipe$'
done

# A file that would become too large.
script 'io.write(("x"):rep(200000))'
what='a file size limit'
got=0
(ulimit -f 100 && exec "$MOAT" run "$work/script.lua") \
    >"$work/large" 2>"$work/err" || got=$?
ends 3
says 'standard output: File too large$'

# Scripts are regular files. Nothing else is opened, let alone waited for.
expect 2 run "$fine" "$work/pipe"
says "^moat: run: $work/pipe: is a pipe, not a script"
hasnt 'fine'
expect 2 run /dev/null
says '^moat: run: /dev/null: is a device, not a script$'
expect 2 run /dev/tty
says 'is a device\|No such device'
expect 2 run "$work"
says 'is a folder, not a script$'
expect 2 run --module "m=$work/pipe" "$fine"
says '^moat: run: --module: m=.*/pipe: is not a regular file$'
expect 2 run --core-dir "$work/pipe" "$fine"
says 'Not a directory$'
expect 2 run --read "$work/pipe" "$fine"
says 'Not a directory$'
if command -v python3 >/dev/null; then
    python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$work/socket"
    expect 2 run "$work/socket"
    says 'is a socket, not a script$'
else
    echo 'skipped: host.streams: a socket as script: no python3'
fi
ln -s pipe "$work/link.lua"
expect 2 run "$work/link.lua"
says 'link.lua: is a pipe'
# A file that has become a pipe since the options were checked: that is so once
# there are threads, and the first script waits until it has happened.
mkdir "$work/seen"
echo 'repeat until io.open("go")' >"$work/wait.lua"
echo 'print("read")' >"$work/changed.lua"
"$MOAT" run --read "$work/seen" "$work/wait.lua" "$work/changed.lua" \
    >"$work/out" 2>"$work/err" &
process=$!
until [ "$(find "/proc/$process/task" -maxdepth 1 2>&1 | wc -l)" -gt 2 ] ||
    ! kill -0 "$process" 2>/dev/null; do
    sleep 0.01
done
rm "$work/changed.lua"
mkfifo "$work/changed.lua"
: >"$work/seen/go"
got=0
wait "$process" || got=$?
what='a file that becomes a pipe'
ends 1
has '^/.*/changed.lua: load error ('
has '^    /.*/changed.lua: is a pipe, not a script'

# A file that is too large is not read.
truncate -s 300M "$work/large.lua"
expect 1 run "$work/large.lua"
has '^/.*/large.lua: load error (time 0 ns, memory 0 B)$'
has 'File too large$'

# Files of /proc are regular, without a size. This one is no Lua.
expect 1 run /proc/self/status
has '^/proc/self/status: load error ('
finish
