/*
 * test_context.c: guests whose machine context misleads the handler: nothing at
 * the program counter or the stack pointer, and signals that the kernel sends
 * without an exception, with the number of an older one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#define NOWHERE       UINT64_C(0x10000)
#define NOT_CANONICAL UINT64_C(0x8000000000000000)

static moat_trap_info run_to_trap(moat_entry entry, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *co = guest_create(entry);

    REQUIRE(guest_resume(co, input).kind == MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    moat_co_destroy(co);
    return info;
}

static void expect_no_address(const moat_trap_info *info, moat_trap_kind kind)
{
    EXPECT_EQ(info->kind, kind);
    EXPECT_EQ(info->access, MOAT_ACCESS_NONE);
    EXPECT_EQ(info->address, 0);
}

/* ---- An older protection fault ---- */

static void *read_where_no_address_is(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq (%0), %%rax" ::"r"(NOT_CANONICAL) : "rax");
    return input;
}

/* Its number stays in the contexts of this thread's later signals. */
static void commit_protection_fault(void)
{
    moat_trap_info info = run_to_trap(read_where_no_address_is, NULL);

    expect_no_address(&info, MOAT_TRAP_MEMORY);
}

/* ---- Returns from a handler that fail ---- */

/* The kernel reads the frame where nothing is. The instruction after the system
 * call is a ret, which the handler may take for the one that faulted. */
static void *return_without_frame(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "movl %1, %%eax\n\t"
                     "syscall\n\t"
                     "ret"
                     :
                     : "r"(NOWHERE), "i"(SYS_rt_sigreturn)
                     : "memory");
    return input;
}

static void a_return_without_a_frame_has_no_address(const void *arg)
{
    moat_trap_info info;

    (void)arg;
    info = run_to_trap(return_without_frame, NULL);
    expect_no_address(&info, MOAT_TRAP_MEMORY);
    EXPECT_EQ(info.signo, SIGSEGV);
    EXPECT_EQ(info.sp, NOWHERE);
}

static void a_return_without_a_frame_after_a_protection_fault(const void *arg)
{
    moat_trap_info info;

    (void)arg;
    commit_protection_fault();
    info = run_to_trap(return_without_frame, NULL);
    expect_no_address(&info, MOAT_TRAP_MEMORY);
}

/* What the kernel reads at the stack pointer, after the handler's return has
 * taken the first word off. */
struct frame {
    ucontext_t context;
    siginfo_t info;
};

/* The registers are restored first, then the floating-point state, whose
 * address is bad: the return fails with the new registers in place. */
static void *return_to_nowhere(moat_co *self, void *input)
{
    static struct frame frame;
    greg_t *g = frame.context.uc_mcontext.gregs;

    (void)self;
    (void)getcontext(&frame.context);
    g[REG_RIP] = NOWHERE;
    g[REG_RSP] = *(const greg_t *)input;
    g[REG_CSGSFS] = 0x2b000000000033;
    frame.context.uc_mcontext.fpregs = (fpregset_t)NOWHERE;
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "movl %1, %%eax\n\t"
                     "syscall\n\t"
                     "ud2"
                     :
                     : "r"(&frame), "i"(SYS_rt_sigreturn)
                     : "memory");
    return input;
}

static void a_return_to_nowhere_after_a_protection_fault(const void *arg)
{
    static char stack[64 << 10];
    greg_t sp = (greg_t)(uintptr_t)(stack + sizeof stack);
    moat_trap_info info;

    (void)arg;
    commit_protection_fault();
    info = run_to_trap(return_to_nowhere, &sp);
    expect_no_address(&info, MOAT_TRAP_MEMORY);
    EXPECT_EQ(info.pc, NOWHERE);
    EXPECT_EQ(info.byte_count, 0);
}

static void a_return_to_nowhere_with_a_bad_stack_pointer(const void *arg)
{
    greg_t sp = (greg_t)NOT_CANONICAL;
    moat_trap_info info;

    (void)arg;
    commit_protection_fault();
    info = run_to_trap(return_to_nowhere, &sp);
    EXPECT_EQ(info.kind, MOAT_TRAP_MEMORY);
    EXPECT_EQ(info.pc, NOWHERE);
}

/* ---- Exceptions without a code of their own ---- */

static void *interrupt_4(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("int $4");
    return input;
}

static void an_overflow_exception_has_no_address(const void *arg)
{
    moat_trap_info info;

    (void)arg;
    info = run_to_trap(interrupt_4, NULL);
    EXPECT_EQ(info.signo, SIGSEGV);
    expect_no_address(&info, MOAT_TRAP_MEMORY);
}

/* With a page fault as the thread's last exception, and with a division. */
static void *divide_by_zero(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("xorl %%ecx, %%ecx\n\tidivl %%ecx" ::
                         : "eax", "ecx", "edx");
    return input;
}

static void a_failed_return_is_none_of_the_older_faults(const void *arg)
{
    static const moat_entry older[] = {guest_write_null, divide_by_zero,
                                       interrupt_4, read_where_no_address_is};

    (void)arg;
    for (size_t i = 0; i < sizeof older / sizeof older[0]; i++) {
        moat_trap_info info;

        expect_context("older fault %zu", i);
        (void)run_to_trap(older[i], NULL);
        info = run_to_trap(return_without_frame, NULL);
        expect_no_address(&info, MOAT_TRAP_MEMORY);
    }
}

/* ---- Code that cannot be read ---- */

/* ret with a return address that is none; on a page that may be executed only,
 * where the CPU has protection keys. */
static void *return_from_unreadable_code(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("pushq %0\n\tjmp *%1" ::"r"(NOT_CANONICAL), "r"(input)
                     : "memory");
    return input;
}

static bool can_read(const void *address)
{
    int ends[2];
    bool readable = pipe(ends) == 0 && write(ends[1], address, 1) == 1;

    (void)close(ends[0]);
    (void)close(ends[1]);
    return readable;
}

static void a_protection_fault_in_unreadable_code(const void *arg)
{
    unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_trap_info info;

    (void)arg;
    REQUIRE(code != MAP_FAILED);
    code[0] = 0xc3;
    REQUIRE(mprotect(code, 4096, PROT_EXEC) == 0);
    if (can_read(code))
        child_leave_out("this CPU can read what it may execute");
    info = run_to_trap(return_from_unreadable_code, code);
    EXPECT(info.kind == MOAT_TRAP_MEMORY || info.kind == MOAT_TRAP_EXEC);
    EXPECT_EQ(info.pc, (uintptr_t)code);
}

/* ---- A frame that could not be pushed ---- */

static void ignore(int signo)
{
    (void)signo;
}

/* Runs on the guest's stack. */
static void handle_on_stack(int signo)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = ignore;
    REQUIRE(sigaction(signo, &action, NULL) == 0);
}

/* Sends itself a signal with 512 bytes of stack left. */
static void *get_a_signal_at_the_end(moat_co *self, void *input)
{
    moat_stack_info stack;

    (void)self;
    REQUIRE(moat_stack_bounds(&stack) == MOAT_OK);
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %[sp], %%rsp\n\t"
                     "syscall\n\t"
                     "movq %%rbx, %%rsp"
                     :
                     : [sp] "r"(stack.limit + 512), "a"(SYS_tgkill),
                       "D"((long)getpid()), "S"(syscall(SYS_gettid)),
                       "d"((long)SIGUSR1)
                     : "rbx", "rcx", "r11", "memory");
    return input;
}

static void expect_frame_failed(void)
{
    moat_trap_info info = run_to_trap(get_a_signal_at_the_end, NULL);

    EXPECT_EQ(info.kind, MOAT_TRAP_STACK_OVERFLOW);
    EXPECT_EQ(info.access, MOAT_ACCESS_WRITE);
    EXPECT_EQ(info.address, info.sp);
}

static void a_frame_without_room_is_an_overflow(const void *arg)
{
    (void)arg;
    handle_on_stack(SIGUSR1);
    expect_frame_failed();
    commit_protection_fault();
    expect_frame_failed();
}

/* ---- A host that blocks the signal while it asks ---- */

static void ask_moat(int signo, siginfo_t *info, void *context)
{
    if (!moat_trap_handle(signo, info, context))
        _exit(1);
}

/* Without SA_NODEFER: a fault of the handler would kill the process. */
static void own_the_signal(void)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    struct sigaction action;

    options.source = &moat_source_manual;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = ask_moat;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void a_host_that_blocks_the_signal_survives(const void *arg)
{
    moat_trap_info info;

    (void)arg;
    own_the_signal();
    commit_protection_fault();
    info = run_to_trap(return_without_frame, NULL);
    expect_no_address(&info, MOAT_TRAP_MEMORY);
}

static const struct child_case cases[] = {
    CHILD_CASE(a_return_without_a_frame_has_no_address),
    CHILD_CASE(a_return_without_a_frame_after_a_protection_fault),
    CHILD_CASE(a_return_to_nowhere_after_a_protection_fault),
    CHILD_CASE(a_return_to_nowhere_with_a_bad_stack_pointer),
    CHILD_CASE(an_overflow_exception_has_no_address),
    CHILD_CASE(a_failed_return_is_none_of_the_older_faults),
    CHILD_CASE(a_protection_fault_in_unreadable_code),
    CHILD_CASE(a_frame_without_room_is_an_overflow),
    CHILD_CASE(a_host_that_blocks_the_signal_survives),
};

int main(int argc, char **argv)
{
    return child_cases_run("context", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
