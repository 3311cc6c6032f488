/*
 * program.c: the program that the matrix builds in every way: values in both
 * directions, floating-point and vector values that live across a switch, a
 * nested coroutine, a trap, and backtraces that reach main. Prints failures;
 * prints nothing and returns 0 if all is well.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>

#include <unwind.h>

#ifdef WITH_LIBUNWIND
#    define UNW_LOCAL_ONLY
#    include <libunwind.h>
#endif

#include <moat/moat.h>

#define NOINLINE __attribute__((noinline))

static int failures;

static void check(int holds, const char *what)
{
    if (holds)
        return;
    printf("%s\n", what);
    failures++;
}

/* An address in main that backtraces must reach. */
static uintptr_t in_main;

static moat_event run(moat_co *co, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    check(moat_co_resume(co, input, &event) == MOAT_OK, "resume");
    return event;
}

static moat_co *make(moat_entry entry, void *user)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.user = user;
    check(moat_co_create(&co, entry, &options) == MOAT_OK, "create");
    return co;
}

/* --- values ------------------------------------------------------------------
 */

static void *count_guest(moat_co *self, void *input)
{
    uintptr_t sum = (uintptr_t)input;

    for (int i = 0; i < 100; i++)
        sum += (uintptr_t)moat_co_yield(self, (void *)sum);
    return (void *)sum;
}

static void test_values(void)
{
    moat_co *co = make(count_guest, NULL);
    uintptr_t sum = 5;
    moat_event event = run(co, (void *)sum);

    for (uintptr_t i = 0; i < 100; i++) {
        check(event.kind == MOAT_EVENT_YIELD, "values: event");
        check(event.value == (void *)sum, "values: yield");
        sum += i * i + 1;
        event = run(co, (void *)(i * i + 1));
    }
    check(event.kind == MOAT_EVENT_RETURN && event.value == (void *)sum,
          "values: return");
    moat_co_destroy(co);
}

/* --- values in registers -------------------------------------------------- */

typedef float quad __attribute__((vector_size(16)));
typedef float wide __attribute__((vector_size(64)));

static volatile float seed = 1.5F;
static volatile long double tiny = 1e-15L;

/* As many values as there are vector registers. They are pinned to registers
 * right before the switch, so that a register missing from its clobber list
 * probably holds one. */
/* clang-format off */
#define EACH(X)                                                                \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)  \
    X(14) X(15)
#define EACH_MORE(X)                                                           \
    EACH(X)                                                                    \
    X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27)    \
    X(28) X(29) X(30)
/* clang-format on */

#define LOAD(n)    quad vector##n = {seed + (n), seed, seed, seed};
#define PIN(n)     __asm__ volatile("" : "+x"(vector##n));
#define COMPARE(n) wrong |= vector##n[0] != seed + (n) || vector##n[3] != seed;

#define ACROSS(statement, what)                               \
    do {                                                      \
        int wrong = 0;                                        \
        long double extended = 1.0L + tiny;                   \
        EACH(LOAD)                                            \
        EACH(PIN)                                             \
        __asm__ volatile("" : "+t"(extended));                \
        statement;                                            \
        EACH(COMPARE)                                         \
        check(!wrong, what ": vectors");                      \
        check(extended - 1.0L > 0 && extended - 1.0L < 1e-9L, \
              what ": long double");                          \
    } while (0)

#define LOAD_WIDE(n) wide vector##n = {seed + (n), seed, seed, seed};
#define PIN_WIDE(n)  __asm__ volatile("" : "+v"(vector##n));

#define ACROSS_WIDE(statement, what)                               \
    do {                                                           \
        int wrong = 0;                                             \
        uint16_t mask0 = 0x1234, mask1 = 0x5678;                   \
        EACH_MORE(LOAD_WIDE)                                       \
        EACH_MORE(PIN_WIDE)                                        \
        __asm__ volatile("" : "+k"(mask0), "+k"(mask1));           \
        statement;                                                 \
        EACH_MORE(COMPARE)                                         \
        check(!wrong, what ": wide vectors");                      \
        check(mask0 == 0x1234 && mask1 == 0x5678, what ": masks"); \
    } while (0)

#define SPOIL(n) "pcmpeqd %%xmm" #n ", %%xmm" #n "\n\t"

/* Overwrites the registers that a call does not preserve, as a guest may do. */
static inline void spoil(void)
{
    __asm__ volatile(EACH(SPOIL) "fldz\n\tfldz\n\tfldz\n\tfldz\n\t"
                                 "fldz\n\tfldz\n\tfldz\n\tfldz\n\t"
                                 "fstp %%st(0)\n\tfstp %%st(0)\n\t"
                                 "fstp %%st(0)\n\tfstp %%st(0)\n\t"
                                 "fstp %%st(0)\n\tfstp %%st(0)\n\t"
                                 "fstp %%st(0)\n\tfstp %%st(0)"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)",
                       "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
}

static void *float_guest(moat_co *self, void *input)
{
    for (int i = 0; i < 10; i++)
        ACROSS(input = moat_co_yield(self, input), "guest");
    return input;
}

static void *spoil_guest(moat_co *self, void *input)
{
    for (;;) {
        spoil();
        input = moat_co_yield(self, input);
    }
    return NULL;
}

static void test_floats(void)
{
    moat_co *guest = make(float_guest, NULL), *other = make(spoil_guest, NULL);

    for (int i = 0; i < 10; i++) {
        ACROSS(run(guest, NULL), "host");
        ACROSS(run(other, NULL), "host, spoilt");
        spoil();
    }
    check(run(guest, NULL).kind == MOAT_EVENT_RETURN, "floats: return");
    moat_co_destroy(guest);
    moat_co_destroy(other);
}

/* --- backtraces ----------------------------------------------------------- */

struct search {
    int frames, found;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *argument)
{
    struct search *search = argument;

    search->found |= (uintptr_t)_Unwind_GetIP(context) == in_main;
    return ++search->frames < 200 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

NOINLINE static void check_backtraces(void)
{
    struct search search = {0, 0};

    _Unwind_Backtrace(look, &search);
    check(search.found, "_Unwind_Backtrace does not reach main");
#ifdef WITH_LIBUNWIND
    {
        unw_context_t context;
        unw_cursor_t cursor;
        unw_word_t pc = 0;
        int found = 0, frames = 0;

        unw_getcontext(&context);
        unw_init_local(&cursor, &context);
        do {
            unw_get_reg(&cursor, UNW_REG_IP, &pc);
            found |= (uintptr_t)pc == in_main;
        } while (unw_step(&cursor) > 0 && ++frames < 200);
        check(found, "libunwind does not reach main");
    }
#endif
}

/* --- nesting and traps ---------------------------------------------------- */

static int *volatile nowhere;

static void *inner_guest(moat_co *self, void *input)
{
    check_backtraces();
    input = moat_co_yield(self, input);
    check_backtraces();
    *nowhere = 1;
    return input;
}

static void *outer_guest(moat_co *self, void *input)
{
    moat_co *inner = moat_co_user(self);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    check(run(inner, input).value == input, "nested: value");
    check_backtraces();
    moat_co_yield(self, NULL);
    ACROSS(check(run(inner, NULL).kind == MOAT_EVENT_TRAP, "nested: trap"),
           "trap");
    check_backtraces();
    check(moat_co_trap_info(inner, &info) == MOAT_OK &&
              info.kind == MOAT_TRAP_NULL && info.address == 0,
          "nested: trap record");
    return input;
}

static void test_nesting(void)
{
    moat_co *inner = make(inner_guest, NULL);
    moat_co *outer = make(outer_guest, inner);
    int token = 0;

    check(run(outer, &token).kind == MOAT_EVENT_YIELD, "nested: yield");
    check_backtraces();
    check(run(outer, NULL).value == &token, "nested: return");
    moat_co_destroy(outer);
    moat_co_destroy(inner);
}

/* --- the registers of AVX-512 --------------------------------------------- */

/*
 * With clang also if the file is compiled without AVX-512: a function can
 * enable it by its attribute. gcc cannot name the registers there; see
 * switch/x86_64.h.
 */
#if defined(__AVX512F__) || defined(__clang__)

#    define SPOIL_WIDE(n) \
        "vpternlogd $255, %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"

__attribute__((target("avx512f"))) NOINLINE static void spoil_wide(void)
{
    __asm__ volatile(
        EACH_MORE(SPOIL_WIDE) SPOIL_WIDE(
            31) "kxnorw %%k0, %%k0, %%k0\n\tkxnorw %%k1, %%k1, %%k1\n\t"
                "kxnorw %%k2, %%k2, %%k2\n\tkxnorw %%k3, %%k3, %%k3\n\t"
                "kxnorw %%k4, %%k4, %%k4\n\tkxnorw %%k5, %%k5, %%k5\n\t"
                "kxnorw %%k6, %%k6, %%k6\n\tkxnorw %%k7, %%k7, %%k7\n\t"
                "vzeroupper"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
          "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
          "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
          "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29",
          "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
}

__attribute__((target("avx512f"))) static void *wide_guest(moat_co *self,
                                                           void *input)
{
    for (;;) {
        spoil_wide();
        ACROSS_WIDE(input = moat_co_yield(self, input), "guest");
    }
    return NULL;
}

__attribute__((target("avx512f"))) NOINLINE static void run_wide(moat_co *co)
{
    for (int i = 0; i < 10; i++) {
        moat_event event = {.kind = MOAT_EVENT_RETURN};
        moat_status status = MOAT_E_INVAL;

        ACROSS_WIDE(status = moat_co_resume(co, NULL, &event), "host");
        check(status == MOAT_OK && event.kind == MOAT_EVENT_YIELD, "wide");
        spoil_wide();
    }
}

static void test_wide(void)
{
    moat_co *co = make(wide_guest, NULL);

    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        run_wide(co);
    moat_co_destroy(co);
}

#else

static void test_wide(void)
{
}

#endif

NOINLINE static void test_all(void)
{
    in_main = (uintptr_t)__builtin_return_address(0);
    test_values();
    test_floats();
    test_nesting();
    test_wide();
    /* Again, on used stacks. */
    test_values();
    test_nesting();
}

int main(void)
{
    test_all();
    return failures != 0;
}
