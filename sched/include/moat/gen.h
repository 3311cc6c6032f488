/*
 * gen.h: generators: a function that yields items, as a sequence that its
 * consumer takes one by one. In the library moat-sched.
 *
 *     static void count(moat_gen *gen, void *limit)
 *     {
 *         for (int i = 0; i < *(int *)limit; i++)
 *             moat_gen_yield(gen, &i);
 *     }
 *
 *     moat_gen_create(&gen, count, &limit, NULL);
 *     MOAT_FOR_EACH (item, gen)
 *         printf("%d\n", *(int *)item);
 *     if (moat_gen_status(gen) != MOAT_OK)
 *         the sequence is not complete;
 *     moat_gen_destroy(gen);
 *
 * The body runs in a coroutine of its own, whose faults, overflow and limits
 * end the sequence and not the program. A yield may stand anywhere below the
 * body: a recursive walk yields from its depth, at the same cost as from its
 * first call. A body may consume other generators. In a task (sched.h) it may
 * wait, as the task may.
 *
 * A generator belongs to the thread that created it, as a coroutine does.
 *
 * next and yield are inline. The library has the same symbols out of line, for
 * foreign-function interfaces; with MOAT_NO_INLINE defined the header declares
 * only those.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_GEN_H
#define MOAT_GEN_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/export.h>
#include <moat/moat.h>
#include <moat/status.h>

/* A generator is its coroutine. The separate type keeps it from functions that
 * would bypass the library; moat_gen_co is for functions that only inspect. */
typedef struct moat_gen moat_gen;

/**
 * A generator's body, which runs on the generator's own stack.
 *
 * The sequence ends when it returns. It must not transfer to another coroutine
 * (moat_co_switch_to), whose events would be taken for those of the body.
 *
 * @param gen  the generator, for moat_gen_yield
 * @param arg  that of moat_gen_create
 */
typedef void (*moat_gen_body)(moat_gen *gen, void *arg);

/* The state of a MOAT_FOR_EACH. */
struct moat_gen_loop {
    moat_gen *gen;
    bool go_on; /* false: after a break */
};

MOAT_BEGIN_DECLS

/**
 * Creates a generator. Its body starts at the first moat_gen_next.
 *
 * A guest that may trap should register the generator's end:
 * moat_co_defer(co, destroy, gen).
 *
 * @param[out] out  the handle; written only on MOAT_OK
 * @param body      not NULL
 * @param arg       passed to the body
 * @param options   of its coroutine; NULL for all defaults; copied. `user` is
 *                  not used
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out or body is NULL, or as from moat_co_create
 *         MOAT_E_NOMEM        no memory or address space
 *         MOAT_E_STACK        the thread's guest was left by longjmp: destroy
 *                             it
 *         MOAT_E_GUARD_LIMIT  no mapping is left for a guard
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_UNSUPPORTED  as from moat_co_create
 *         MOAT_E_SYSTEM       a system call of the initialisation failed; see
 *                             errno
 *
 * Ownership:     the caller's, until moat_gen_destroy; arg stays the caller's
 * Thread-safety: any thread; the generator belongs to the calling one
 * Signal-safety: no
 * Cost:          a malloc and a moat_co_create
 * See also:      moat_gen_create_from, moat_gen_next, moat_gen_destroy
 */
MOAT_API MOAT_NODISCARD moat_status
moat_gen_create(moat_gen **out, moat_gen_body body, void *arg,
                const moat_co_options *options);

/**
 * Creates a generator from a spec.
 *
 * Like moat_gen_create with the options of the spec. It takes the stack of a
 * generator that was destroyed, or one that moat_spec_prepare has made ready.
 *
 * @param[out] out  the handle; written only on MOAT_OK
 * @param spec      not NULL
 * @param body      not NULL
 * @param arg       passed to the body
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        out, spec or body is NULL
 *         MOAT_E_NOMEM        no memory or address space
 *         MOAT_E_STACK        the thread's guest was left by longjmp: destroy
 *                             it
 *         MOAT_E_GUARD_LIMIT  no mapping is left for a guard
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_SYSTEM       a system call of the initialisation failed; see
 *                             errno
 *
 * Ownership:     the caller's, until moat_gen_destroy; arg stays the caller's
 * Thread-safety: any thread; the generator belongs to the calling one
 * Signal-safety: no
 * Cost:          a malloc and a moat_co_create_from
 * See also:      moat_gen_create, moat_spec_create
 */
MOAT_API MOAT_NODISCARD moat_status moat_gen_create_from(moat_gen **out,
                                                         moat_spec *spec,
                                                         moat_gen_body body,
                                                         void *arg);

/**
 * Runs the body to its next item.
 *
 * To loop over all items, use the macro, which declares `item` as a void *:
 *
 *     MOAT_FOR_EACH (item, gen)
 *         use(item);
 *
 * If that loop is left early (break, return, goto), it ends the generator as
 * moat_gen_cancel does. To go on later, write a loop that calls moat_gen_next.
 *
 * After false the sequence is over: moat_gen_status reports whether it is
 * complete, and further calls return false and change nothing. The call also
 * returns false if it is refused: the generator is running or belongs to
 * another thread, or too little stack is left. moat_gen_status then has the
 * status of moat_co_resume, and the generator can go on.
 *
 * The item may point to the body's stack. It is then valid until the next call
 * for this generator.
 *
 * @param gen        NULL is allowed
 * @param[out] item  what the body has yielded; not NULL; written only if the
 *                   call returns true
 * @return true if there is an item
 *
 * Ownership:     as body and consumer agree
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Cost:          together with the yield, that of a moat_co_resume and a
 *                moat_co_yield (bench/generator)
 * See also:      MOAT_FOR_EACH, moat_gen_status
 */
MOAT_API_INLINE bool moat_gen_next(moat_gen *gen, void **item);

/**
 * Passes an item to the consumer and waits until it asks for the next one.
 *
 * It may be called from any depth below the body. If the generator is ended
 * early the call does not return: it unwinds the caller (moat_gen_cancel).
 *
 * A yield to a generator whose body is not the running code would lose the
 * item. The running guest traps instead (moat_trap_raise with MOAT_E_STATE as
 * its code). On the host's stack, or in a host call, the process aborts.
 *
 * @param gen   the generator whose body is running
 * @param item  for the consumer
 *
 * Ownership:     as body and consumer agree
 * Thread-safety: the generator's thread
 * Signal-safety: no
 * Cost:          see moat_gen_next
 */
MOAT_API_INLINE void moat_gen_yield(moat_gen *gen, void *item);

/**
 * Returns how a generator has ended.
 *
 * @param gen  NULL is allowed
 *
 * @return MOAT_OK: it has not ended, the body has returned, or the consumer has
 *         ended it early and the body was unwound; or
 *         MOAT_E_INVAL      gen is NULL, or the `item` of the last
 *                           moat_gen_next was
 *         MOAT_E_FAULT      the body has trapped: a fault, an overflow, a
 *                           passed limit, its own or that of the guest that
 *                           consumed it. moat_gen_co leads to the record and
 *                           the report
 *         MOAT_E_EXCEPTION  an exception has left the body:
 *                           moat_gen_take_exception
 *         MOAT_E_STATE      the body has yielded while it was being unwound;
 *                           or the last moat_gen_next was refused, since the
 *                           generator was running
 *         MOAT_E_THREAD     the last moat_gen_next was refused: the generator
 *                           belongs to another thread
 *         MOAT_E_STACK      likewise: the thread's guest was left by longjmp
 *         MOAT_E_LIMIT      likewise: less than 8 KiB of a guest's stack was
 *                           left
 *         MOAT_E_SYSTEM     likewise: the deadline timer could not be created
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * See also:      moat_gen_next, moat_co_trap_info, moat_co_print_report
 */
MOAT_API moat_status moat_gen_status(const moat_gen *gen);

/**
 * Returns the coroutine that the body runs in.
 *
 * It is for functions that inspect it: moat_co_trap_info, moat_co_print_report,
 * moat_co_backtrace, moat_co_get_state. Do not resume, cancel, reset or destroy
 * it. Its moat_co_user is the library's.
 *
 * @param gen  NULL is allowed
 * @return the coroutine; NULL for NULL
 *
 * Ownership:     the generator's
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API moat_co *moat_gen_co(const moat_gen *gen);

/**
 * Takes over the exception that has left the body.
 *
 * An exception that is not taken is deleted with the generator.
 *
 * @param gen  NULL is allowed
 * @return a struct _Unwind_Exception *, to be thrown again
 *         (_Unwind_RaiseException) or deleted (_Unwind_DeleteException); NULL:
 *         there is none, or it has been taken
 *
 * Ownership:     becomes the caller's
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * See also:      moat_gen_status
 */
MOAT_API void *moat_gen_take_exception(moat_gen *gen);

/**
 * Ends a generator early, by unwinding its body.
 *
 * Cleanup attributes of C compiled with -fexceptions, and C++ destructors, run
 * on the generator's stack, as in moat_co_cancel. A generator that has ended
 * stays as it is.
 *
 * @param gen  NULL is allowed: MOAT_E_INVAL
 *
 * @return MOAT_OK, or another one of moat_gen_status, if the generator has
 *         ended; or, with nothing changed,
 *         MOAT_E_INVAL   gen is NULL
 *         MOAT_E_STATE   it is running
 *         MOAT_E_STACK   the thread's guest was left by longjmp
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of the calling guest's stack is left
 *         MOAT_E_SYSTEM  the deadline timer could not be created
 *
 * Ownership:     unchanged; the generator is destroyed by moat_gen_destroy
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Cost:          that of unwinding each frame of the body
 * See also:      moat_gen_destroy, MOAT_FOR_EACH
 */
MOAT_API moat_status moat_gen_cancel(moat_gen *gen);

/**
 * Destroys a generator. One that has not ended is unwound first.
 *
 * If its cleanup code yields or traps the remaining frames are dropped, as by
 * moat_co_destroy. The call has no effect, and aborts in builds with
 * assertions, if the generator is running: a body does not destroy its own
 * generator.
 *
 * @param gen  NULL is allowed
 *
 * Ownership:     ends the caller's
 * Thread-safety: the owner's thread; any thread after that one has ended
 * Signal-safety: no
 * See also:      moat_gen_cancel
 */
MOAT_API void moat_gen_destroy(moat_gen *gen);

/**
 * Does the out-of-line part of moat_gen_next, of moat_gen_yield, and of the end
 * of a MOAT_FOR_EACH.
 *
 * Call the public function. These are declared because compiled code of the
 * program refers to them.
 *
 * @also moat_gen_yield_slow, moat_gen_leave
 * @return that of the public function
 *
 * Thread-safety: as of the public function
 * Signal-safety: no
 * See also:      moat_gen_next, moat_gen_yield, MOAT_FOR_EACH
 */
MOAT_API bool moat_gen_next_slow(moat_gen *gen, void **item, moat_status status,
                                 moat_event *event);
MOAT_API MOAT_COLD void moat_gen_yield_slow(void);
MOAT_API void moat_gen_leave(struct moat_gen_loop *loop);

/**
 * Runs a statement for each item of a generator.
 *
 *     MOAT_FOR_EACH (item, gen) {
 *         if (strcmp(item, "end") == 0)
 *             break;
 *         puts(item);
 *     }
 *
 * It declares `item`, a void *. A loop that is left before the sequence ends
 * (by break, return, goto, or by an exception or a cancellation of the caller
 * if that is compiled with -fexceptions) ends the generator: its cleanup code
 * has run when the next statement runs (moat_gen_cancel). The caller keeps the
 * handle, for moat_gen_status and moat_gen_destroy. A longjmp out of the
 * loop, and a trap of the caller, leave the generator as it is.
 *
 * To take a part of a sequence and go on later, write a loop of
 * moat_gen_next.
 *
 * @param item  the name of a variable
 * @param from  a generator; evaluated once; NULL: no item
 */
#define MOAT_FOR_EACH(item, from)                                   \
    for (struct moat_gen_loop moat_loop_##item                      \
         __attribute__((cleanup(moat_gen_leave))) = {(from), true}; \
         moat_loop_##item.go_on; moat_loop_##item.go_on = false)    \
        for (void *item = NULL; moat_gen_next(moat_loop_##item.gen, &item);)

#ifndef MOAT_NO_INLINE

MOAT_API_INLINE bool moat_gen_next(moat_gen *gen, void **item)
{
    moat_event event;
    moat_status status;

    if (MOAT_UNLIKELY(item == NULL))
        return moat_gen_next_slow(gen, item, MOAT_E_INVAL, NULL);
    /* The input is not NULL: a yield that returns NULL was refused. */
    status = moat_co_resume((moat_co *)gen, gen, &event);
    /* The generator itself is an item only if the library finds that its body
     * does not ask for something. */
    if (MOAT_UNLIKELY(status != MOAT_OK || event.kind != MOAT_EVENT_YIELD ||
                      event.value == gen))
        return moat_gen_next_slow(gen, item, status, &event);
    *item = event.value;
    return true;
}

MOAT_API_INLINE void moat_gen_yield(moat_gen *gen, void *item)
{
    if (MOAT_UNLIKELY(moat_co_yield((moat_co *)gen, item) == NULL))
        moat_gen_yield_slow();
}

#endif

MOAT_END_DECLS

#endif
