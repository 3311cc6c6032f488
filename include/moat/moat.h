/*
 * moat.h: the whole C API.
 *
 * moat runs guests (any C-ABI code) in coroutines on guarded stacks. If a
 * guest overflows its stack or faults, the moat_co_resume that runs it returns
 * an event with a full record, and the host goes on.
 *
 *   co.h         coroutines; event.h, co_options.h, spec.h, co_batch.h and
 *                co_inline.h are its parts
 *   clone.h      second continuations of coroutines
 *   adopt.h      coroutines that pass from one thread to another
 *   trap.h       the record of a trap
 *   limits.h     the resources that a guest may use
 *   syscall.h    the system calls of guests and threads
 *   usage.h      what a coroutine has used
 *   heap.h       allocators that may be stopped at any instruction
 *   allocator.h  for allocators that replace malloc
 *   backtrace.h  linked backtraces, reports, core files
 *   report.h     reports in memory
 *   exception.h  exceptions that left a guest, for hosts in C
 *   script.h     frames of an interpreter's script in backtraces
 *   guest.h      calls for code on a guest's stack
 *   roots.h      for garbage collectors: where coroutines keep pointers
 *   region.h     address ranges whose faults a function repairs
 *   code.h       code of JIT compilers
 *   engine.h     the process and its threads
 *   status.h     results of calls
 *   version.h    the version
 *   cpu.h        moat_co, moat_entry, moat_regs, and the switch
 *
 * Not included: moat.hpp (C++17), source.h (for a source of faults), debug.h
 * (for debuggers); and the headers of other libraries: sched.h, gen.h and
 * gen.hpp (moat-sched), malloc.h (moat-malloc).
 *
 * On a guest's stack every function that returns a status may return
 * MOAT_E_LIMIT: too little stack is left, and nothing has happened. Most need
 * 8 KiB. Functions that walk a stopped coroutine (backtraces, reports, cores)
 * return it on the host's stacks, too, and have more names with 48 KiB, and
 * lines with 192 KiB. docs/signal-safety.md and docs/memory.md have tables; the
 * documents and examples that headers name are installed below share/doc/moat.
 *
 * The root frame of a guest is a border. A longjmp across it is a bug of the
 * host. A C++ exception becomes MOAT_EVENT_PANIC. pthread_exit and
 * cancellation abort, which is a trap. With moat-malloc longjmp and
 * pthread_exit are traps of their own kinds.
 *
 * A coroutine is used by the thread that created it. A function with a `const
 * moat_co *` may be called while others read the same coroutine. No function
 * allocates while a guest is resumed, yields or traps. A fault of the host
 * itself has the effect that it has without moat.
 *
 * After a fork the child goes on with the forking thread's coroutines. Those of
 * other threads it may only ask for their state, name, user pointer and trap
 * record, and destroy; all other calls return MOAT_E_THREAD. A guest that forks
 * does not come back to its host in the child, unless its options allow it
 * (co_options.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_H
#define MOAT_H

#include <moat/adopt.h>
#include <moat/allocator.h>
#include <moat/backtrace.h>
#include <moat/clone.h>
#include <moat/co.h>
#include <moat/code.h>
#include <moat/engine.h>
#include <moat/exception.h>
#include <moat/export.h>
#include <moat/guest.h>
#include <moat/heap.h>
#include <moat/limits.h>
#include <moat/region.h>
#include <moat/report.h>
#include <moat/roots.h>
#include <moat/script.h>
#include <moat/status.h>
#include <moat/syscall.h>
#include <moat/trap.h>
#include <moat/usage.h>
#include <moat/version.h>

#endif
