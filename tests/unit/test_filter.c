/*
 * test_filter.c: the code that a handler leaves to for filtered code, stepped
 * through. At each instruction one step of a walk leads to what was
 * interrupted, and a handler can undo the way there as long as it has to.
 *
 * No filter is on: the selector is a byte of the test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/syscalls.h"
#include "unwind/step.h"

#define TRAP_FLAG 0x100
#define MAX_STEPS 32

extern const char moat_arch_filtered[], moat_arch_filtered_set[];
extern const char moat_arch_filtered_call[];

/* The interrupted code, and the steps that were seen of the way back. */
static struct {
    void (*lead)(void *ucontext, struct moat_arch_filtered *words);
    struct moat_arch_filtered words;
    volatile unsigned char selector;
    moat_regs interrupted, after;
    bool led, is_back;
    unsigned steps, walked, undone;
    uintptr_t pcs[MAX_STEPS];
} seen;

static bool no_code(uintptr_t pc, moat_code *out)
{
    (void)pc;
    (void)out;
    return false;
}

static bool is_inside(uintptr_t pc)
{
    return pc >= (uintptr_t)moat_arch_filtered &&
           pc < (uintptr_t)moat_arch_syscall;
}

static bool walks_home(const ucontext_t *uc)
{
    struct moat_cursor cursor;
    moat_regs regs;

    moat_arch_regs_from_context(uc, &regs);
    moat_cursor_set(&cursor, &regs, true);
    if (moat_cursor_step(&cursor, no_code) != MOAT_STEP_MADE)
        return false;
    moat_cursor_get(&cursor, &regs);
    return cursor.pc == seen.interrupted.pc && cursor.exact &&
           cursor.sp == seen.interrupted.sp &&
           regs.rbx == seen.interrupted.rbx && regs.fp == seen.interrupted.fp;
}

static bool can_be_undone(const ucontext_t *uc)
{
    ucontext_t copy = *uc;
    moat_regs regs;

    if (!moat_arch_filter_undo(&copy, &seen.words))
        return false;
    moat_arch_regs_from_context(&copy, &regs);
    return regs.pc == seen.interrupted.pc && regs.sp == seen.interrupted.sp &&
           regs.rbx == seen.interrupted.rbx;
}

static void look(ucontext_t *uc)
{
    uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

    if (!is_inside(pc)) {
        moat_arch_regs_from_context(uc, &seen.after);
        seen.is_back = true;
        uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        return;
    }
    seen.pcs[seen.steps % MAX_STEPS] = pc;
    seen.steps++;
    seen.walked += walks_home(uc);
    seen.undone += can_be_undone(uc);
}

static void on_step(int signo, siginfo_t *info, void *ucontext)
{
    ucontext_t *uc = ucontext;

    (void)signo;
    (void)info;
    if (!seen.led) {
        moat_arch_regs_from_context(uc, &seen.interrupted);
        seen.words.selector = &seen.selector;
        seen.lead(uc, &seen.words);
        seen.led = true;
    }
    look(uc);
}

/* The registers hold values that are looked for, and the red zone does. */
static uint64_t run_interrupted(uint64_t red_zone)
{
    uint64_t left;

    __asm__ volatile("leaq -256(%%rsp), %%rsp\n\t" /* the function's own */
                     "movq %2, -8(%%rsp)\n\t"
                     "movq %2, -128(%%rsp)\n\t"
                     "leaq -128(%%rsp), %%rsp\n\t"
                     "pushfq\n\t"
                     "orq $0x101, (%%rsp)\n\t" /* TF and CF */
                     "popfq\n\t"
                     "leaq 128(%%rsp), %%rsp\n\t"
                     "movq -8(%%rsp), %0\n\t"
                     "andq -128(%%rsp), %0\n\t"
                     "leaq 256(%%rsp), %%rsp"
                     : "=&r"(left)
                     : "a"((long)SYS_getppid), "r"(red_zone)
                     : "rcx", "r11", "memory", "cc");
    return left;
}

static void step_through(void (*lead)(void *, struct moat_arch_filtered *))
{
    struct sigaction action, before;

    memset(&seen, 0, sizeof seen);
    seen.lead = lead;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    assert_int_equal(sigaction(SIGTRAP, &action, &before), 0);
    assert_int_equal(run_interrupted(UINT64_C(0x1234567890)),
                     UINT64_C(0x1234567890));
    assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
    assert_true(seen.led && seen.is_back);
    assert_int_equal(seen.selector, 1);
    assert_int_equal(seen.walked, seen.steps);
    assert_int_equal(seen.after.pc, seen.interrupted.pc);
    assert_int_equal(seen.after.sp, seen.interrupted.sp);
    assert_int_equal(seen.after.rbx, seen.interrupted.rbx);
    assert_int_equal(seen.after.fp, seen.interrupted.fp);
    assert_int_equal(seen.after.r15, seen.interrupted.r15);
}

static void each_step_of_the_return_can_be_walked(void **state)
{
    (void)state;
    step_through(moat_arch_filter_return);
    assert_int_equal(seen.steps, 6);
    assert_int_equal(seen.undone, 4);
    assert_int_equal(seen.pcs[0], (uintptr_t)moat_arch_filtered);
    assert_int_equal(seen.pcs[4], (uintptr_t)moat_arch_filtered_set);
    assert_int_equal(seen.after.flags, seen.interrupted.flags);
    assert_int_equal(seen.after.rax, seen.interrupted.rax);
    assert_int_equal(seen.after.rcx, seen.interrupted.rcx);
}

static void each_step_of_a_call_can_be_walked(void **state)
{
    (void)state;
    step_through(moat_arch_filter_call);
    /* The instruction after a system call is not stepped by each CPU. */
    assert_in_range(seen.steps, 5, 6);
    assert_int_equal(seen.undone, 0);
    assert_int_equal(seen.pcs[0], (uintptr_t)moat_arch_filtered_call);
    assert_int_equal(seen.after.rax, getppid());
    assert_int_equal(seen.after.rcx, seen.interrupted.pc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_of_the_return_can_be_walked),
        cmocka_unit_test(each_step_of_a_call_can_be_walked),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
