/*
 * scene.c: commits one crime and examines the result.
 *
 * SPDX-License-Identifier: MIT
 */
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../support/cpu_state.h"
#include "../support/fixture.h"
#include "../support/machine.h"
#include "../support/no_port.h"
#include "../support/surroundings.h"
#include "valgrind.h"

#define ERRNO_MARK 4242

/* The call that cpu_watch records. */
struct attempt {
    moat_co *co;
    void *input;
    moat_status status;
    moat_event event;
    int errno_after;
};

static __attribute__((noinline)) void resume_once(void *arg)
{
    struct attempt *attempt = arg;

    errno = ERRNO_MARK;
    attempt->status =
        moat_co_resume(attempt->co, attempt->input, &attempt->event);
    attempt->errno_after = errno;
}

static void *criminal(moat_co *self, void *input)
{
    struct scene *s = input;

    if (s->innocent)
        return s;
    return s->crime->body(self, s);
}

/* Keeps a pattern in its frame. Each yield returns whether it is still
 * intact. */
static void *bystander(moat_co *self, void *input)
{
    volatile unsigned char pattern[2048];

    (void)input;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (unsigned char)(i * 7);
    for (;;) {
        uintptr_t spoilt = 0;

        for (size_t i = 0; i < sizeof(pattern); i++)
            spoilt += pattern[i] != (unsigned char)(i * 7);
        (void)moat_co_yield(self, (void *)spoilt);
    }
    return NULL;
}

static void ask_bystander(struct scene *s)
{
    moat_event event = {.kind = MOAT_EVENT_TRAP};

    EXPECT_EQ(moat_co_resume(s->bystander, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(event.value, NULL);
}

static void open_scene(struct scene *s)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.name = "criminal";
    options.user = s;
    if (s->crime->flags & CRIME_WIDE_GUARD)
        options.guard_bytes = (size_t)2 << 20;
    REQUIRE(moat_co_create(&s->criminal, criminal, &options) == MOAT_OK);
    REQUIRE(moat_co_create(&s->bystander, bystander, NULL) == MOAT_OK);
    REQUIRE(moat_co_stack_info(s->criminal, &s->stack) == MOAT_OK);
    s->base = s->stack.base;
    ask_bystander(s);
    if (s->crime->prepare != NULL)
        s->crime->prepare(s);
}

static void close_scene(struct scene *s)
{
    moat_co_destroy(s->criminal);
    moat_co_destroy(s->bystander);
    if (s->mapping != NULL)
        (void)munmap(s->mapping, s->mapping_bytes);
}

static void expect_address(const struct scene *s, const moat_trap_info *info)
{
    uintptr_t address = info->address;

    /* The generic port knows of a jump by the pc. */
    if (!PORT_IS_GENERIC || info->access != MOAT_ACCESS_NONE)
        EXPECT_EQ(info->access, s->crime->access);
    switch (s->crime->address) {
    case ADDRESS_ZERO:
        EXPECT_EQ(address, 0);
        break;
    case ADDRESS_TARGET:
        EXPECT_EQ(address, s->target);
        break;
    case ADDRESS_BELOW:
        EXPECT_EQ(address, s->target - 8);
        break;
    case ADDRESS_OWN_GUARD:
        EXPECT(address >= s->stack.guard && address < s->stack.limit);
        break;
    case ADDRESS_LIMIT:
        EXPECT_EQ(address & ~(uintptr_t)7, s->stack.limit - 8);
        break;
    case ADDRESS_ABOVE_BASE:
        EXPECT(address >= s->stack.base);
        break;
    }
}

/* Returns how many bytes of code are readable at `pc`, up to `size`. */
static size_t readable(uintptr_t pc, unsigned char *bytes, size_t size)
{
    struct iovec to = {bytes, size};
    struct iovec from = {(void *)pc, size};
    ssize_t got = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

    return got < 0 ? 0 : (size_t)got;
}

static void expect_pc(const struct scene *s, uintptr_t pc)
{
    uintptr_t label = (uintptr_t)s->crime->pc;
    unsigned char byte;

    switch (s->crime->pc_rule) {
    case PC_LABEL:
        EXPECT_EQ(pc, label);
        break;
    case PC_TARGET:
        EXPECT_EQ(pc, s->target);
        break;
    case PC_EITHER:
        EXPECT(pc == label || pc == s->target);
        break;
    case PC_AT_INT1:
        EXPECT(pc == label || pc == label - 1);
        break;
    case PC_CODE:
        EXPECT_EQ(readable(pc, &byte, 1), 1);
        break;
    }
}

static void expect_bytes(const moat_trap_info *info)
{
    unsigned char there[sizeof(info->bytes)] = {0};
    size_t count = readable(info->pc, there, sizeof(there));

    EXPECT_EQ(info->byte_count, count);
    EXPECT(info->byte_count <= sizeof(info->bytes));
    if (info->byte_count <= count)
        EXPECT(memcmp(info->bytes, there, info->byte_count) == 0);
}

#if PORT_IS_GENERIC
static void expect_patterns(const moat_regs *regs)
{
    (void)regs;
}
#else
static void expect_patterns(const moat_regs *regs)
{
    const uint64_t each = 0x0101010101010101;

    EXPECT_EQ(regs->rax, 0x18);
    EXPECT_EQ(regs->rbx, 1 * each);
    EXPECT_EQ(regs->rcx, 2 * each);
    EXPECT_EQ(regs->rdx, 3 * each);
    EXPECT_EQ(regs->rsi, 4 * each);
    EXPECT_EQ(regs->rdi, 5 * each);
    EXPECT_EQ(regs->fp, 6 * each);
    EXPECT_EQ(regs->r8, 8 * each);
    EXPECT_EQ(regs->r9, 9 * each);
    EXPECT_EQ(regs->r10, 0x10 * each);
    EXPECT_EQ(regs->r11, 0x11 * each);
    EXPECT_EQ(regs->r12, 0x12 * each);
    EXPECT_EQ(regs->r13, 0x13 * each);
    EXPECT_EQ(regs->r14, 0x14 * each);
    EXPECT_EQ(regs->r15, 0x15 * each);
    EXPECT_EQ(regs->flags & 1, 1);
    EXPECT_EQ(regs->mxcsr, 0x9fc0);
    EXPECT_EQ(regs->fcw, 0x067f);
}
#endif

static void expect_registers(const struct scene *s, const moat_trap_info *info)
{
    const struct moat_regs *regs = info->regs;
    bool inside = info->sp >= s->stack.limit && info->sp <= s->stack.base;
    size_t used =
        inside ? s->stack.base - info->sp : s->stack.base - s->stack.limit;

    REQUIRE(regs != NULL);
    EXPECT_EQ(regs->pc, info->pc);
    EXPECT_EQ(regs->sp, info->sp);
    EXPECT_EQ(regs->fp, info->fp);
    EXPECT_EQ(info->stack_used, used);
    if (strcmp(s->crime->name, "null_write_with_every_register_set") == 0)
        expect_patterns(regs);
    if (strcmp(s->crime->name, "rbp_smashed") == 0 && !PORT_IS_GENERIC)
        EXPECT_EQ(info->fp, 0x4242424242424242);
    if (strncmp(s->crime->name, "rsp_", 4) == 0)
        EXPECT_EQ(info->sp, s->target);
}

/* The expected region follows from the address alone. */
static void expect_region(const struct scene *s, const moat_trap_info *info)
{
    moat_stack_info other = {0, 0, 0, 0, 0};
    uintptr_t a = info->address;

    REQUIRE(moat_co_stack_info(s->bystander, &other) == MOAT_OK);
    if (a == 0)
        EXPECT_EQ(info->region, MOAT_REGION_UNKNOWN);
    else if (a >= s->stack.guard && a < s->stack.limit)
        EXPECT_EQ(info->region, MOAT_REGION_OWN_GUARD);
    else if (a >= s->stack.limit && a < s->stack.base)
        EXPECT_EQ(info->region, MOAT_REGION_OWN_STACK);
    else if (a >= other.guard && a < other.limit)
        EXPECT_EQ(info->region, MOAT_REGION_OTHER_GUARD);
    else if (a >= other.limit && a < other.base)
        EXPECT_EQ(info->region, MOAT_REGION_OTHER_STACK);
    else if (s->crime->address != ADDRESS_ABOVE_BASE)
        EXPECT_EQ(info->region, MOAT_REGION_UNKNOWN);
}

static void expect_record(const struct scene *s)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    const struct crime *crime = s->crime;

    REQUIRE(moat_co_trap_info(s->criminal, &info) == MOAT_OK);
    if (valgrind_lacks(crime->name) & VALGRIND_LACKS_RECORD)
        return;
    if (!EXPECT((crime->kinds & (1u << info.kind)) != 0))
        expect_text(moat_trap_kind_name(info.kind), "another kind", __FILE__,
                    __LINE__);
    EXPECT_EQ(info.signo, crime->signo);
    EXPECT_EQ(info.user_code,
              info.kind == MOAT_TRAP_RAISED ? CRIME_USER_CODE : 0);
    expect_address(s, &info);
    expect_pc(s, info.pc);
    expect_bytes(&info);
    expect_registers(s, &info);
    expect_region(s, &info);
}

static void commit(struct scene *s)
{
    struct attempt attempt = {s->criminal,
                              s,
                              MOAT_E_INVAL,
                              {.kind = MOAT_EVENT_YIELD, .value = s},
                              0};
    struct cpu_state before, after;
    struct thread_signals signals;
    moat_co *current = moat_co_current();

    thread_signals_note(&signals);
    cpu_watch(resume_once, &attempt, &before, &after);
    if (!(valgrind_lacks(s->crime->name) & VALGRIND_LACKS_FP))
        cpu_expect_kept(&before, &after);
    thread_signals_expect_kept(&signals);
    EXPECT_EQ(attempt.status, MOAT_OK);
    EXPECT_EQ(attempt.event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(attempt.event.value, NULL);
    EXPECT_EQ(moat_co_current(), current);
    EXPECT_EQ(moat_co_get_state(s->criminal), MOAT_CO_TRAPPED);
    if (s->crime->flags & CRIME_KEEPS_ERRNO)
        EXPECT_EQ(attempt.errno_after, ERRNO_MARK);
}

static void reset_and_run_well(struct scene *s)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    EXPECT_EQ(moat_co_resume(s->criminal, s, &event), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(s->criminal), MOAT_OK);
    EXPECT_EQ(moat_co_get_state(s->criminal), MOAT_CO_FRESH);
    s->innocent = 1;
    EXPECT_EQ(moat_co_resume(s->criminal, s, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, s);
    EXPECT_EQ(moat_co_get_state(s->criminal), MOAT_CO_DONE);
    EXPECT_EQ(moat_co_reset(s->criminal), MOAT_OK);
    s->innocent = 0;
}

const char *scene_cannot_be_played(const struct crime *crime)
{
    if (valgrind_lacks(crime->name) & VALGRIND_LACKS_ALL)
        return "Valgrind does not model it";
    if (no_port_reason(crime->name) != NULL)
        return no_port_reason(crime->name);
    /* Its handler runs first, and makes misaligned accesses. */
    if (UNDER_TSAN && (crime->flags & CRIME_SETS_AC))
        return "ThreadSanitizer's own handler does not clear EFLAGS.AC";
    if (crime->flags & CRIME_32_BIT)
        return machine_lacks_32_bit_code();
    return NULL;
}

void scene_name_left_out(void)
{
    for (size_t i = 0; i < crime_count; i++) {
        const char *reason = scene_cannot_be_played(&crimes[i]);

        if (reason != NULL)
            (void)printf("skipped: %s: %s\n", crimes[i].name, reason);
    }
    (void)fflush(stdout);
}

bool scene_init_engine(bool autodisarm)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    const char *asked = getenv("MOAT_TEST_ALTSTACK");

    if (asked != NULL && strcmp(asked, "autodisarm") == 0)
        autodisarm = true;
    if (autodisarm)
        options.altstack = MOAT_ALTSTACK_AUTODISARM;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
    return autodisarm;
}

void scene_play(const struct crime *crime, const char *place)
{
    struct scene s;

    memset(&s, 0, sizeof(s));
    s.crime = crime;
    s.place = place;
    open_scene(&s);
    for (int round = 1; round <= 2; round++) {
        expect_context("%s, %s, round %d", crime->name, place, round);
        commit(&s);
        if (moat_co_get_state(s.criminal) != MOAT_CO_TRAPPED)
            break;
        expect_record(&s);
        ask_bystander(&s);
        reset_and_run_well(&s);
    }
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    close_scene(&s);
}
