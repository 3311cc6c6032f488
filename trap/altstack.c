/*
 * altstack.c: one alternate signal stack per attached thread, itself guarded.
 *
 * SS_AUTODISARM (sigaltstack(2)): the kernel forgets the stack while a handler
 * runs on it and takes it up again when the handler returns. Without it a guest
 * that points rsp into this stack and faults makes the kernel believe that it
 * is already there: the frame then goes below the guest's rsp, or does not fit
 * and kills the process. Valgrind and kernels before 4.7 do not know the flag;
 * there a guest that does so is not contained, all else is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "stack/size.h"
#include "trap/internal.h"

/* linux/signal.h; glibc 2.36 does not repeat it. */
#ifndef SS_AUTODISARM
#    define SS_AUTODISARM (1U << 31)
#endif

/* Room for our handler and for a previous one that is called on top of it,
 * which may have been written for a thread's stack. Memory is taken as it is
 * touched. */
#define HANDLER_BYTES ((size_t)256 << 10)

/* The signal frame itself is as large as the CPU's registers. */
static size_t bytes_for(size_t handler_bytes)
{
    size_t bytes = handler_bytes;

    if (bytes < HANDLER_BYTES)
        bytes = HANDLER_BYTES;
    (void)moat_size_to_pages(bytes + 2 * getauxval(AT_MINSIGSTKSZ), &bytes);
    return bytes;
}

size_t moat_altstack_bytes(void)
{
    return bytes_for(0);
}

static void *map_guarded(size_t bytes)
{
    char *mapping = mmap(NULL, bytes + MOAT_PAGE_BYTES, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping + MOAT_PAGE_BYTES, bytes, PROT_READ | PROT_WRITE) == 0)
        return mapping;
    (void)munmap(mapping, bytes + MOAT_PAGE_BYTES);
    return NULL;
}

static void unmap_guarded(const stack_t *stack)
{
    (void)munmap((char *)stack->ss_sp - MOAT_PAGE_BYTES,
                 stack->ss_size + MOAT_PAGE_BYTES);
}

/* A previous handler that had a large stack keeps a large one. */
static size_t former_bytes(void)
{
    stack_t former;

    if (sigaltstack(NULL, &former) != 0 || (former.ss_flags & SS_DISABLE) != 0)
        return 0;
    return former.ss_size;
}

/* Arms this thread's stack, without the flag where it is not known. */
static bool arm(struct moat_trap_thread *thread)
{
    thread->alternate.ss_flags = (int)SS_AUTODISARM;
    if (sigaltstack(&thread->alternate, &thread->former) == 0)
        return true;
    if (errno != EINVAL)
        return false;
    thread->alternate.ss_flags = 0;
    return sigaltstack(&thread->alternate, &thread->former) == 0;
}

moat_status moat_altstack_attach(void)
{
    struct moat_trap_thread *thread = &moat_trap_thread;
    size_t bytes = bytes_for(former_bytes());
    char *mapping;

    if (thread->attached)
        return MOAT_OK;
    mapping = map_guarded(bytes);
    if (mapping == NULL)
        return MOAT_E_NOMEM;
    thread->alternate.ss_sp = mapping + MOAT_PAGE_BYTES;
    thread->alternate.ss_size = bytes;
    if (!arm(thread)) {
        unmap_guarded(&thread->alternate);
        return MOAT_E_SYSTEM;
    }
    thread->softened = false;
    thread->attached = true;
    return MOAT_OK;
}

moat_status moat_altstack_check(void)
{
    stack_t now;

    if (!moat_trap_thread.attached)
        return MOAT_OK;
    if (sigaltstack(NULL, &now) != 0)
        return MOAT_E_SYSTEM;
    return now.ss_sp == moat_trap_thread.alternate.ss_sp ? MOAT_OK
                                                         : MOAT_E_HANDLER_LOST;
}

moat_status moat_altstack_repair(void)
{
    struct moat_trap_thread *thread = &moat_trap_thread;
    stack_t replaced;

    moat_altstack_harden();
    if (!thread->attached || moat_altstack_check() == MOAT_OK)
        return MOAT_OK;
    if (sigaltstack(&thread->alternate, &replaced) != 0)
        return MOAT_E_SYSTEM;
    /* Somebody's own stack comes back at detach; a stack that a handler left
     * disarmed by siglongjmp was ours. */
    if ((replaced.ss_flags & SS_DISABLE) == 0)
        thread->former = replaced;
    thread->softened = false;
    return MOAT_OK;
}

moat_status moat_altstack_detach(void)
{
    struct moat_trap_thread *thread = &moat_trap_thread;
    stack_t now;

    if (!thread->attached)
        return MOAT_OK;
    if (sigaltstack(NULL, &now) != 0)
        return MOAT_E_SYSTEM;
    /* Somebody who has put another stack in place keeps it. */
    if (now.ss_sp == thread->alternate.ss_sp &&
        sigaltstack(&thread->former, NULL) != 0)
        return MOAT_E_SYSTEM;
    thread->attached = false;
    thread->softened = false;
    unmap_guarded(&thread->alternate);
    return MOAT_OK;
}

/*
 * A handler runs on our stack if the interrupted stack pointer lies there and
 * the stack was disarmed, as SS_AUTODISARM does for a handler, or armed without
 * that flag, as moat_altstack_rearm does for a chained one. A guest that points
 * its stack pointer there leaves the stack armed. (A guest that disables the
 * stack by sigaltstack is not on it, and the landing arms it again.)
 */
bool moat_altstack_in_use(const void *ucontext)
{
    const stack_t *was = &((const ucontext_t *)ucontext)->uc_stack;
    const stack_t *ours = &moat_trap_thread.alternate;
    moat_regs regs;

    if (!moat_trap_thread.attached ||
        (was->ss_size != 0 && ((unsigned)was->ss_flags & SS_AUTODISARM) != 0))
        return false;
    moat_arch_regs_from_context(ucontext, &regs);
    return regs.sp - (uintptr_t)ours->ss_sp < ours->ss_size;
}

void moat_altstack_rearm_context(void *ucontext)
{
    ucontext_t *uc = ucontext;

    if (moat_trap_thread.attached)
        uc->uc_stack = moat_trap_thread.alternate;
}

/* Without SS_AUTODISARM: a handler of the host's runs on this stack now, and a
 * signal that interrupts it must go below its frame, not over it. The return
 * from the handler cannot put the flag back (the kernel refuses to change the
 * stack that it is on): moat_altstack_harden does, later. */
void moat_altstack_rearm(void)
{
    stack_t plain = moat_trap_thread.alternate;

    plain.ss_flags = 0;
    if (!moat_trap_thread.attached)
        return;
    moat_trap_thread.softened = true;
    (void)sigaltstack(&plain, NULL);
}

void moat_altstack_harden(void)
{
    struct moat_trap_thread *thread = &moat_trap_thread;

    if (thread->softened && sigaltstack(&thread->alternate, NULL) == 0)
        thread->softened = false;
}
