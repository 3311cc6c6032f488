/*
 * classify.c: the target `classify`: signals with hostile contexts. moat must
 * claim what is the running guest's, must not claim what is not, and the trap
 * record must be that of the context and agree with itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "hostile.h"
#include "target.h"

enum place { PLAIN, IN_SECTION, IN_CALL, NEVER, ONLY_CODE, ON_HOST, PLACES };

#define NULL_BYTES 65536u
#define FPU_BYTES  4096u

static struct input in;
static enum place place;

/* --- making --------------------------------------------------------------- */

static void make_siginfo(struct hostile_offer *offer)
{
    static const int signals[] = {SIGSEGV, SIGSEGV, SIGSEGV, SIGBUS,
                                  SIGILL,  SIGFPE,  SIGTRAP, SIGABRT};
    static const int codes[] = {1,        2,       SI_KERNEL, 3,
                                SI_TKILL, SI_USER, SI_QUEUE,  SI_TIMER};
    unsigned code = input_below(&in, 9);

    memset(&offer->info, 0, sizeof offer->info);
    offer->signo = signals[input_below(&in, 8)];
    offer->info.si_signo = offer->signo;
    offer->info.si_code = code < 8 ? codes[code] : (int)input_u32(&in);
    if (offer->info.si_code > 0)
        offer->info.si_addr = (void *)hostile_address(&in);
    else
        offer->info.si_pid = (pid_t)hostile_address(&in);
}

/* Extended state exists if the frame claims it; only the kernel may. */
static void make_fpu(struct hostile_offer *offer)
{
    static unsigned char image[FPU_BYTES] __attribute__((aligned(64)));
    static const uint32_t magic = 0x46505853u;

    if (input_below(&in, 4) == 0) {
        offer->context.uc_mcontext.fpregs = NULL;
        return;
    }
    (void)input_bytes(&in, image, 32);
    if (input_below(&in, 2) == 0)
        memcpy(image + 464, &magic, sizeof magic);
    offer->context.uc_mcontext.fpregs = (fpregset_t)(void *)image;
}

/* A handler's context has the stack disarmed. */
static void make_stack(struct hostile_offer *offer)
{
    if (input_below(&in, 8) == 0)
        memset(&offer->context.uc_stack, 0, sizeof offer->context.uc_stack);
}

static void make_offer(struct hostile_offer *offer)
{
    greg_t *g = offer->context.uc_mcontext.gregs;

    make_siginfo(offer);
    g[REG_TRAPNO] = input_below(&in, 24);
    g[REG_ERR] = input_u8(&in);
    g[REG_EFL] = (greg_t)input_u32(&in);
    make_fpu(offer);
    make_stack(offer);
    (void)input_bytes(&in, hostile_places.code_end - 16, 16);
    hostile_registers(&in, &offer->context);
    if (input_below(&in, 4) == 0) {
        g[REG_RAX] = 0;
        g[REG_RDX] = offer->signo;
    }
}

/* --- judging -------------------------------------------------------------- */

static bool was_raised(const struct hostile_offer *offer)
{
    return offer->info.si_code > 0;
}

/* Returns whether the guest can have sent the signal itself. */
static bool can_be_own(const struct hostile_offer *offer)
{
    pid_t pid = getpid(), tid = gettid();
    const moat_regs *regs = &offer->regs;

    return (offer->info.si_code == SI_TKILL ||
            offer->info.si_code == SI_USER) &&
           offer->info.si_pid == pid && regs->rax == 0 &&
           ((pid_t)regs->rdi == pid || (pid_t)regs->rdi == tid) &&
           ((int)regs->rsi == offer->signo || (int)regs->rdx == offer->signo);
}

static bool is_on_stack(uintptr_t address)
{
    return address >= hostile_places.stack.guard &&
           address < hostile_places.stack.base;
}

/* The alternate stack is where a handler of the host's would be. */
static bool can_be_handlers(const struct hostile_offer *offer)
{
    return offer->regs.sp - hostile_places.alternate + 65536 < 2 * 65536;
}

static void judge_unclaimed(const struct hostile_offer *offer)
{
    bool guests = place == PLAIN || place == IN_CALL;

    if (guests && was_raised(offer) && is_on_stack(offer->regs.sp))
        target_fail("a guest's fault was not claimed: signal %d", offer->signo);
}

static void judge_claimed(const struct hostile_offer *offer)
{
    if (place == ON_HOST || place == IN_SECTION || place == NEVER)
        target_fail("a signal was claimed that was not the guest's");
    if (!was_raised(offer) && !can_be_own(offer))
        target_fail("a signal was claimed that somebody else sent");
    if (can_be_handlers(offer) && offer->context.uc_stack.ss_size == 0)
        target_fail("a fault of a handler was claimed");
}

/* The general registers and the flags; not those of the FPU. */
static void judge_registers(const struct hostile_offer *offer,
                            const moat_trap_info *info)
{
    const moat_regs *regs = &offer->regs;

    if (memcmp(info->regs, regs, offsetof(moat_regs, mxcsr)) != 0)
        target_fail("the record has other registers");
    TARGET_CHECK(info->pc == regs->pc && info->sp == regs->sp &&
                 info->fp == regs->fp);
}

static void judge_address(const moat_trap_info *info)
{
    const moat_stack_info *stack = &hostile_places.stack;
    uintptr_t address = info->address;

    if (info->access == MOAT_ACCESS_NONE && info->signo != SIGSEGV)
        TARGET_CHECK(info->region == MOAT_REGION_UNKNOWN);
    if (info->region == MOAT_REGION_OWN_GUARD)
        TARGET_CHECK(address >= stack->guard && address < stack->limit);
    if (info->region == MOAT_REGION_OWN_STACK)
        TARGET_CHECK(address >= stack->limit && address < stack->base);
    TARGET_CHECK(info->access >= MOAT_ACCESS_NONE &&
                 info->access <= MOAT_ACCESS_EXEC);
}

static moat_trap_kind kind_of_page_fault(const struct hostile_offer *offer,
                                         const moat_trap_info *info)
{
    uintptr_t address = (uintptr_t)offer->info.si_addr;
    bool exec = (offer->context.uc_mcontext.gregs[REG_ERR] & 16) != 0;

    if (offer->signo == SIGBUS)
        return MOAT_TRAP_BUS;
    if (!exec && address >= hostile_places.stack.guard &&
        address < hostile_places.stack.limit)
        return MOAT_TRAP_STACK_OVERFLOW;
    if (address < NULL_BYTES)
        return MOAT_TRAP_NULL;
    if (exec)
        return MOAT_TRAP_EXEC;
    /* A frame may have jumped over the guard. */
    return info->kind == MOAT_TRAP_STACK_OVERFLOW &&
                   info->sp < hostile_places.stack.limit
               ? MOAT_TRAP_STACK_OVERFLOW
               : MOAT_TRAP_MEMORY;
}

static moat_trap_kind kind_by_signal(int signo)
{
    switch (signo) {
    case SIGBUS:
        return MOAT_TRAP_BUS;
    case SIGILL:
        return MOAT_TRAP_ILLEGAL;
    case SIGFPE:
        return MOAT_TRAP_ARITHMETIC;
    case SIGTRAP:
        return MOAT_TRAP_BREAKPOINT;
    case SIGABRT:
        return MOAT_TRAP_ABORT;
    default:
        return MOAT_TRAP_MEMORY;
    }
}

/* What the vectors of the CPU mean (SDM vol. 3, 6.3.1), and the signals that
 * Linux makes of them. */
static const struct {
    int vector, signo;
    moat_trap_kind kind;
} exceptions[] = {
    {1, SIGTRAP, MOAT_TRAP_BREAKPOINT}, {3, SIGTRAP, MOAT_TRAP_BREAKPOINT},
    {6, SIGILL, MOAT_TRAP_ILLEGAL},     {16, SIGFPE, MOAT_TRAP_ARITHMETIC},
    {19, SIGFPE, MOAT_TRAP_ARITHMETIC}, {0, SIGFPE, MOAT_TRAP_ARITHMETIC},
    {17, SIGBUS, MOAT_TRAP_ALIGNMENT},
};

/* NONE: the code at pc decides, or Linux sends no such signal. */
static moat_trap_kind kind_of(const struct hostile_offer *offer,
                              const moat_trap_info *info)
{
    greg_t vector = offer->context.uc_mcontext.gregs[REG_TRAPNO];

    if (!was_raised(offer))
        return kind_by_signal(offer->signo);
    if (offer->info.si_code == SI_KERNEL)
        return MOAT_TRAP_NONE;
    if (vector == 14 && (offer->signo == SIGSEGV || offer->signo == SIGBUS))
        return kind_of_page_fault(offer, info);
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        if (exceptions[i].vector == vector &&
            exceptions[i].signo == offer->signo)
            return exceptions[i].kind;
    }
    return MOAT_TRAP_NONE;
}

static void judge_kind(const struct hostile_offer *offer,
                       const moat_trap_info *info)
{
    moat_trap_kind kind = kind_of(offer, info);

    TARGET_CHECK(info->kind > MOAT_TRAP_NONE && info->kind < MOAT_TRAP_SYSCALL);
    if (kind != MOAT_TRAP_NONE && kind != info->kind)
        target_fail("the kind is %s, and not %s",
                    moat_trap_kind_name(info->kind), moat_trap_kind_name(kind));
    if (info->kind == MOAT_TRAP_EXEC)
        TARGET_CHECK(info->access == MOAT_ACCESS_EXEC);
}

static void judge_bytes(const moat_trap_info *info)
{
    const unsigned char *end = hostile_places.code_end;
    uintptr_t left = (uintptr_t)end - info->pc;

    TARGET_CHECK(info->byte_count <= sizeof info->bytes);
    if (left == 0 || left > 16)
        return;
    TARGET_CHECK(info->byte_count == left);
    TARGET_CHECK(memcmp(info->bytes, end - left, left) == 0);
}

static void judge_record(const struct hostile_offer *offer,
                         const moat_trap_info *info)
{
    const moat_stack_info *stack = &hostile_places.stack;

    TARGET_CHECK(info->signo == offer->signo);
    TARGET_CHECK(info->code == offer->info.si_code);
    TARGET_CHECK(info->stack_used <= stack->base - stack->limit);
    judge_registers(offer, info);
    judge_address(info);
    judge_kind(offer, info);
    judge_bytes(info);
}

/* --- the guest ------------------------------------------------------------ */

static void offer_one(void *arg)
{
    (void)arg;
    hostile_offer(make_offer);
}

static void *guest(moat_co *self, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    (void)self;
    if (place == IN_SECTION)
        moat_notrap_enter();
    if (place != IN_CALL) {
        offer_one(NULL);
    } else if (moat_notrap_call(offer_one, NULL, &info) == MOAT_E_FAULT) {
        judge_record(&hostile_offered, &info);
    }
    if (place == IN_SECTION)
        moat_notrap_leave();
    return input;
}

/* Returns whether the stack pointer lies below the frame of the recovery point.
 */
static bool is_below_call(uintptr_t sp)
{
    const moat_stack_info *stack = &hostile_places.stack;

    return sp <= stack->base - stack->used;
}

static void judge(const moat_co *co, const moat_event *event)
{
    const struct hostile_offer *offer = &hostile_offered;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    if (!offer->claimed)
        judge_unclaimed(offer);
    else
        judge_claimed(offer);
    if (offer->claimed && place == IN_CALL && !is_below_call(offer->regs.sp))
        return; /* the call was left by a longjmp, or it looks like that */
    TARGET_CHECK((event->kind == MOAT_EVENT_TRAP) ==
                 (offer->claimed && place != IN_CALL));
    if (event->kind != MOAT_EVENT_TRAP)
        return;
    TARGET_CHECK(moat_co_trap_info(co, &info) == MOAT_OK);
    judge_record(offer, &info);
}

static void run_guest(void)
{
    static const uint64_t policies[PLACES] = {
        [NEVER] = MOAT_CO_RECOVER_NEVER, [ONLY_CODE] = MOAT_CO_RECOVER_CODE};
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    options.flags = policies[place];
    TARGET_CHECK(moat_co_create(&co, guest, &options) == MOAT_OK);
    TARGET_CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    judge(co, &event);
    TARGET_CHECK(moat_engine_check() == MOAT_OK);
    moat_co_destroy(co);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hostile_begin();
    in = (struct input){data, data + size};
    place = (enum place)input_below(&in, PLACES);
    hostile_offered.claimed = false;
    if (place != ON_HOST)
        run_guest();
    else
        offer_one(NULL);
    if (hostile_offered.claimed && place == ON_HOST)
        target_fail("a signal of the host's was claimed");
    return 0;
}
