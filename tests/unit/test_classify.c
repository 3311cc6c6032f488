/*
 * test_classify.c: the classification of traps, from a table, without a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <signal.h>
#include <string.h>

#include "trap/classify.h"

/* A stack of 64 KiB at a round address, with a guard of 4 KiB. */
#define GUARD ((uintptr_t)0x700000000000)
#define LIMIT (GUARD + 0x1000)
#define BASE  (LIMIT + 0x10000)
#define FAR   ((uintptr_t)64 << 20)

static const struct {
    const char *what;
    int signo;
    enum moat_arch_exception exception;
    moat_access access;
    uintptr_t address, sp;
    moat_region region;
    moat_trap_kind kind;
} cases[] = {
    {"write in the guard", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_WRITE,
     LIMIT - 8, LIMIT - 8, MOAT_REGION_OWN_GUARD, MOAT_TRAP_STACK_OVERFLOW},
    {"read in the guard, sp in the stack", SIGSEGV, MOAT_EXCEPTION_PAGE,
     MOAT_ACCESS_READ, GUARD, BASE - 64, MOAT_REGION_OWN_GUARD,
     MOAT_TRAP_STACK_OVERFLOW},
    {"jump into the guard", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_EXEC,
     GUARD, BASE - 64, MOAT_REGION_OWN_GUARD, MOAT_TRAP_EXEC},
    {"another's guard", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_WRITE,
     BASE + 0x5000, BASE - 64, MOAT_REGION_OTHER_GUARD, MOAT_TRAP_MEMORY},
    {"address 0, read", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_READ, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_NULL},
    {"address 0, jump", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_EXEC, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_NULL},
    {"field behind NULL", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_WRITE,
     65535, BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_NULL},
    {"first address that is not NULL's", SIGSEGV, MOAT_EXCEPTION_PAGE,
     MOAT_ACCESS_WRITE, 65536, BASE - 64, MOAT_REGION_UNKNOWN,
     MOAT_TRAP_MEMORY},
    {"jump to data", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_EXEC, 0x600000,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_EXEC},
    {"jump to the stack", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_EXEC,
     BASE - 64, BASE - 64, MOAT_REGION_OWN_STACK, MOAT_TRAP_EXEC},
    {"frame that jumped the guard", SIGSEGV, MOAT_EXCEPTION_PAGE,
     MOAT_ACCESS_WRITE, GUARD - 0x8000, GUARD - 0x9000, MOAT_REGION_ARENA,
     MOAT_TRAP_STACK_OVERFLOW},
    {"push below a frame that jumped", SIGSEGV, MOAT_EXCEPTION_PAGE,
     MOAT_ACCESS_WRITE, GUARD - 0x9008, GUARD - 0x9000, MOAT_REGION_ARENA,
     MOAT_TRAP_STACK_OVERFLOW},
    {"last byte that belongs to the frame", SIGSEGV, MOAT_EXCEPTION_PAGE,
     MOAT_ACCESS_WRITE, GUARD - 0x9000 - 256, GUARD - 0x9000, MOAT_REGION_ARENA,
     MOAT_TRAP_STACK_OVERFLOW},
    {"byte below it", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_WRITE,
     GUARD - 0x9000 - 257, GUARD - 0x9000, MOAT_REGION_ARENA, MOAT_TRAP_MEMORY},
    {"sp as far as a jump may go", SIGSEGV, MOAT_EXCEPTION_PAGE,
     MOAT_ACCESS_WRITE, LIMIT - FAR + 1, LIMIT - FAR + 1, MOAT_REGION_ARENA,
     MOAT_TRAP_STACK_OVERFLOW},
    {"sp too far away", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_WRITE,
     LIMIT - FAR, LIMIT - FAR, MOAT_REGION_UNKNOWN, MOAT_TRAP_MEMORY},
    {"smashed sp 0", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_WRITE,
     UINTPTR_MAX - 7, 0, MOAT_REGION_UNKNOWN, MOAT_TRAP_MEMORY},
    {"wild write", SIGSEGV, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_WRITE,
     0x123456789000, BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_MEMORY},
    {"page behind a file's end", SIGBUS, MOAT_EXCEPTION_PAGE, MOAT_ACCESS_READ,
     0x123456789000, BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_BUS},
    {"address that is not canonical", SIGSEGV, MOAT_EXCEPTION_PROTECTION,
     MOAT_ACCESS_NONE, 0, BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_MEMORY},
    {"jump to such an address", SIGSEGV, MOAT_EXCEPTION_FETCH, MOAT_ACCESS_EXEC,
     (uintptr_t)1 << 60, BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_EXEC},
    {"hlt", SIGSEGV, MOAT_EXCEPTION_PRIVILEGED, MOAT_ACCESS_NONE, 0, BASE - 64,
     MOAT_REGION_UNKNOWN, MOAT_TRAP_ILLEGAL},
    {"ud2", SIGILL, MOAT_EXCEPTION_OPCODE, MOAT_ACCESS_NONE, 0, BASE - 64,
     MOAT_REGION_UNKNOWN, MOAT_TRAP_ILLEGAL},
    {"misaligned with AC", SIGBUS, MOAT_EXCEPTION_ALIGNMENT, MOAT_ACCESS_NONE,
     0, BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_ALIGNMENT},
    {"division", SIGFPE, MOAT_EXCEPTION_DIVIDE, MOAT_ACCESS_NONE, 0, BASE - 64,
     MOAT_REGION_UNKNOWN, MOAT_TRAP_ARITHMETIC},
    {"unmasked float", SIGFPE, MOAT_EXCEPTION_FLOAT, MOAT_ACCESS_NONE, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_ARITHMETIC},
    {"int3", SIGTRAP, MOAT_EXCEPTION_DEBUG, MOAT_ACCESS_NONE, 0, BASE - 64,
     MOAT_REGION_UNKNOWN, MOAT_TRAP_BREAKPOINT},
    {"abort", SIGABRT, MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0, BASE - 64,
     MOAT_REGION_UNKNOWN, MOAT_TRAP_ABORT},
    {"raise(SIGSEGV)", SIGSEGV, MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_MEMORY},
    {"raise(SIGBUS)", SIGBUS, MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_BUS},
    {"raise(SIGILL)", SIGILL, MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_ILLEGAL},
    {"raise(SIGFPE)", SIGFPE, MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_ARITHMETIC},
    {"raise(SIGTRAP)", SIGTRAP, MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0,
     BASE - 64, MOAT_REGION_UNKNOWN, MOAT_TRAP_BREAKPOINT},
};

static void every_case_has_its_kind(void **state)
{
    const struct moat_slot slot = {
        .base = BASE, .limit = LIMIT, .guard = GUARD};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct moat_arch_fault fault = {cases[i].exception, cases[i].access,
                                        cases[i].address};
        moat_regs regs;
        moat_trap_kind kind;

        memset(&regs, 0, sizeof regs);
        regs.sp = cases[i].sp;
        kind = moat_trap_classify(cases[i].signo, &fault, cases[i].region,
                                  &regs, &slot);
        if (kind != cases[i].kind)
            fail_msg("%s: %s", cases[i].what, moat_trap_kind_name(kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_has_its_kind),
    };

    return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
