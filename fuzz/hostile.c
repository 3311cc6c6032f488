/*
 * hostile.c: offers hostile contexts to moat.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hostile.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target.h"

struct hostile_places hostile_places;
struct hostile_offer hostile_offered;

static void (*change_context)(struct hostile_offer *offer);

/* --- faults --------------------------------------------------------------- */

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};

#define FAULTS (sizeof faults / sizeof faults[0])

static struct sigaction former[FAULTS];

/* The host's own fault: who was there before takes it, at the second time. */
static void on_fault(int signo, siginfo_t *info, void *context)
{
    if (moat_trap_handle(signo, info, context))
        return;
    for (size_t i = 0; i < FAULTS; i++) {
        if (faults[i] == signo)
            (void)sigaction(signo, &former[i], NULL);
    }
    if (info->si_code <= 0)
        (void)raise(signo);
}

/* --- the offer ------------------------------------------------------------ */

static void note_registers(struct hostile_offer *offer)
{
    const greg_t *g = offer->context.uc_mcontext.gregs;
    moat_regs *regs = &offer->regs;

    regs->pc = (uintptr_t)g[REG_RIP];
    regs->sp = (uintptr_t)g[REG_RSP];
    regs->fp = (uintptr_t)g[REG_RBP];
    regs->rax = (uint64_t)g[REG_RAX];
    regs->rbx = (uint64_t)g[REG_RBX];
    regs->rcx = (uint64_t)g[REG_RCX];
    regs->rdx = (uint64_t)g[REG_RDX];
    regs->rsi = (uint64_t)g[REG_RSI];
    regs->rdi = (uint64_t)g[REG_RDI];
    regs->r8 = (uint64_t)g[REG_R8];
    regs->r9 = (uint64_t)g[REG_R9];
    regs->r10 = (uint64_t)g[REG_R10];
    regs->r11 = (uint64_t)g[REG_R11];
    regs->r12 = (uint64_t)g[REG_R12];
    regs->r13 = (uint64_t)g[REG_R13];
    regs->r14 = (uint64_t)g[REG_R14];
    regs->r15 = (uint64_t)g[REG_R15];
    regs->flags = (uint64_t)g[REG_EFL];
}

/* Fields between which the kernel's frame and glibc's struct differ stay out.
 */
static bool is_unchanged(const ucontext_t *a, const ucontext_t *b)
{
    return memcmp(a->uc_mcontext.gregs, b->uc_mcontext.gregs,
                  sizeof a->uc_mcontext.gregs) == 0 &&
           a->uc_mcontext.fpregs == b->uc_mcontext.fpregs &&
           memcmp(&a->uc_stack, &b->uc_stack, sizeof a->uc_stack) == 0;
}

static void take_over(ucontext_t *context, const ucontext_t *from)
{
    memcpy(context->uc_mcontext.gregs, from->uc_mcontext.gregs,
           sizeof from->uc_mcontext.gregs);
    context->uc_stack = from->uc_stack;
}

static void on_offer(int signo, siginfo_t *info, void *ucontext)
{
    struct hostile_offer *offer = &hostile_offered;
    ucontext_t *context = ucontext, before;

    (void)signo;
    hostile_places.alternate = (uintptr_t)&before;
    memcpy(&offer->context, context, offsetof(ucontext_t, uc_sigmask));
    offer->signo = SIGSEGV;
    offer->info = *info;
    change_context(offer);
    note_registers(offer);
    before = offer->context;
    offer->claimed =
        moat_trap_handle(offer->signo, &offer->info, &offer->context);
    if (offer->claimed)
        take_over(context, &offer->context);
    else if (!is_unchanged(&before, &offer->context))
        target_fail("a signal that was not claimed has changed the context");
}

void hostile_offer(void (*change)(struct hostile_offer *offer))
{
    change_context = change;
    hostile_places.other = (uintptr_t)&change;
    if (moat_stack_bounds(&hostile_places.stack) == MOAT_E_STATE)
        memset(&hostile_places.stack, 0, sizeof hostile_places.stack);
    (void)raise(SIGUSR1);
}

/* --- hostile values ------------------------------------------------------- */

static uintptr_t near(uintptr_t place, struct input *input)
{
    return place + (uintptr_t)(intptr_t)(int8_t)input_u8(input) * 8;
}

uintptr_t hostile_address(struct input *input)
{
    const struct hostile_places *places = &hostile_places;

    switch (input_below(input, 12)) {
    case 0:
        return input_u64(input);
    case 1:
        return input_u8(input);
    case 2:
        return places->stack.base - input_u32(input) % 65536;
    case 3:
        return near(places->stack.limit, input);
    case 4:
        return near(places->stack.guard, input);
    case 5:
        return (uintptr_t)places->code_end - input_below(input, 20);
    case 6:
        return (uintptr_t)places->code_end + input_u8(input);
    case 7:
        return near(places->alternate, input);
    case 8:
        return near(places->other, input);
    case 9:
        return near((uintptr_t)moat_trap_handle, input);
    case 10:
        return (uintptr_t)getpid();
    default:
        return UINT64_C(1) << 63 >> input_below(input, 64);
    }
}

extern const char __executable_start[], etext[]; /* the linker's */

/* moat repairs a fault of its own peeks and goes on after them, with these
 * registers. A pc in its code is that of the one place where it does not. */
static void avoid_peeks(ucontext_t *context)
{
    greg_t *pc = &context->uc_mcontext.gregs[REG_RIP];

    if ((uintptr_t)*pc - (uintptr_t)__executable_start <
        (uintptr_t)(etext - __executable_start))
        *pc = (greg_t)(uintptr_t)moat_trap_handle;
}

void hostile_registers(struct input *input, ucontext_t *context)
{
    static const int registers[] = {REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12,
                                    REG_R13, REG_R14, REG_R15, REG_RDI, REG_RSI,
                                    REG_RBX, REG_RDX, REG_RAX, REG_RCX, REG_RBP,
                                    REG_RSP, REG_RIP};

    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++)
        context->uc_mcontext.gregs[registers[i]] =
            (greg_t)hostile_address(input);
    avoid_peeks(context);
}

/* --- the process ---------------------------------------------------------- */

static void install(int signo, void (*handler)(int, siginfo_t *, void *),
                    struct sigaction *out)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    TARGET_CHECK(sigaction(signo, &action, out) == 0);
}

static void map_code(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    TARGET_CHECK(at != MAP_FAILED);
    TARGET_CHECK(mprotect(at + page, page, PROT_NONE) == 0);
    hostile_places.code = at;
    hostile_places.code_end = at + page;
}

void hostile_begin(void)
{
    static bool begun;
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    if (begun)
        return;
    begun = true;
    target_begin();
    options.source = MOAT_SOURCE_MANUAL;
    TARGET_CHECK(moat_engine_init(&options) == MOAT_OK);
    TARGET_CHECK(moat_thread_attach() == MOAT_OK);
    for (size_t i = 0; i < FAULTS; i++)
        install(faults[i], on_fault, &former[i]);
    install(SIGUSR1, on_offer, NULL);
    map_code();
}
