/*
 * carrier.c: the threads on which the guests of one thread run.
 *
 * They are made by clone(2) without a thread pointer of their own, which
 * pthread_create cannot do. The C library does not know of them; to it their
 * code is the owner's, as that of coroutines always is.
 *
 * A thread that waits has all signals blocked, so that a signal to the process
 * is taken by the one that runs. Its waiting must not set errno, which is the
 * other's by then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "switch/carrier.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/arch.h"
#include "switch/idle.h"
#include "sys/clock.h"
#include "sys/fork.h"
#include "sys/page.h"
#include "sys/size.h"

/* The stack of a base: makes carriers, and what their duties take. */
#define BASE_BYTES ((size_t)32 << 10)

/* Suspended guests of a crew that keep their carriers. */
#define MAX_CARRIERS 1024

/* The kernel's part of a sigset_t. */
#define MASK_BYTES sizeof(uint64_t)

#define SHARED                                                          \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
     CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

__thread struct moat_crew *moat_crew;

static atomic_uint_fast64_t last_serial;

/* --- waiting --------------------------------------------------------------
 */

static void wait_while(void *word, int operation, unsigned value)
{
    (void)moat_arch_system_call(SYS_futex, (long)(uintptr_t)word, operation,
                                (long)value, 0);
}

static void wake(atomic_uint *word, unsigned value)
{
    atomic_store(word, value);
    (void)moat_arch_system_call(SYS_futex, (long)(uintptr_t)word,
                                FUTEX_WAKE_PRIVATE, 1, 0);
}

/* Sets the mask of the calling thread, the C library's own signals included. */
static void set_mask(uint64_t mask)
{
    (void)moat_arch_system_call(SYS_rt_sigprocmask, SIG_SETMASK,
                                (long)(uintptr_t)&mask, 0, MASK_BYTES);
}

#define ALL UINT64_MAX

static uint64_t mask_of(const ucontext_t *context)
{
    uint64_t mask;

    memcpy(&mask, &context->uc_sigmask, sizeof mask);
    return mask;
}

static void set_mask_of(ucontext_t *context, uint64_t mask)
{
    memcpy(&context->uc_sigmask, &mask, sizeof mask);
}

/* --- carriers -------------------------------------------------------------
 */

/* The stack lies below the struct, and a guard below that. */
static size_t mapped_bytes(size_t struct_bytes)
{
    size_t bytes = BASE_BYTES + struct_bytes;

    (void)moat_size_to_pages(bytes, &bytes);
    return bytes + moat_page_bytes();
}

static void *map(size_t struct_bytes)
{
    size_t bytes = mapped_bytes(struct_bytes);
    char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, moat_page_bytes(), PROT_NONE) == 0)
        return mapping + bytes - ((struct_bytes + 63) & ~(size_t)63);
    (void)munmap(mapping, bytes);
    return NULL;
}

static void unmap(void *made, size_t struct_bytes)
{
    size_t bytes = mapped_bytes(struct_bytes);
    char *end = (char *)made + ((struct_bytes + 63) & ~(size_t)63);

    (void)munmap(end - bytes, bytes);
}

static void serve(struct moat_carrier *self);

static int run(void *arg)
{
    struct moat_carrier *self = arg;
    bool begun = self->crew->duties->begin(self->words);

    wake(&self->made, begun ? 1 : 2);
    if (begun) {
        serve(self);
        self->crew->duties->end(self->words);
    }
    return 0;
}

/* The kernel clears the number when the thread has ended. */
static void join(struct moat_carrier *carrier)
{
    int task;

    while ((task = atomic_load(&carrier->task)) != 0)
        wait_while(&carrier->task, FUTEX_WAIT, (unsigned)task);
    unmap(carrier, sizeof *carrier);
}

static struct moat_carrier *begin(struct moat_carrier *carrier)
{
    if (clone(run, carrier, SHARED, carrier, &carrier->task, NULL,
              &carrier->task) == -1) {
        unmap(carrier, sizeof *carrier);
        return NULL;
    }
    while (atomic_load(&carrier->made) == 0)
        wait_while(&carrier->made, FUTEX_WAIT_PRIVATE, 0);
    if (atomic_load(&carrier->made) == 1)
        return carrier;
    join(carrier);
    return NULL;
}

/* On the base of the thread that runs. No signal comes until the carrier
 * waits, as its duties are done with the crew's thread-locals. */
static struct moat_carrier *make(struct moat_crew *crew)
{
    int saved_errno = errno;
    struct moat_carrier *carrier = map(sizeof *carrier);

    if (carrier != NULL) {
        carrier->crew = crew;
        set_mask(ALL);
        carrier = begin(carrier);
        set_mask(mask_of(&crew->running->base));
    }
    if (carrier != NULL) {
        carrier->next = crew->all;
        crew->all = carrier;
        crew->count++;
    }
    errno = saved_errno;
    return carrier;
}

/* --- which one ------------------------------------------------------------
 */

/* If the system has no thread for it the guest runs on its resumer's. */
static struct moat_carrier *take(struct moat_crew *crew)
{
    struct moat_carrier *carrier = moat_idle_take(crew);

    if (carrier == NULL && crew->count >= MAX_CARRIERS)
        carrier = moat_idle_take_waiting(crew);
    if (carrier == NULL)
        carrier = make(crew);
    if (carrier == NULL)
        carrier = moat_idle_take_waiting(crew);
    return carrier != NULL ? carrier : crew->running;
}

/* --- the base -------------------------------------------------------------
 */

/* From the wake on the other one runs: nothing of the crew is touched. */
static void hand_over(struct moat_carrier *self, struct moat_carrier *to)
{
    struct moat_crew *crew = self->crew;

    if (self->waits_at == NULL && self != &crew->own)
        moat_idle_put(crew, self);
    to->goes_to = self->to;
    to->waits_at = NULL;
    to->ran = true;
    crew->running = to;
    crew->duties->pass(self->words, to->words);
    wake(&to->word, 1);
}

static void wait(struct moat_carrier *self)
{
    while (atomic_load(&self->word) == 0)
        wait_while(&self->word, FUTEX_WAIT_PRIVATE, 0);
    atomic_store(&self->word, 0);
}

static void pass(struct moat_carrier *self)
{
    struct moat_carrier *to = self->by != NULL ? self->by : take(self->crew);

    if (to != self) {
        hand_over(self, to);
        wait(self);
        return;
    }
    self->waits_at = NULL;
    self->goes_to = self->to;
}

/* Each departure of the thread continues after the getcontext. Returns when the
 * carrier ends. */
static void serve(struct moat_carrier *self)
{
    if (getcontext(&self->base) != 0)
        abort();
    if (self->departs)
        pass(self);
    else
        wait(self);
    if (self->ends)
        return;
    (void)setcontext(self->goes_to);
    abort();
}

/* The owner's base begins at its first departure. */
static void serve_owner(void)
{
    serve(&moat_crew->own);
}

static void make_base(struct moat_crew *crew)
{
    ucontext_t *base = &crew->own.base;

    if (getcontext(base) != 0)
        abort();
    base->uc_stack.ss_sp =
        (void *)(((uintptr_t)crew - BASE_BYTES) & ~(uintptr_t)63);
    base->uc_stack.ss_size = BASE_BYTES;
    base->uc_link = NULL;
    makecontext(base, serve_owner, 0);
    set_mask_of(base, ALL);
}

/* --- the crew -------------------------------------------------------------
 */

static void begin_with_owner(struct moat_crew *crew)
{
    crew->own.crew = crew;
    crew->own.ran = true;
    crew->own.waits_at = NULL;
    atomic_store(&crew->own.task, moat_fork_task());
    crew->running = &crew->own;
    crew->serial = atomic_fetch_add(&last_serial, 1) + 1;
    make_base(crew);
}

moat_status moat_crew_make(const struct moat_carrier_duties *duties)
{
    struct moat_crew *crew = map(sizeof *crew);

    if (crew == NULL)
        return MOAT_E_NOMEM;
    crew->duties = duties;
    begin_with_owner(crew);
    moat_crew = crew;
    return MOAT_OK;
}

void moat_crew_come_home(void)
{
    struct moat_crew *crew = moat_crew;
    struct moat_carrier *self = crew->running;
    ucontext_t here;

    if (self == &crew->own)
        return;
    self->waits_at = NULL;
    self->to = &here;
    self->by = &crew->own;
    self->departs = true;
    if (swapcontext(&here, &self->base) != 0)
        abort();
}

static void end_carriers(struct moat_crew *crew)
{
    struct moat_carrier *each = crew->all;

    while (each != NULL) {
        struct moat_carrier *next = each->next;

        each->ends = true;
        wake(&each->word, 1);
        join(each);
        each = next;
    }
}

void moat_crew_end(void)
{
    struct moat_crew *crew = moat_crew;
    sigset_t all, mask;

    moat_crew_come_home();
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &mask);
    end_carriers(crew);
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    moat_crew = NULL;
    unmap(crew, sizeof *crew);
}

/* The others' bases are not in use, nor is that of the one that forked. */
void moat_crew_after_fork(void)
{
    struct moat_crew *crew = moat_crew;
    struct moat_carrier *each;

    if (crew == NULL)
        return;
    each = crew->all;
    crew->all = crew->idle = crew->victim = NULL;
    crew->count = 0;
    begin_with_owner(crew);
    crew->duties->forked();
    moat_fork_settle(MOAT_FORK_CREWS);
    while (each != NULL) {
        struct moat_carrier *next = each->next;

        unmap(each, sizeof *each);
        each = next;
    }
}

/* In the child of a raw fork system call no handler of fork(3) has run. */
struct moat_crew *moat_crew_of_process(void)
{
    if (moat_fork_happened(MOAT_FORK_CREWS))
        moat_crew_after_fork();
    return moat_crew;
}

/* --- what the kernel counts -----------------------------------------------
 */

/* The one that runs is read each time. */
static uint64_t cpu_of(struct moat_carrier *carrier, bool runs)
{
    if (carrier->ran) {
        carrier->ran = runs;
        carrier->cpu = moat_clock_cpu_ns_of(atomic_load(&carrier->task));
    }
    return carrier->cpu;
}

uint64_t moat_crew_cpu_ns(void)
{
    struct moat_crew *crew = moat_crew;
    struct moat_carrier *each;
    uint64_t sum, cpu;

    if (crew == NULL)
        return moat_clock_cpu_ns();
    sum = cpu_of(&crew->own, crew->running == &crew->own);
    for (each = crew->all; each != NULL && sum != MOAT_CLOCK_END;
         each = each->next) {
        cpu = cpu_of(each, crew->running == each);
        sum = cpu != MOAT_CLOCK_END ? sum + cpu : MOAT_CLOCK_END;
    }
    return sum;
}

void moat_crew_let_in(int signo)
{
    ucontext_t *base = &moat_crew_of_process()->running->base;

    set_mask_of(base, mask_of(base) & ~(UINT64_C(1) << (signo - 1)));
}

bool moat_crew_pass_on(int running, int signo, siginfo_t *info)
{
    int self = (int)moat_arch_system_call(SYS_gettid, 0, 0, 0, 0);

    if (running == self)
        return false;
    if (running != 0)
        (void)moat_arch_system_call(SYS_rt_tgsigqueueinfo, getpid(), running,
                                    signo, (long)(uintptr_t)info);
    return true;
}
