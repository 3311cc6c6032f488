/*
 * test_row.c: arbitrary bytes as unwind information: anything not understood is
 * refused, nothing outside is read, and no register leads into a fault.
 *
 * The bytes lie between two inaccessible pages, so that a read outside of them
 * ends the test. Reads of the stack may go anywhere; a handler repairs their
 * faults as moat's does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/size.h"
#include "unwind/eh_frame.h"
#include "unwind/expression.h"
#include "unwind/row.h"
#include "unwind/step.h"

#define ROUNDS 30000

static unsigned char *page;
static unsigned faults;

static void repair(int signo, siginfo_t *info, void *ucontext)
{
    (void)info;
    faults++;
    if (!moat_arch_fix_peek(ucontext)) {
        (void)signal(signo, SIG_DFL);
        (void)raise(signo);
    }
}

/* Called in a test's body, because cmocka installs its own handlers around
 * it. */
static void repair_faults(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = repair;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static bool nothing(uintptr_t pc, moat_code *out)
{
    (void)pc;
    (void)out;
    return false;
}

/* --- entries ------------------------------------------------------------- */

/* A CIE and an FDE at the end of the page, with absolute addresses. */
struct entries {
    struct moat_span bytes;
    const unsigned char *fde;
};

#define START ((uintptr_t)0x100000)
#define BYTES ((uint64_t)0x1000)

static unsigned char *put(unsigned char *at, const void *bytes, size_t count)
{
    memcpy(at, bytes, count);
    return at + count;
}

static unsigned char *put_u32(unsigned char *at, uint32_t value)
{
    return put(at, &value, sizeof value);
}

static struct entries make_entries(const unsigned char *program, size_t count)
{
    /* version, "zR", units 1 and -8, column 16, absolute; CFA = rsp + 8, the
     * return address at CFA - 8 */
    static const unsigned char common[] = {1, 'z', 'R',  0, 1, 0x78, 16,
                                           1, 0,   0x0c, 7, 8, 0x90, 1};
    const uint64_t range[] = {START, BYTES};
    size_t fde_bytes = 4 + sizeof range + 1 + count,
           all = 8 + sizeof common + 4 + fde_bytes;
    unsigned char *begin = page + moat_page_bytes() - all, *at = begin;
    struct entries made;

    at = put_u32(at, (uint32_t)(4 + sizeof common));
    at = put_u32(at, 0);
    at = put(at, common, sizeof common);
    made.fde = at;
    at = put_u32(at, (uint32_t)fde_bytes);
    at = put_u32(at, (uint32_t)(at - begin));
    at = put(at, range, sizeof range);
    *at++ = 0;
    at = put(at, program, count);
    made.bytes = (struct moat_span){begin, at};
    assert_ptr_equal(at, page + moat_page_bytes());
    return made;
}

static bool run(const void *program, size_t count, uintptr_t pc,
                struct moat_row *out)
{
    const struct entries made = make_entries(program, count);

    return moat_row_make(&made.bytes, made.fde, pc, out);
}

#define RUN(program, pc, out) run(program, sizeof program, pc, out)

static void a_program_runs_up_to_the_pc(void **state)
{
    /* push rbp; at +1: CFA + 16, rbp at CFA - 16; at +4: CFA by rbp */
    static const unsigned char program[] = {0x41, 0x0e, 16,   0x86,
                                            2,    0x43, 0x0d, 6};
    struct moat_row row;

    (void)state;
    assert_true(RUN(program, START, &row));
    assert_int_equal(row.cfa.value, 8);
    assert_int_equal(row.set, 1u << 16);
    assert_true(RUN(program, START + 1, &row));
    assert_int_equal(row.cfa.value, 16);
    assert_int_equal(row.cfa_register, 7);
    assert_int_equal(row.rules[6].value, -16);
    assert_true(RUN(program, START + 4, &row));
    assert_int_equal(row.cfa_register, 6);
    assert_true(RUN(program, START + BYTES - 1, &row));
    assert_false(RUN(program, START + BYTES, &row));
    assert_false(RUN(program, START - 1, &row));
}

static void what_is_remembered_comes_back(void **state)
{
    static const unsigned char program[] = {0x0a, 0x0e, 24,   0x83, 3,
                                            0x41, 0x0b, 0x41, 0xc3};
    struct moat_row row;

    (void)state;
    assert_true(RUN(program, START, &row));
    assert_int_equal(row.cfa.value, 24);
    assert_true(row.set >> 3 & 1);
    assert_true(RUN(program, START + 1, &row));
    assert_int_equal(row.cfa.value, 8);
    assert_false(row.set >> 3 & 1);
}

static void what_is_not_understood_is_refused(void **state)
{
    static const unsigned char programs[][4] = {
        {0x3f},             /* no such operation                        */
        {0x0b},             /* no saved state */
        {0x0e},             /* truncated */
        {0x0d, 17},         /* no such register */
        {0x0f, 4},          /* a truncated expression */
        {0x83, 0xff, 0xff}, /* a number without end */
        /* half a rule where the CFA is an expression */
        {0x0f, 0, 0x0e, 16},
        {0x0f, 0, 0x13, 16},
        {0x0f, 0, 0x0d, 6},
    };
    static const size_t bytes[] = {1, 1, 1, 2, 2, 3, 4, 4, 4};
    static const unsigned char deep[] = {10, 10, 10, 10, 10, 10, 10, 10, 10};
    struct moat_row row;

    (void)state;
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++)
        assert_false(run(programs[i], bytes[i], START, &row));
    assert_false(RUN(deep, START, &row));
}

static void entries_are_found_one_by_one(void **state)
{
    static const unsigned char program[] = {0x0e, 16};
    const struct entries made = make_entries(program, sizeof program);
    struct moat_row row;

    (void)state;
    assert_true(moat_row_find(&made.bytes, START + 5, &row));
    assert_int_equal(row.cfa.value, 16);
    assert_false(moat_row_find(&made.bytes, START - 5, &row));
}

static void every_byte_counts_in_a_fingerprint(void **state)
{
    static const unsigned char program[] = {0x41, 0x0e, 16, 0x86, 2, 0, 0};
    const struct entries made = make_entries(program, sizeof program);
    uint64_t whole, other;

    (void)state;
    assert_true(moat_eh_fingerprint(&made.bytes, made.fde, &whole));
    for (unsigned char *at = (unsigned char *)(uintptr_t)made.bytes.begin;
         at < made.bytes.end; at++) {
        *at ^= 1;
        assert_true(!moat_eh_fingerprint(&made.bytes, made.fde, &other) ||
                    other != whole);
        *at ^= 1;
    }
}

/* --- expressions --------------------------------------------------------- */

static uintptr_t words[16];

static bool value_of(const unsigned char *code, size_t count, uintptr_t *out)
{
    unsigned char *begin = page + moat_page_bytes() - count - 1;
    struct moat_row row = {.base = begin, .end = page + moat_page_bytes()};
    struct moat_cursor cursor;
    moat_regs regs;

    memset(&regs, 0, sizeof regs);
    regs.sp = (uintptr_t)words;
    regs.fp = 1000;
    regs.pc = START + 12;
    moat_cursor_set(&cursor, &regs, true);
    begin[0] = (unsigned char)count;
    memcpy(begin + 1, code, count);
    return moat_expression_value(&row, 0, &cursor, NULL, out);
}

static void expressions_are_computed(void **state)
{
    static const struct {
        unsigned char code[12];
        size_t count;
        uintptr_t value;
    } cases[] = {
        {{0x76, 0x78}, 2, 992},                 /* breg6 -8        */
        {{0x77, 8, 0x06}, 3, 77},               /* breg7 8, deref  */
        {{0x77, 8, 0x94, 1}, 4, 77},            /* deref_size 1    */
        {{0x31, 0x35, 0x1c}, 3, (uintptr_t)-4}, /* 1 - 5           */
        {{0x09, 0xfe, 0x19}, 3, 2},             /* abs -2          */
        {{0x0a, 0x34, 0x12}, 3, 0x1234},        /* const2u         */
        {{0x10, 0x80, 1, 0x23, 2}, 5, 130},     /* constu, plus    */
        {{0x38, 0x33, 0x1b}, 3, 2},             /* 8 / 3           */
        {{0x38, 0x33, 0x1d}, 3, 2},             /* 8 mod 3         */
        {{0x31, 0x32, 0x33, 0x17, 0x1c}, 5, (uintptr_t)-1}, /* rot        */
        {{0x31, 0x32, 0x16, 0x1c}, 4, 1},             /* swap            */
        {{0x31, 0x28, 1, 0, 0x39, 0x37}, 6, 7},       /* bra over lit9   */
        {{0x31, 0x20, 0x31, 0x26}, 4, (uintptr_t)-1}, /* ~1 >> 1, signed */
        /* The expression of a PLT: rsp + 8, and 8 more after its push. */
        {{0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22},
         11,
         (uintptr_t)&words[2]},
    };
    uintptr_t value;

    (void)state;
    words[1] = 77;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(value_of(cases[i].code, cases[i].count, &value));
        assert_int_equal(value, cases[i].value);
    }
}

static void bad_expressions_are_refused(void **state)
{
    static const struct {
        unsigned char code[8];
        size_t count;
    } cases[] = {
        {{0}, 0},                            /* no value               */
        {{0x22}, 1},                         /* plus without operands */
        {{0x30, 0x06}, 2},                   /* loads from 0           */
        {{0x31, 0x30, 0x1b}, 3},             /* divides by 0           */
        {{0x31, 0x30, 0x1d}, 3},             /* the same               */
        {{0x2f, 0xfd, 0xff}, 3},             /* an endless loop */
        {{0x2f, 0x7f, 0x7f}, 3},             /* jumps out of range */
        {{0x31, 0x12, 0x2f, 0xfc, 0xff}, 5}, /* overflows the stack */
        {{0x92, 17, 0}, 3},                  /* no such register       */
        {{0xff}, 1},                         /* no such operation      */
        {{0x0e, 1, 2, 3}, 4},                /* truncated */
        {{0x77, 0, 0x94, 9}, 4},             /* nine bytes of a word */
    };
    uintptr_t value;

    (void)state;
    repair_faults();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_false(value_of(cases[i].code, cases[i].count, &value));
}

/* --- anything ------------------------------------------------------------ */

static uint64_t any(void)
{
    static uint64_t state = 20261121;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void any_program_ends(void **state)
{
    unsigned char program[64];
    struct moat_row row;
    unsigned understood = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = any() % sizeof program;

        for (size_t i = 0; i < count; i++)
            program[i] = (unsigned char)any();
        understood += run(program, count, START + any() % BYTES, &row);
    }
    assert_in_range(understood, 1, ROUNDS - 1);
}

static void any_entries_are_read_inside_their_bounds(void **state)
{
    static const unsigned char program[] = {0x41, 0x0e, 16,   0x86, 2,
                                            0x0f, 2,    0x76, 8};
    struct moat_row row;
    uint64_t print;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct entries made = make_entries(program, sizeof program);
        size_t bytes = (size_t)(made.bytes.end - made.bytes.begin);
        unsigned char *begin = (unsigned char *)(uintptr_t)made.bytes.begin;

        for (uint64_t changes = any() % 4 + 1; changes > 0; changes--)
            begin[any() % bytes] = (unsigned char)any();
        (void)moat_row_make(&made.bytes, made.fde, START + 2, &row);
        (void)moat_row_find(&made.bytes, START + 2, &row);
        (void)moat_eh_fingerprint(&made.bytes, made.fde, &print);
        (void)moat_row_make(&made.bytes, begin + any() % bytes, START, &row);
    }
}

static void any_expression_ends(void **state)
{
    unsigned char code[32];
    uintptr_t value;

    (void)state;
    repair_faults();
    faults = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = any() % sizeof code;

        for (size_t i = 0; i < count; i++)
            code[i] = (unsigned char)any();
        (void)value_of(code, count, &value);
    }
    assert_true(faults > 0);
}

/* Arbitrary registers, at addresses that have rules. */
static void any_registers_are_survived(void **state)
{
    static const uintptr_t places[] = {(uintptr_t)qsort, (uintptr_t)strtod,
                                       (uintptr_t)moat_root_return,
                                       (uintptr_t)any};
    unsigned lost = 0;

    (void)state;
    repair_faults();
    for (int round = 0; round < ROUNDS; round++) {
        struct moat_cursor cursor;
        moat_regs regs;

        for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++)
            *moat_arch_dwarf_register(&regs, i) =
                any() % 2 == 0 ? any() : (uintptr_t)page + any() % 8192;
        regs.pc = places[any() % 4] + any() % 64;
        moat_cursor_set(&cursor, &regs, true);
        for (int step = 0; step < 20; step++)
            if (moat_cursor_step(&cursor, nothing) != MOAT_STEP_MADE) {
                lost++;
                break;
            }
    }
    assert_in_range(lost, ROUNDS / 2, ROUNDS);
}

static int make_page(void **state)
{
    unsigned char *memory = mmap(NULL, 3 * moat_page_bytes(), PROT_NONE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    if (memory == MAP_FAILED)
        return -1;
    page = memory + moat_page_bytes();
    return mprotect(page, moat_page_bytes(), PROT_READ | PROT_WRITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_up_to_the_pc),
        cmocka_unit_test(what_is_remembered_comes_back),
        cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(entries_are_found_one_by_one),
        cmocka_unit_test(every_byte_counts_in_a_fingerprint),
        cmocka_unit_test(expressions_are_computed),
        cmocka_unit_test(bad_expressions_are_refused),
        cmocka_unit_test(any_program_ends),
        cmocka_unit_test(any_entries_are_read_inside_their_bounds),
        cmocka_unit_test(any_expression_ends),
        cmocka_unit_test(any_registers_are_survived),
    };

    return cmocka_run_group_tests_name("row", tests, make_page, NULL);
}
