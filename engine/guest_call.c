/*
 * guest_call.c: host code that runs for a guest, on the host's stack, and whose
 * faults are the guest's.
 *
 * The call goes outwards from one resumer to the next, by a host call each: of
 * all stacks only the host's is known to be large. A fault there does not go
 * to the guest's resumer at once: the handler makes `on_fault` run below the
 * frames that faulted, which are still whole. It finds their return addresses,
 * lets the caller's `undo` give back what they held, and then leaves.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/host_call.h"
#include "engine/nointr.h"
#include "registry/code.h"
#include "registry/grace.h"
#include "trap/altstack.h"
#include "trap/probe.h"
#include "trap/recovery.h"
#include "trap/stack_owner.h"
#include "unwind/locks.h"
#include "unwind/step.h"

/* A call on its way outwards: each resumer passes it to its own. */
struct request {
    void *(*fn)(void *);
    bool (*undo)(void *);
    void *arg;
    struct co *asker;
    uintptr_t word; /* the thread's */
};

/* --- after a fault -------------------------------------------------------- */

struct frame_walk {
    struct moat_host_frames *out;
    moat_regs regs;
    bool exact; /* regs.pc is not a return address */
    bool
        has_handler; /* of the host's, which interrupted the call and faulted */
    const char *lock;
};

static enum moat_step step(struct moat_cursor *cursor)
{
    bool entered = moat_codes_enter();
    enum moat_step made = moat_cursor_step(cursor, moat_codes_describe);

    if (entered)
        moat_grace_leave();
    return made;
}

/* Notes the frames from the fault up to the call, and the innermost function
 * among them that may hold a lock. */
static void walk_frames(void *arg)
{
    struct frame_walk *walk = arg;
    struct moat_host_frames *out = walk->out;
    struct moat_cursor cursor;
    uintptr_t inner = 0;

    moat_cursor_set(&cursor, &walk->regs, walk->exact);
    do {
        if (cursor.pc == (uintptr_t)moat_arch_call_on_return)
            return;
        if (inner != 0 && walk->lock == NULL)
            walk->lock = moat_locks_find(inner, cursor.pc);
        inner = cursor.exact ? cursor.pc : cursor.pc - 1;
        out->frames[out->count++] =
            (struct moat_host_frame){cursor.pc, cursor.sp};
        if (step(&cursor) != MOAT_STEP_MADE)
            return;
        walk->has_handler |= cursor.exact;
    } while (out->count < MOAT_HOST_FRAMES);
}

/* The signal's handler has not found the frame of such a one (SA_NODEFER). */
static MOAT_NORETURN void end_host(int signo)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t set;

    (void)sigaction(signo, &action, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, signo);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signo);
    abort();
}

/* A call to nowhere has left its return address at the stack pointer. Returns
 * the function that may hold a lock; NULL: none. */
static const char *note_frames(struct co *co, uintptr_t top)
{
    const struct moat_trap_record *record = moat_trap_record_of(co);
    struct frame_walk walk = {
        .out = &cold_of(co)->host_frames, .regs = record->regs, .exact = true};

    walk.out->count = 0;
    if (record->access == MOAT_ACCESS_EXEC &&
        record->address == record->regs.pc &&
        moat_arch_undo_call(&walk.regs, walk.regs.sp, top)) {
        walk.out->frames[walk.out->count++] =
            (struct moat_host_frame){record->regs.pc, record->regs.sp};
        walk.exact = false;
    }
    (void)moat_trap_try(walk_frames, &walk);
    if (walk.has_handler)
        end_host(record->signo);
    return walk.lock;
}

/* Sanitizers are to believe that the guest runs again, and is then left. */
static MOAT_NO_SANITIZE void annotate_inwards(const struct co *asker)
{
    const struct moat_host_call *call = moat_host_calls();

    if (!moat_annotate_active())
        return;
    for (; call != NULL && call->asker == asker; call = call->outer) {
        struct co *co = co_of(call->co);

        moat_annotate_enter(&cold_of(co)->fiber, co->slot.limit, co->slot.base);
        moat_annotate_entered(&cold_of(co)->fiber);
    }
}

static MOAT_NORETURN MOAT_NO_SANITIZE void leave(struct co *co, uintptr_t word)
{
    struct moat_recovery *recovery;

    annotate_inwards(co);
    MOAT_TLS_WRITE_CURRENT(word);
    recovery = moat_trap_recovery(co);
    if (recovery != NULL)
        moat_switch_leave(&recovery->landing, NULL, MOAT_EVENT_TRAP);
    co->control.state = MOAT_MARK_TRAPPED;
    moat_switch_leave(&co->control, NULL, MOAT_EVENT_TRAP);
}

/* Runs below the frames that faulted, where no call has led. */
static MOAT_NORETURN void on_fault(moat_co *landing)
{
    struct moat_host_call *call =
        (void *)((char *)landing -
                 offsetof(struct moat_host_call, blame.landing));
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    struct co *co = call->asker;
    const char *lock;

    /* Unwinders find an end here. */
    *(uintptr_t *)MOAT_ARCH_RETURN_SLOT(here) = 0;
    moat_altstack_settle();
    moat_annotate_unwind();
    lock = note_frames(co, call->blame.top);
    if (call->undo != NULL && call->undo(call->undo_arg))
        lock = NULL;
    if (lock != NULL)
        moat_trap_record_of(co)->lock = lock;
    moat_annotate_dropped(here, call->blame.top);
    leave(co, call->word);
}

/* --- the call ------------------------------------------------------------- */

static void *step_out(void *arg);

static void *call_outwards(struct co *co, struct request *request)
{
    struct moat_host_call *call = &cold_of(co)->host_call;

    memset(call, 0, sizeof *call);
    call->co = handle_of(co);
    call->fn = step_out;
    call->arg = request;
    call->asker = request->asker;
    call->word = request->word;
    call->undo = request->undo;
    call->undo_arg = request->arg;
    if (resumer_of(co) == NULL) {
        call->blame.co = request->asker;
        call->blame.top = moat_arch_host_call_slot(handle_of(co));
        call->blame.landing.resumer_pc = (uintptr_t)on_fault;
        moat_arch_save_fp_control(&call->blame.landing);
    }
    return moat_host_call_run(call);
}

static void *step_out(void *arg)
{
    struct request *request = arg;
    struct co *co = moat_running();

    return co != NULL ? call_outwards(co, request) : request->fn(request->arg);
}

/* Returns whether each resumer on the way to the host has the stack that a host
 * call takes. */
static bool has_room_outwards(const struct co *co, size_t bytes)
{
    for (; resumer_of(co) != NULL; co = resumer_of(co)) {
        if (!moat_stack_has(resumer_of(co),
                            moat_switch_resumer_sp(&co->control), bytes))
            return false;
    }
    return true;
}

void *moat_call_for_guest(moat_co *self, void *(*fn)(void *),
                          bool (*undo)(void *), void *arg)
{
    struct request request = {fn, undo, arg, co_of(self),
                              (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT)};

    if (self == NULL || fn == NULL || co_of(self) != moat_running())
        return NULL;
    moat_stack_require(has_room_outwards(co_of(self), moat_host_call_stack())
                           ? moat_host_call_stack()
                           : SIZE_MAX);
    return call_outwards(co_of(self), &request);
}
