/*
 * moat.h: everything.
 *
 * moat runs guests (any C-ABI code) in coroutines on guarded stacks. A guest
 * that overflows its stack or faults makes its moat_co_resume return an event
 * with a full record; the host goes on.
 *
 *   co.h         coroutines
 *   trap.h       what a trapped guest did
 *   limits.h     what a guest may use up
 *   backtrace.h  linked backtraces and reports
 *   script.h     an interpreter's own frames in them
 *   guest.h      services for code on a guest's stack
 *   region.h     ranges of memory whose faults are repaired
 *   code.h       code of JIT compilers
 *   engine.h     the process and its threads
 *   status.h     results of calls
 *   version.h    which moat this is
 *   cpu.h        moat_co, moat_entry, moat_regs, and the switch
 *
 * Not included: moat.hpp (C++17), source.h (a source of faults of one's own),
 * debug.h (for debuggers).
 *
 * On a guest's stack any function that returns a status may return
 * MOAT_E_LIMIT: too little stack is left for it, and nothing has happened. Most
 * need 8 KiB; what walks a stopped coroutine (backtraces, reports, cores) needs
 * 48 KiB, and 192 KiB to name functions and lines. docs/signal-safety.md has a
 * table.
 *
 * A guest's frames end at its root: longjmp across the border is a bug of the
 * host's; a C++ exception becomes MOAT_EVENT_PANIC; pthread_exit and
 * cancellation abort, which is a trap.
 *
 * A coroutine is used by the thread that made it. A function that takes a
 * `const moat_co *` may be called while others read the same coroutine. No
 * function allocates while a guest is being resumed, yields or traps. A fault
 * of the host itself stays what it would be without moat.
 *
 * After a fork the child goes on with the forking thread's coroutines. Those of
 * other threads can be asked for their state, name, user and trap record, and
 * be destroyed, there; all else returns MOAT_E_THREAD.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_H
#define MOAT_H

#include <moat/backtrace.h>
#include <moat/co.h>
#include <moat/code.h>
#include <moat/engine.h>
#include <moat/export.h>
#include <moat/guest.h>
#include <moat/limits.h>
#include <moat/region.h>
#include <moat/script.h>
#include <moat/status.h>
#include <moat/trap.h>
#include <moat/version.h>

#endif
