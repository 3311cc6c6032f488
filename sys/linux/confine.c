/*
 * confine.c: the bound of a thread's system calls by a seccomp filter
 * (seccomp(2)), for this thread and what it starts, not for its siblings.
 *
 * The program compares the number with each that is allowed, one by one. The
 * kernel remembers for which numbers the answer never depends on more
 * (Linux 5.11), so the length costs nothing there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/confine.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/filter.h"
#include "sys/refusal.h"

/* asm-generic/siginfo.h: si_code of a call that a seccomp filter traps. */
#define SECCOMP_TRAPS 1

/* In si_errno, so that the host's own filters are told apart. */
#define MARK 0x6d6f

/* linux/prctl.h of Linux 5.11. */
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#    define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
/* linux/pidfd.h of Linux 6.14. */
#define PIDFD_SELF_THREAD (-10000)
/* linux/fs.h: PAGEMAP_SCAN, with its struct of 96 bytes. */
#define PAGEMAP_SCAN_REQUEST _IOC(_IOC_READ | _IOC_WRITE, 'f', 16, 96)

/* --- what the library needs ----------------------------------------------- */

/* To make, run, stop, reset and free guests on an attached thread, for heaps
 * and malloc, for backtraces by address, and for the end of the thread. */
static const long needed[] = {
    SYS_rt_sigreturn, SYS_rt_sigprocmask,  SYS_rt_sigaction,
    SYS_sigaltstack,  SYS_timer_create,    SYS_timer_settime,
    SYS_timer_delete, SYS_clock_gettime,   SYS_gettid,
    SYS_getpid,       SYS_futex,           SYS_restart_syscall,
    SYS_brk,          SYS_munmap,          SYS_mremap,
    SYS_madvise,      SYS_clock_nanosleep, SYS_msync,
    SYS_exit,         SYS_exit_group};

/* A half of an argument: bits of it are this value. A number's upper half is
 * not looked at, as the kernel does not. */
struct test {
    uint32_t argument, bits, value;
    bool upper;
};

/* Memory without code or files; signals and looks at this process alone; the
 * filter of guests; which pages are in use; a limit is asked for, not set, a
 * filter added that has no descriptor. */
#define WHOLE     UINT32_MAX
#define TESTS_MAX 3
#define OWN_PID   UINT32_MAX /* stands for it: no pid */

static const struct rule {
    long number;
    struct test tests[TESTS_MAX];
    unsigned count;
} rules[] = {
    {SYS_mmap,
     {{2, PROT_EXEC, 0, false}, {3, MAP_ANONYMOUS, MAP_ANONYMOUS, false}},
     2},
    {SYS_mprotect, {{2, PROT_EXEC, 0, false}}, 1},
    {SYS_prctl, {{0, WHOLE, PR_SET_SYSCALL_USER_DISPATCH, false}}, 1},
    {SYS_seccomp,
     {{0, WHOLE, SECCOMP_SET_MODE_FILTER, false}, {1, WHOLE, 0, false}},
     2},
    {SYS_ioctl, {{1, WHOLE, PAGEMAP_SCAN_REQUEST, false}}, 1},
    {SYS_prlimit64,
     {{0, WHOLE, 0, false}, {2, WHOLE, 0, false}, {2, WHOLE, 0, true}},
     3},
    {SYS_process_madvise, {{0, WHOLE, (uint32_t)PIDFD_SELF_THREAD, false}}, 1},
    {SYS_tgkill, {{0, WHOLE, OWN_PID, false}}, 1},
    {SYS_rt_tgsigqueueinfo, {{0, WHOLE, OWN_PID, false}}, 1},
    {SYS_process_vm_readv, {{0, WHOLE, OWN_PID, false}}, 1},
};

/* The C library blocks all signals around these, and a signal that the kernel
 * sends for a refused call then ends the process. So they fail. */
static const long failing[] = {
    SYS_clone,
    SYS_clone3,
#ifdef SYS_fork /* an old number */
    SYS_fork,
    SYS_vfork,
#endif
};

/* --- the program ---------------------------------------------------------- */

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Instructions: before the calls and after them, for a call, for a rule. */
#define FRAME_STEPS (5 + CALL_STEPS * COUNT_OF(failing))
#define CALL_STEPS  2
#define RULE_STEPS  (2 + 4 * TESTS_MAX)

#define REFUSE (SECCOMP_RET_TRAP | MARK)

/* The kernel takes no program that is longer. */
#define NUMBERS_MAX                              \
    ((BPF_MAXINSNS - FRAME_STEPS) / CALL_STEPS - \
     COUNT_OF(rules) * RULE_STEPS - COUNT_OF(needed))

struct program {
    struct sock_filter *steps;
    unsigned short count;
};

static void put(struct program *program, uint16_t code, uint32_t operand,
                unsigned if_true, unsigned if_false)
{
    program->steps[program->count++] = (struct sock_filter)BPF_JUMP(
        code, operand, (uint8_t)if_true, (uint8_t)if_false);
}

static void put_load(struct program *program, size_t offset)
{
    put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void put_return(struct program *program, uint32_t what)
{
    put(program, BPF_RET | BPF_K, what, 0, 0);
}

/* Skips the next step if the accumulator is not the value. */
static void put_if(struct program *program, uint32_t value)
{
    put(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
}

static void put_calls(struct program *program, const long *numbers,
                      size_t count, uint32_t what)
{
    for (size_t i = 0; i < count; i++) {
        put_if(program, (uint32_t)numbers[i]);
        put_return(program, what);
    }
}

static void put_test(struct program *program, const struct test *test,
                     uint32_t pid)
{
    uint32_t value = test->value == OWN_PID ? pid : test->value;

    put_load(program, offsetof(struct seccomp_data, args) +
                          test->argument * sizeof(uint64_t) +
                          (test->upper ? sizeof(uint32_t) : 0));
    put(program, BPF_ALU | BPF_AND | BPF_K, test->bits, 0, 0);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    put_return(program, REFUSE);
}

/* A number that has come so far is no other's. */
static void put_rule(struct program *program, const struct rule *rule,
                     uint32_t pid)
{
    put(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->number, 0,
        4 * rule->count + 1);
    for (unsigned i = 0; i < rule->count; i++)
        put_test(program, &rule->tests[i], pid);
    put_return(program, SECCOMP_RET_ALLOW);
}

/* The numbers of the x32 ABI have a bit of their own, so they are in no list.
 */
static void write_program(struct program *program, uint32_t abi,
                          const long *numbers, size_t count)
{
    put_load(program, offsetof(struct seccomp_data, arch));
    put(program, BPF_JMP | BPF_JEQ | BPF_K, abi, 1, 0);
    put_return(program, REFUSE);
    put_load(program, offsetof(struct seccomp_data, nr));
    put_calls(program, numbers, count, SECCOMP_RET_ALLOW);
    put_calls(program, needed, COUNT_OF(needed), SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        put_rule(program, &rules[i], (uint32_t)getpid());
    put_calls(program, failing, COUNT_OF(failing), SECCOMP_RET_ERRNO | EPERM);
    put_return(program, REFUSE);
}

/* --- the bound ------------------------------------------------------------ */

#define X32_BIT 0x40000000

static moat_status check(const long *numbers, size_t count)
{
    if (count > NUMBERS_MAX)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "count is %u: at most %u calls can be listed",
                                  count, NUMBERS_MAX);
    if (numbers == NULL && count != 0)
        return moat_refuse(MOAT_E_INVAL, "calls is NULL");
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] < 0 || numbers[i] >= X32_BIT)
            return moat_refuse_values(MOAT_E_INVAL,
                                      "calls[%u] is %d: no system call of the "
                                      "CPU's own ABI",
                                      i, (uint64_t)numbers[i]);
    }
    return MOAT_OK;
}

/* Without new privileges a program that is executed cannot gain any from its
 * file; else the kernel takes filters only from root. That stays. */
static moat_status install(const struct program *program)
{
    const struct sock_fprog filter = {program->count, program->steps};

    if (!moat_filter.confined &&
        prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "prctl with PR_SET_NO_NEW_PRIVS has failed: %e");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0UL, &filter) != 0)
        return moat_refuse(MOAT_E_UNSUPPORTED, "seccomp has failed: %e");
    moat_filter.confined = true;
    moat_filter_repair();
    return MOAT_OK;
}

moat_status moat_confine(uint32_t abi, const long *numbers, size_t count)
{
    struct program program = {NULL, 0};
    moat_status status = check(numbers, count);

    if (status != MOAT_OK)
        return status;
    program.steps =
        malloc((FRAME_STEPS + CALL_STEPS * count +
                CALL_STEPS * COUNT_OF(needed) + RULE_STEPS * COUNT_OF(rules)) *
               sizeof *program.steps);
    if (program.steps == NULL)
        return MOAT_E_NOMEM;
    write_program(&program, abi, numbers, count);
    status = install(&program);
    free(program.steps);
    return status;
}

bool moat_confine_refused(const siginfo_t *info)
{
    return info->si_code == SECCOMP_TRAPS && info->si_errno == MARK;
}
