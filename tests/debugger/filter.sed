# filter.sed: normalises the parts of a transcript that differ between two runs
# of a debugger or between two machines. The rest is compared unchanged.
#
# SPDX-License-Identifier: MIT

# Addresses and process numbers.
s/0x[0-9a-fA-F]+/0xN/g
s/\b[0-9a-f]{16}\b/N/g
s/\b(LWP|Process|tid =|PID|TID) [0-9]+/\1 N/g
s/^[0-9]+:/N:/

# Line numbers in other files than the scene's.
/scenes\.c:/!s/(\.(c|h|S)):[0-9]+(:[0-9]+)?/\1:N/
s/(scenes\.c:[0-9]+):[0-9]+/\1/

# The C library, with and without debug information; the start of the program.
s/(0xN in )?(__GI_)?syscall \(\).*/syscall ()/
s/(0xN in )?(libc.so.6`)?(__GI_)?syscall at .*/syscall/
/__libc_start|_start( |$)|No such file or directory|This version of LLDB|^\[Thread debugging/d
/^Using host libthread_db/d

# The frames of tasks lie beyond those of moat-sched, however many these are.
/tasks\.c|'(receiver|joiner)' #[0-9]+\]/s/^( *frame )?#[0-9]+:? +/\1#N /
/^[0-9]+\tin /d

# Trailing blanks.
s/ +$//

# Percentages in a profile.
s/^ +[0-9.]+%/ N%/
