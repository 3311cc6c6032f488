/*
 * co.h: coroutines: create, resume, yield, reset, destroy.
 *
 *                    resume                 yield
 *   create --> FRESH -------> RUNNING -------------------> SUSPENDED
 *                ^             |  ^ \   or switch to another   |
 *                |             |  |  \ resumes another         | resume, or
 *                |             |  |   v                        | another
 *                |             |  |  RESUMING                  | switches to it
 *                |             |  |   | that one stops         v
 *                |             |  +---+                      RUNNING
 *                |             |                             (so does cancel)
 *                |             +--return--> DONE
 *                |             +--trap----> TRAPPED
 *                +--reset-- SUSPENDED, DONE, TRAPPED, FRESH
 *
 * destroy is legal in every state but RUNNING and RESUMING.
 *
 * A coroutine belongs to the thread that created it: only that thread resumes,
 * resets and destroys it (once that thread is gone, any thread may destroy it).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CO_H
#define MOAT_CO_H

#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/limits.h>
#include <moat/script.h>
#include <moat/status.h>

typedef enum moat_event_kind {
    MOAT_EVENT_YIELD = 1,   /* value: what the guest yielded                  */
    MOAT_EVENT_RETURN = 2,  /* value: the entry function's result; now DONE   */
    MOAT_EVENT_TRAP = 3,    /* moat_co_trap_info tells what; now TRAPPED      */
    MOAT_EVENT_PREEMPT = 4, /* reserved: its time slice ended                 */
    MOAT_EVENT_PANIC = 5    /* value: the exception that reached the root frame,
                               a struct _Unwind_Exception * that is now the
                               host's (_Unwind_DeleteException); now DONE     */
} moat_event_kind;

typedef struct moat_event {
    moat_event_kind kind;
    void *value; /* NULL for the kinds that have none */
    moat_co *co; /* whose it is: the coroutine that was resumed, or one to
                    which that has handed its place (moat_co_switch_to) */
} moat_event;

/* X(name, number, text). Numbers are pinned. */
/* clang-format off */
#define MOAT_CO_STATE_MAP(X)                                                   \
    X(MOAT_CO_FRESH,     1, "fresh")                                           \
    X(MOAT_CO_RUNNING,   2, "running")                                         \
    X(MOAT_CO_RESUMING,  3, "resuming")                                        \
    X(MOAT_CO_SUSPENDED, 4, "suspended")                                       \
    X(MOAT_CO_DONE,      5, "done")                                            \
    X(MOAT_CO_TRAPPED,   6, "trapped")
/* clang-format on */

typedef enum moat_co_state {
    MOAT_CO_INVALID = 0, /* moat_co_get_state(NULL) */
#define MOAT_CO_STATE_ENUM(name, number, text) name = number,
    MOAT_CO_STATE_MAP(MOAT_CO_STATE_ENUM)
#undef MOAT_CO_STATE_ENUM
        MOAT_CO_STATE_FORCE_INT = 0x7fffffff
} moat_co_state;

/*
 * What the next user of the stack finds on it. Scrubbing happens when the stack
 * changes hands (destroy) and at reset. The default leaves the old contents
 * where they are: right when one tenant reuses its own stacks, wrong between
 * tenants that must not read each other.
 */
#define MOAT_CO_SCRUB_NONE 0u /* nothing: no cost                          */
#define MOAT_CO_SCRUB_ZERO                            \
    1u /* zeros; touched pages stay resident where    \
          /proc/self/pagemap can be read. A destroyed \
          one's wait, up to 64 (16 MiB at most), and  \
          are zeroed together before they are used     */
#define MOAT_CO_SCRUB_DISCARD                       \
    2u /* zeros; the memory goes back to the system \
        */
#define MOAT_CO_SCRUB_MASK 3u

/*
 * Where the coroutine may be cut: by a fault, and by a deadline. What is not
 * allowed is the host's: a fault goes to the previous handler or ends the
 * process, as in a no-trap section; a deadline waits. moat_trap_raise and the
 * recovery point of a moat_notrap_call work under every policy.
 * docs/threat-model.md has a table.
 */
#define MOAT_CO_RECOVER_ANYWHERE 0u /* everywhere, in malloc too */
#define MOAT_CO_RECOVER_CODE                                                 \
    4u                           /* only where the program counter is in     \
                                    registered code (moat_code_register), or \
                                    registered code has called an address    \
                                    at which there is no code;               \
                                    helpers in C are not cut */
#define MOAT_CO_RECOVER_NEVER 8u /* nowhere */
#define MOAT_CO_RECOVER_MASK  12u

typedef struct moat_co_options {
    size_t struct_size; /* sizeof(moat_co_options); MOAT_CO_OPTIONS_INIT */
    size_t stack_bytes; /* usable; rounded up to pages; 0: 256 KiB; at least
                           4 KiB, at most 64 GiB */
    size_t guard_bytes; /* below the stack; rounded up to pages; 0: 64 KiB; at
                           most 64 GiB. A frame larger than the guard can jump
                           it, unless its code probes the stack page by page
                           (-fstack-clash-protection) */
    uint64_t flags;     /* MOAT_CO_SCRUB_... | MOAT_CO_RECOVER_...; 0: no
                           scrubbing, recovery anywhere                       */
    void *user;       /* moat_co_user gives it back; never dereferenced      */
    const char *name; /* copied; shown in backtraces and reports; NULL: none */
    const moat_limits *limits; /* copied; NULL: none but the stack */
    const moat_script *script; /* copied; how the interpreter that runs in it is
                                  read for backtraces; NULL: there is none    */
} moat_co_options;

#define MOAT_CO_OPTIONS_INIT                         \
    {                                                \
        sizeof(moat_co_options), 0, 0, 0, 0, 0, 0, 0 \
    }

MOAT_BEGIN_DECLS

/**
 * Makes a stopped coroutine fresh: the next resume starts its entry function
 * again, on the same stack with the same options.
 *
 * The evidence of a trap (registers, stack contents) is lost: take the report
 * first. Frames of a suspended guest are dropped: their cleanup code does not
 * run; cancel it before if it shall. Functions left by moat_co_defer run first.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co is NULL
 *         MOAT_E_STATE   it is running or resuming, or functions that were left
 *                        by moat_co_defer are running
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack)
 *         MOAT_E_SYSTEM  scrubbing failed; the functions of moat_co_defer have
 *                        run, and it is DONE or, as before, TRAPPED: it can be
 *                        reset again or destroyed
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 * Cost:          no system call unless scrubbing was asked for
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_reset(moat_co *co);

/**
 * Ends a suspended coroutine by unwinding its frames: cleanup attributes of C
 * compiled with -fexceptions, and C++ destructors, run on the guest's stack,
 * innermost first, as at a pthread_exit. A fresh one has nothing to unwind and
 * is DONE at once.
 *
 * What can come of it is in `out`:
 *
 *   RETURN  all frames are gone; the value is NULL; now DONE. Frames compiled
 *           without -fexceptions are passed over; frames without any unwind
 *           information end the unwinding early, and those above are dropped
 *   YIELD   cleanup code has yielded; now SUSPENDED. After a resume it goes on,
 *           and the unwinding with it. A second cancel instead unwinds from
 *           within the cleanup code, and that takes C compiled by gcc: clang
 *           makes it abort, and C++ calls std::terminate
 *   PANIC   a catch (...), or cleanup code in C compiled by gcc, has thrown;
 *           now DONE
 *   TRAP    cleanup code has trapped; so it does by std::terminate, which C++
 *           calls where an unwinding meets a noexcept function (destructors
 *           are), where a destructor throws, and at a catch (...) inside the
 *           handler of another exception; now TRAPPED
 *
 * or, if the guest has caught the unwinding by a catch (...) without rethrowing
 * it, what it did next. Where cleanup code traps in a moat_notrap_call that the
 * guest was in, that call's other frames are dropped, and the unwinding goes on
 * with its caller. std::uncaught_exceptions() does not count the
 * unwinding, and abi::__forced_unwind catches it by name. It takes about 6 KiB
 * of the guest's stack. The coroutine's limits hold as in a resume.
 *
 * C++ keeps one list per thread of the exceptions that are being handled. A
 * guest that yields inside a catch clause shares it with its host, which then
 * must not leave catch clauses in another order; moat/moat.hpp keeps the lists
 * apart.
 *
 * @param co        FRESH or SUSPENDED, created by this thread
 * @param[out] out  what happened; not NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or out is NULL
 *         MOAT_E_STATE   it is running, resuming, done or trapped
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack)
 *         MOAT_E_SYSTEM  the deadline timer could not be made
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED
 * Cost:          some microseconds per frame
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_cancel(moat_co *co,
                                                   moat_event *out);

/**
 * Tells the running coroutine of this thread; NULL on the host's stack.
 *
 * Thread-safety: any. Signal-safety: yes.
 */
MOAT_API moat_co *moat_co_current(void);

/**
 * Tells the state of a coroutine; MOAT_CO_INVALID for NULL.
 *
 * Thread-safety: any thread; another thread's coroutine may have moved on when
 * the answer is read, and RESUMING is told as RUNNING. Signal-safety: yes.
 */
MOAT_API moat_co_state moat_co_get_state(const moat_co *co);

/** Names a state: "suspended"; "invalid" for any other number. */
MOAT_API const char *moat_co_state_str(moat_co_state state);

/**
 * Gives back the `user` of the options; NULL for NULL.
 *
 * Thread-safety: any. Signal-safety: yes.
 */
MOAT_API void *moat_co_user(const moat_co *co);

/**
 * Gives the name from the options; "" if there was none or co is NULL.
 *
 * Ownership: the coroutine's. Thread-safety: any. Signal-safety: yes.
 */
MOAT_API const char *moat_co_name(const moat_co *co);

/*
 * Those below are what the inline functions, and moat_co_switch_to, fall back
 * to. Call the public names; these are listed because code in your objects
 * refers to them.
 */
MOAT_API moat_status moat_co_create_slow(moat_co **out, moat_entry entry,
                                         const moat_co_options *options);
MOAT_API void moat_co_destroy_slow(moat_co *co);
MOAT_API moat_status moat_co_resume_slow(moat_co *co, void *input,
                                         moat_event *out);
MOAT_API moat_status moat_co_settle(moat_co *co, void *value, uint64_t kind,
                                    moat_event *out);
MOAT_API void *moat_co_yield_slow(moat_co *self, void *value);
MOAT_API MOAT_NODISCARD moat_status moat_co_switch_to_slow(moat_co *self,
                                                           moat_co *other,
                                                           void *value,
                                                           void **input);
MOAT_API MOAT_NORETURN MOAT_COLD void moat_co_unwind(moat_co *self);

/**
 * Hands the running coroutine's place to another: symmetric transfer. `self` is
 * SUSPENDED where it stands, and `other` runs in its place: it gets `value` as
 * its input, and what it does next (a yield, a return, a trap, a panic) is the
 * event of the resume that had entered `self`. That event's `co` tells whose it
 * is: who resumes coroutines that switch must go by it, not by the handle that
 * it resumed, and ask it for the trap's record, the report and the core.
 * examples/handover.c shows it. Nothing of the resumer's runs, and the chain of
 * resumers does not grow, however often two coroutines switch to and fro.
 *
 * Comes back when somebody resumes `self`, or switches to it. Both may be done
 * with a coroutine that stopped in either way, in a yield or a switch.
 *
 * Each coroutine has its own limits: those of `self` end here, as at a yield,
 * and those of `other` begin, as at a resume. So do its no-trap sections, its
 * moat_co_defer functions and its policy. The SSE and x87 control words go
 * along as at any switch; after a trap of `other` the resumer has those that it
 * would have after a trap of `self`.
 *
 * @param self        the running coroutine
 * @param other       FRESH or SUSPENDED, created by this thread
 * @param value       its input
 * @param[out] input  what `self` was given when it went on; not NULL, and
 *                    written on MOAT_OK only
 *
 * @return MOAT_OK: `self` goes on; or, at once and with nothing changed,
 *         MOAT_E_INVAL   self, other or input is NULL
 *         MOAT_E_STATE   self is not the running coroutine, is being unwound by
 *                        moat_co_cancel or moat_co_destroy, or a service runs
 *                        on its stack (moat_call_on_parent); or other is
 *                        running, as self is, resuming, done or trapped
 *         MOAT_E_THREAD  other belongs to another thread
 *         MOAT_E_LIMIT   too little stack left, on that of self or of its
 *                        resumer; only if a time limit, a fresh `other` or a
 *                        sanitizer makes the switch a slow one
 *         MOAT_E_SYSTEM  the deadline timer could not be made
 * Does not return, but unwinds the caller, when the coroutine is cancelled.
 *
 * Thread-safety: the coroutines' thread
 * Signal-safety: no
 * Legal in:      RUNNING
 * Cost:          no system call, no allocation; with a time limit as a resume
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_switch_to(moat_co *self,
                                                      moat_co *other,
                                                      void *value,
                                                      void **input);

/**
 * Resumes coroutines one after the other, for schedulers: while one runs, the
 * records and the stacks of those that come next are fetched into the cache. It
 * is for so many that they are not there already: some thousands or more, a few
 * hundred to a call, which take a third to three quarters of the time
 * (bench/many). Of fewer it costs two to four nanoseconds each.
 *
 * Each is resumed as by moat_co_resume, with its own event; each may destroy,
 * resume or switch to others, also to those that come later. At one that is
 * done, trapped or destroyed when its turn comes the batch stops, with
 * MOAT_E_STATE. A destroyed one's handle may stay among them only as long as no
 * coroutine is created, which may get the same handle, and no free stack goes
 * back to the system (moat_engine_trim, moat_engine_options.keep_free_bytes).
 * Else write NULL over it: there the batch stops with MOAT_E_INVAL. A report on
 * one that was trapped shows its own frames and, as the call that resumed it
 * has returned, none of its resumer's.
 *
 * @param cos        `count` of them, FRESH or SUSPENDED, created by this thread
 * @param inputs     a value for each; NULL: NULL for all
 * @param[out] out   an event for each that was resumed
 * @param count      how many; 0: none, and *done is 0
 * @param[out] done  how many were resumed
 *
 * @return MOAT_OK: all; or, with the first *done of them resumed,
 *         MOAT_E_INVAL  cos, out or done is NULL, also if count is 0; then
 *                       *done is not written. Or cos[*done] is
 *         what moat_co_resume of cos[*done] returns, which was not resumed. To
 *         resume the others, call again with cos, inputs and out from
 *         *done + 1 on
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_resume_n(moat_co *const *cos,
                                                     void *const *inputs,
                                                     moat_event *out,
                                                     size_t count,
                                                     size_t *done);

/**
 * Makes many coroutines, each as by moat_co_create: same entry, same options.
 * It is for so many that most need a new stack: where the kernel can, the
 * guards of 64 are made by one system call, and making a million, first resumes
 * included, took a tenth less time (bench/memory). Stacks that were used before
 * are taken first, as a moat_co_create takes them.
 *
 * They are made 64 at a time: in between other threads can have the locks, and
 * a deadline may cut a guest that calls it. Then `out` and *done tell which
 * there are: keep both in memory that outlives the guest, not on its stack.
 *
 * @param[out] out   a handle for each that was made
 * @param entry      what they run; not NULL
 * @param options    for all of them; NULL for all defaults
 * @param users      users[i] is what moat_co_user gives for out[i], whose end
 *                   and destroy are then calls into the library, as with
 *                   options; NULL: all have the options' `user`
 * @param count      how many; 0: none, and *done is 0; the arguments are
 *                   checked all the same
 * @param[out] done  how many were made; they stay, whatever the status
 *
 * @return MOAT_OK: all; or
 *         MOAT_E_INVAL  out, entry or done is NULL, also if count is 0; then
 *                       *done is not written. Or
 *         what moat_co_create of the next one returns
 *
 * Ownership:     the caller's, until moat_co_destroy of each
 * Thread-safety: any thread; the coroutines belong to the calling one
 * Signal-safety: no
 * Cost:          a system call for 64 new stacks; without guards by madvise, or
 *                with MOAT_PAGES=old, one for each
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_create_n(
    moat_co **out, moat_entry entry, const moat_co_options *options,
    void *const *users, size_t count, size_t *done);

#ifdef MOAT_NO_INLINE

MOAT_API MOAT_NODISCARD moat_status
moat_co_create(moat_co **out, moat_entry entry, const moat_co_options *options);
MOAT_API void moat_co_destroy(moat_co *co);
MOAT_API MOAT_NODISCARD moat_status moat_co_resume(moat_co *co, void *input,
                                                   moat_event *out);
MOAT_API void *moat_co_yield(moat_co *self, void *value);

#else

/**
 * Makes a coroutine that will run `entry` on a guarded stack of its own.
 *
 * Initialises the engine and attaches the thread if that has not happened yet.
 * The stack comes from the thread's pool; a stack that was used before is taken
 * without a system call.
 *
 * @param[out] out  the coroutine; written only on MOAT_OK
 * @param entry     what it runs; not NULL
 * @param options   NULL for all defaults; copied, need not outlive the call
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out or entry is NULL; a size is out of range; an
 *                             unknown flag; a struct_size, here, in the limits
 *                             or in the script, smaller than any version's; a
 *                             script without `walk`; the
 *                             environment's MOAT_GUARD is no kind of guard,
 *                             its MOAT_PAGES unknown, or
 *                             its MOAT_TRAP_SOURCE no source
 *         MOAT_E_NOMEM        no memory or address space
 *         MOAT_E_GUARD_LIMIT  no mapping is left for a guard
 *         MOAT_E_LIMIT        too little stack left (on a guest's stack)
 *         MOAT_E_UNSUPPORTED  a limit or option that this build lacks; a guard
 *                             that the environment names and the kernel lacks,
 *                             a source that it names and the program does not
 *                             link
 *         MOAT_E_SYSTEM       a system call failed while initialising
 *
 * Ownership:     the caller's, until moat_co_destroy
 * Thread-safety: any thread; the coroutine belongs to the calling one
 * Signal-safety: no
 */
static inline __attribute__((always_inline)) MOAT_NODISCARD moat_status
moat_co_create(moat_co **out, moat_entry entry, const moat_co_options *options)
{
    moat_co *co;

    /* On the host's stack: nothing can cut it in between. */
    if (MOAT_UNLIKELY(options != NULL || out == NULL || entry == NULL ||
                      MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0))
        return moat_co_create_slow(out, entry, options);
    co = (moat_co *)MOAT_TLS_READ(MOAT_TLS_SPARE);
    if (MOAT_UNLIKELY(co == NULL))
        return moat_co_create_slow(out, entry, options);
    MOAT_TLS_WRITE(MOAT_TLS_SPARE, co->resumer);
    MOAT_TLS_WRITE(MOAT_TLS_SPARES, co->resumer_fp - 1);
    co->entry = entry;
    co->state = co->token;
    *out = co;
    return MOAT_OK;
}

/**
 * Destroys a coroutine and gives its stack back to the pool. A guest that calls
 * it with less than 8 KiB of stack left overflows it, before anything is lost:
 * it traps, or its moat_notrap_call ends; in another no-trap section, or under
 * a policy other than MOAT_CO_RECOVER_ANYWHERE, that is fatal: abort.
 *
 * A suspended one is cancelled first, and gone whatever came of that: if its
 * cleanup code yields or traps, or it catches the unwinding and yields again,
 * the frames left are dropped; an exception that comes out is deleted. To drop
 * all frames without running any code of the guest, reset it first. The frames
 * of a coroutine whose thread has ended are dropped, too.
 *
 * Functions left by moat_co_defer run next, last registered first. A coroutine
 * that is RUNNING or RESUMING, whose functions are running already, or that
 * belongs to another living thread, is left as it is (debug builds assert).
 *
 * @param co  NULL is allowed
 *
 * Thread-safety: the owner's thread; any thread once that one has ended
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED
 */
static inline __attribute__((always_inline)) void moat_co_destroy(moat_co *co)
{
    moat_co *spare;
    uintptr_t count = 1;

    if (MOAT_UNLIKELY(co == NULL || co->state != MOAT_MARK_DONE ||
                      co->flags != 0 ||
                      co->token != MOAT_TLS_READ(MOAT_TLS_TOKEN) ||
                      MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0)) {
        moat_co_destroy_slow(co);
        return;
    }
    spare = (moat_co *)MOAT_TLS_READ(MOAT_TLS_SPARE);
    if (MOAT_LIKELY(spare != NULL))
        count = spare->resumer_fp + 1;
    if (MOAT_UNLIKELY(count > MOAT_SPARES_MOST)) {
        moat_co_destroy_slow(co);
        return;
    }
    co->state = MOAT_MARK_FREE;
    co->resumer = (uintptr_t)spare;
    co->resumer_fp = count;
    MOAT_TLS_WRITE(MOAT_TLS_SPARE, co);
    MOAT_TLS_WRITE(MOAT_TLS_SPARES, count);
}

/**
 * Runs a coroutine until it yields, returns or traps, and tells which.
 *
 * What the guest did is in `out`; the status says only whether the call was
 * legal. If the guest has handed its place to another (moat_co_switch_to), it
 * is that one's event: `out->co` tells whose, and a trap's record, report and
 * core are to be had of that one, not of `co`. On any status but MOAT_OK
 * nothing has happened and `out` is not written. After a trap the host's
 * registers are as the compiler expects them at a call: direction flag clear,
 * x87 stack empty, and the SSE and x87 control words those of the first resume
 * since the coroutine was created or reset (saving them at each resume would
 * cost more than the switch; a coroutine with a time limit has those of this
 * resume). A yield or a return leaves the control words as the guest has them.
 *
 * Inline: two to six nanoseconds there and back. The same symbol exists out of
 * line in the library for foreign-function interfaces; with MOAT_NO_INLINE
 * defined the header declares only that one.
 *
 * @param co        FRESH or SUSPENDED, created by this thread
 * @param input     the entry function's argument, or what the guest's
 *                  moat_co_yield returns
 * @param[out] out  what happened; not NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or out is NULL
 *         MOAT_E_STATE   it is running, resuming, done or trapped
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   too little stack left on a guest's stack; only if co
 *                        has a time limit, or under a sanitizer
 *         MOAT_E_SYSTEM  the deadline timer could not be made
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED
 * Cost:          no system call, no allocation; with a time limit one clock
 *                reading, and seldom one timer_settime
 */
static inline __attribute__((always_inline)) MOAT_NODISCARD moat_status
moat_co_resume(moat_co *co, void *input, moat_event *out)
{
    struct moat_switched back;

    /* One compare for three questions: may it be resumed, by this thread, and
     * does it need nothing but the switch? */
    if (MOAT_UNLIKELY(co == NULL || out == NULL ||
                      co->state != MOAT_TLS_READ(MOAT_TLS_TOKEN)))
        return moat_co_resume_slow(co, input, out);

    co->resumer = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    /* While the thread's word names a coroutine whose state is not RUNNING, a
     * deadline waits: it would find neither that one nor the caller whole. */
    MOAT_TLS_WRITE_CURRENT(co);
    back = moat_switch_resume(co, input);
    /* Not `co`: another may have taken its place, and resumed it since. */
    MOAT_TLS_WRITE_CURRENT(back.co->resumer);
    if (MOAT_UNLIKELY(back.kind > MOAT_EVENT_RETURN))
        return moat_co_settle(back.co, back.value, back.kind, out);
    out->kind = (moat_event_kind)back.kind;
    out->value = back.value;
    out->co = back.co;
    return MOAT_OK;
}

/**
 * Hands a value to the resumer and waits to be resumed.
 *
 * @param self   the running coroutine
 * @param value  the event's value
 * @return the input of the next resume; NULL, at once and without effect,
 * outside a coroutine, when `self` is not the running one, or when a
 * moat_call_on_parent of one that it has resumed is going on. Does not return,
 * but unwinds the caller, when the coroutine is cancelled
 *
 * Thread-safety: the coroutine's thread. Signal-safety: no.
 * Legal in:      RUNNING
 */
static inline __attribute__((always_inline)) void *moat_co_yield(moat_co *self,
                                                                 void *value)
{
    struct moat_resumed back;

    if (MOAT_UNLIKELY(self == NULL ||
                      (uintptr_t)self != MOAT_TLS_READ(MOAT_TLS_CURRENT)))
        return moat_co_yield_slow(self, value);
    back = moat_switch_yield(self, value);
    /* An ordinary call that may throw, behind the switch: no compiler gives an
     * asm statement a place in the tables that name cleanup code. */
    if (MOAT_UNLIKELY(back.command != MOAT_COMMAND_NONE))
        moat_co_unwind(back.self);
    return back.input;
}

#endif

MOAT_END_DECLS

#endif
