/*
 * altstack.c: one alternate signal stack per attached thread, itself guarded.
 *
 * By default the stack stays armed while handlers run. The alternative,
 * SS_AUTODISARM (sigaltstack(2)), makes the kernel forget it at the delivery of
 * *every* signal and take it up again when that handler returns. Handlers that
 * other code installed pay for that: one without SA_ONSTACK that overflows a
 * guest's stack finds no other stack and kills the process; a runtime that asks
 * for the stack it runs on (Go) is told that there is none, and aborts, and so
 * does a fortified siglongjmp.
 *
 * The price is paid by a guest that points its stack pointer into this stack.
 * The kernel then believes that it is already there, and pushes the frame
 * below that address. Two consequences:
 *
 *   The lowest bytes. Where the frame does not fit the kernel kills the
 *   process. Only SS_AUTODISARM contains such a guest: MOAT_ALTSTACK_AUTODISARM
 *   asks for it.
 *
 *   Whose fault it is. A stack pointer in this stack is that of a handler of
 *   the host's, unless no handler can be running here: that is known by the
 *   frames (frames.c). A frame that may be live makes the fault the host's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "arch/arch.h"
#include "stack/annotate.h"
#include "sys/memory.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "trap/altstack.h"
#include "trap/frames.h"

/* linux/signal.h; glibc 2.36 does not repeat it. */
#ifndef SS_AUTODISARM
#    define SS_AUTODISARM (1U << 31)
#endif

/* Thread-local; handlers of the same thread are the only other readers. */
static __thread struct moat_altstack_words thread
    __attribute__((tls_model("initial-exec")));

/* Written under the engine's lock, before a thread attaches. */
static moat_altstack_kind chosen;

bool moat_altstack_attached(void)
{
    return thread.own != NULL;
}

void moat_altstack_bounds(struct moat_pages *out)
{
    *out = thread.bounds;
}

void moat_altstack_replace(struct moat_altstack_words *before,
                           const struct moat_altstack_words *in)
{
    *before = thread;
    thread = *in;
}

struct moat_signal_stack *moat_altstack_own(void)
{
    return thread.own;
}

/* --- kinds ---------------------------------------------------------------- */

/* A size that is too small for any kernel: nothing is ever armed. */
static bool kernel_has_autodisarm(void)
{
    char byte;
    const stack_t small = {&byte, (int)SS_AUTODISARM, sizeof byte};

    return sigaltstack(&small, NULL) == 0 || errno != EINVAL;
}

moat_status moat_altstack_probe(moat_altstack_kind kind)
{
    if (kind == MOAT_ALTSTACK_SHARED)
        return MOAT_OK;
    if (kind != MOAT_ALTSTACK_AUTODISARM)
        return moat_refuse_value(
            MOAT_E_INVAL, "options->altstack is %u: no moat_altstack_kind",
            kind);
    return kernel_has_autodisarm()
               ? MOAT_OK
               : moat_refuse(MOAT_E_UNSUPPORTED,
                             "options->altstack is MOAT_ALTSTACK_AUTODISARM: "
                             "Linux 4.7 has it");
}

void moat_altstack_choose(moat_altstack_kind kind)
{
    chosen = kind;
}

static bool disarms_itself(const stack_t *stack)
{
    return ((unsigned)stack->ss_flags & SS_AUTODISARM) != 0;
}

static bool is_armed(const stack_t *stack)
{
    return stack->ss_size != 0 && (stack->ss_flags & SS_DISABLE) == 0;
}

/* --- memory --------------------------------------------------------------- */

/* Room for our handler and for a previous one that is called on top of it and
 * may expect a thread's stack. Memory is used only as it is touched. */
#define HANDLER_BYTES ((size_t)256 << 10)

/* The description above the stack; the stack's top stays aligned. */
#define DESCRIPTION_BYTES \
    ((sizeof(struct moat_signal_stack) + 63) & ~(size_t)63)

/* The kernel's signal frame holds all registers of the CPU, and is extra. */
static size_t bytes_for(size_t handler_bytes)
{
    size_t bytes = handler_bytes;

    if (bytes < HANDLER_BYTES)
        bytes = HANDLER_BYTES;
    bytes += 2 * getauxval(AT_MINSIGSTKSZ) + DESCRIPTION_BYTES;
    (void)moat_size_to_pages(bytes, &bytes);
    return bytes - DESCRIPTION_BYTES;
}

size_t moat_altstack_bytes(void)
{
    return bytes_for(0);
}

static void *map_guarded(size_t bytes)
{
    char *mapping = mmap(NULL, bytes + moat_page_bytes(), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping + moat_page_bytes(), bytes, PROT_READ | PROT_WRITE) ==
        0)
        return mapping;
    (void)munmap(mapping, bytes + moat_page_bytes());
    return NULL;
}

static void unmap_guarded(const struct moat_signal_stack *own)
{
    thread.bounds = (struct moat_pages){0, 0};
    (void)munmap((char *)own->stack.ss_sp - moat_page_bytes(),
                 moat_page_bytes() + own->stack.ss_size + DESCRIPTION_BYTES);
}

/* Returns the description of a new stack of that size; NULL: no memory. */
static struct moat_signal_stack *make(size_t bytes)
{
    char *mapping = map_guarded(bytes + DESCRIPTION_BYTES);
    struct moat_signal_stack *own;

    if (mapping == NULL)
        return NULL;
    mapping += moat_page_bytes();
    own = (struct moat_signal_stack *)(void *)(mapping + bytes);
    memset(own, 0, sizeof *own);
    own->stack.ss_sp = mapping;
    own->stack.ss_size = bytes;
    if (chosen == MOAT_ALTSTACK_AUTODISARM)
        own->stack.ss_flags = (int)SS_AUTODISARM;
    moat_copies_describe(own);
    return own;
}

/* A previous handler that had a large stack must get as large a one. */
static size_t former_bytes(void)
{
    stack_t former;

    if (sigaltstack(NULL, &former) != 0 || !is_armed(&former))
        return 0;
    return former.ss_size;
}

/* --- attach and detach ---------------------------------------------------- */

moat_status moat_altstack_attach(void)
{
    struct moat_signal_stack *own;

    if (thread.own != NULL)
        return MOAT_OK;
    own = make(bytes_for(former_bytes()));
    if (own == NULL)
        return MOAT_E_NOMEM;
    thread.bounds.low = (uintptr_t)own->stack.ss_sp;
    thread.bounds.high = (uintptr_t)own->stack.ss_sp + own->stack.ss_size;
    if (sigaltstack(&own->stack, &own->former) != 0) {
        unmap_guarded(own);
        return moat_refuse_errno("sigaltstack");
    }
    moat_copies_link(own);
    thread.landing = NULL;
    thread.returning = 0;
    thread.softened = false;
    thread.own = own;
    return MOAT_OK;
}

moat_status moat_altstack_check(void)
{
    stack_t now;

    if (thread.own == NULL)
        return MOAT_OK;
    if (sigaltstack(NULL, &now) != 0)
        return moat_refuse_errno("sigaltstack");
    if (is_armed(&now) && moat_copies_find(thread.own, (uintptr_t)now.ss_sp +
                                                           now.ss_size) != NULL)
        return MOAT_OK;
    return MOAT_E_HANDLER_LOST;
}

moat_status moat_altstack_repair(void)
{
    stack_t replaced;

    moat_altstack_settle();
    if (thread.own == NULL || moat_altstack_check() == MOAT_OK)
        return MOAT_OK;
    if (sigaltstack(&thread.own->stack, &replaced) != 0)
        return moat_refuse_errno("sigaltstack");
    /* A stack of the host's comes back at detach. A disarmed one was ours, left
     * by a handler through siglongjmp, or the host disarms what it finds. */
    if (is_armed(&replaced)) {
        thread.own->former = replaced;
        moat_copies_link(thread.own);
    }
    thread.softened = false;
    return MOAT_OK;
}

/* Returns whether the stack can be armed again. Its owner may have freed it
 * since: the kernel would not notice before the next signal. */
static bool still_exists(const stack_t *stack)
{
    const struct moat_memory_part ends[] = {
        {(uintptr_t)stack->ss_sp, 1},
        {(uintptr_t)stack->ss_sp + stack->ss_size - 1, 1}};
    char bytes[2];
    size_t copied;

    return !is_armed(stack) ||
           moat_memory_read(ends, 2, bytes, &copied) != MOAT_OK || copied == 2;
}

/* A stack that the host, or another copy, has armed since stays. */
static bool restore_former(const struct moat_signal_stack *own)
{
    static const stack_t none = {.ss_flags = SS_DISABLE};
    stack_t now;

    if (sigaltstack(NULL, &now) != 0)
        return false;
    if (now.ss_sp != own->stack.ss_sp)
        return true;
    return sigaltstack(still_exists(&own->former) ? &own->former : &none,
                       NULL) == 0;
}

moat_status moat_altstack_detach(void)
{
    struct moat_signal_stack *own = thread.own;

    if (own == NULL)
        return MOAT_OK;
    if (!restore_former(own))
        return moat_refuse_errno("sigaltstack");
    moat_altstack_free();
    return MOAT_OK;
}

void moat_altstack_free(void)
{
    struct moat_signal_stack *own = thread.own;

    thread.own = NULL;
    moat_copies_unlink(own);
    unmap_guarded(own);
}

/* --- handlers ------------------------------------------------------------- */

bool moat_altstack_contains(uintptr_t address)
{
    return moat_copies_find(thread.own, address) != NULL;
}

bool moat_altstack_is_reused(uintptr_t address)
{
    return moat_altstack_contains(address) && thread.own != NULL &&
           !disarms_itself(&thread.own->stack);
}

/*
 * With SS_AUTODISARM a handler runs on the stack if it was disarmed, as the
 * kernel does for a handler, or armed without that flag, as
 * moat_altstack_rearm does for a chained one. A guest that points its stack
 * pointer there leaves the stack armed with the flag.
 */
static bool runs_handler(const stack_t *stack, const stack_t *was, uintptr_t sp)
{
    if (disarms_itself(stack))
        return !is_armed(was) || !disarms_itself(was);
    return moat_frames_may_live(stack, sp);
}

/* As the kernel has it: the lowest address is outside, the top inside. */
static bool lies_on(const stack_t *stack, uintptr_t sp)
{
    return sp - (uintptr_t)stack->ss_sp - 1 < stack->ss_size;
}

/* Bytes of the stack that our handlers still need once they have marked their
 * frame. */
#define TAIL_BYTES ((uintptr_t)4 << 10)

bool moat_altstack_is_returning(const void *ucontext)
{
    uintptr_t sp = moat_arch_sp_from_context(ucontext);

    return thread.returning != 0 && thread.returning - sp <= TAIL_BYTES;
}

bool moat_altstack_in_use(const void *ucontext)
{
    const stack_t *was = &((const ucontext_t *)ucontext)->uc_stack;
    const struct moat_signal_stack *found;
    uintptr_t sp = moat_arch_sp_from_context(ucontext);

    found = moat_copies_find(thread.own, sp);
    if (found != NULL)
        return runs_handler(&found->stack, was, sp);
    /* A stack of the host's, armed over ours. */
    return thread.own != NULL && is_armed(was) && !disarms_itself(was) &&
           lies_on(was, sp);
}

void moat_altstack_leave(void *ucontext)
{
    stack_t *was = &((ucontext_t *)ucontext)->uc_stack;

    if (thread.own == NULL)
        return;
    thread.landing = ucontext;
    thread.is_disarmed = !is_armed(was) || disarms_itself(was);
    thread.is_ours = !is_armed(was) || was->ss_sp == thread.own->stack.ss_sp;
    /* Another stack stays. (The kernel would not replace one that the handler
     * runs on, if it is armed.) */
    if (thread.is_ours)
        *was = thread.own->stack;
}

bool moat_altstack_rearm_for_landing(void)
{
    if (thread.own == NULL || !thread.is_disarmed)
        return true;
    return thread.is_ours && sigaltstack(&thread.own->stack, NULL) == 0;
}

/* Returns whether a frame's mark will be looked for. */
static bool is_on_copys_stack(const void *ucontext)
{
    return moat_copies_find(thread.own, (uintptr_t)ucontext) != NULL;
}

void moat_altstack_return(void *ucontext, bool is_kernels)
{
    if (!is_kernels || !is_on_copys_stack(ucontext))
        return;
    thread.returning = (uintptr_t)ucontext;
    atomic_signal_fence(memory_order_seq_cst);
    moat_frames_mark_dead(ucontext);
    thread.landing = NULL;
}

/* Without SS_AUTODISARM, because a handler of the host's is about to run on
 * this stack, and a signal that interrupts it must go below its frame, not over
 * it. The return from the handler cannot restore the flag (the kernel refuses
 * to change a stack in use); moat_altstack_settle does it later. */
void moat_altstack_rearm(void)
{
    stack_t plain;

    if (thread.own == NULL || !disarms_itself(&thread.own->stack))
        return;
    plain = thread.own->stack;
    plain.ss_flags = 0;
    thread.softened = true;
    (void)sigaltstack(&plain, NULL);
}

void moat_altstack_settle(void)
{
    void *landing = thread.landing;

    thread.landing = NULL;
    thread.returning = 0;
    if (landing != NULL && is_on_copys_stack(landing)) {
        moat_annotate_cleared((uintptr_t)landing,
                              (uintptr_t)landing +
                                  offsetof(ucontext_t, uc_stack));
        moat_frames_mark_dead(landing);
    }
    if (thread.softened && sigaltstack(&thread.own->stack, NULL) == 0)
        thread.softened = false;
}
