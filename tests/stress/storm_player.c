/*
 * storm_player.c: the guest that obeys orders, the faults it commits, and its
 * host, which checks the result of each order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "storm_player.h"

#include <signal.h>
#include <stdlib.h>

#include "../support/fixture.h"

#define STACK_BYTES ((size_t)16 << 10)
#define MAX_CALLS   12

#define NOT_CANONICAL ((uintptr_t)0x0123456789abcdefu)

/* ---- Faults ---- */

static unsigned char not_code[16];

static void store_at(uintptr_t address)
{
    __asm__ volatile("movl $1, (%0)" : : "r"(address) : "memory");
}

static void write_null(void)
{
    store_at(0);
}

static void write_text(void)
{
    store_at((uintptr_t)write_null);
}

static void write_not_canonical(void)
{
    store_at(NOT_CANONICAL);
}

static void overflow(void)
{
    __asm__ volatile("1:\tsubq $512, %%rsp\n\t"
                     "movq %%rax, (%%rsp)\n\t"
                     "jmp 1b"
                     :
                     :
                     : "memory");
}

static void jump_to_data(void)
{
    __asm__ volatile("jmp *%0" : : "r"(not_code) : "memory");
}

static void divide_by_zero(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx\n\t"
                     "movl $1, %%eax\n\t"
                     "cltd\n\t"
                     "idivl %%ecx"
                     :
                     :
                     : "eax", "ecx", "edx", "memory");
}

static void illegal(void)
{
    __asm__ volatile("ud2");
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void raise_sigbus(void)
{
    (void)raise(SIGBUS);
}

static void raise_trap(void)
{
    moat_trap_raise(7);
}

static const struct fault {
    void (*commit)(void);
    moat_trap_kind kind;
} faults[] = {
    {write_null, MOAT_TRAP_NULL},
    {write_text, MOAT_TRAP_MEMORY},
    {write_not_canonical, MOAT_TRAP_MEMORY},
    {overflow, MOAT_TRAP_STACK_OVERFLOW},
    {jump_to_data, MOAT_TRAP_EXEC},
    {divide_by_zero, MOAT_TRAP_ARITHMETIC},
    {illegal, MOAT_TRAP_ILLEGAL},
    {breakpoint, MOAT_TRAP_BREAKPOINT},
    {raise_sigbus, MOAT_TRAP_BUS},
    {raise_trap, MOAT_TRAP_RAISED},
    {abort, MOAT_TRAP_ABORT}, /* last: see players_are_in_a_child */
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static size_t faults_known = FAULTS;

void players_are_in_a_child(void)
{
    faults_known = FAULTS - 1;
}

/* ---- The guest ---- */

enum act { ACT_YIELD, ACT_RETURN, ACT_FAULT, ACT_NEST };

struct order {
    enum act act;
    unsigned calls; /* the depth at which it is done */
    const struct fault *fault;
    struct tally *tally;
};

static void close_frame(struct player **player)
{
    (*player)->open--;
}

static void *fault_at_once(moat_co *self, void *input)
{
    const struct fault *fault = input;

    (void)self;
    fault->commit();
    return input;
}

static void expect_trap(moat_co *co, void *input, moat_trap_kind kind)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(moat_co_resume(co, input, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_STR(moat_trap_kind_name(info.kind), moat_trap_kind_name(kind));
}

/* Guests are hosts of other guests, too. */
static void nest(const struct order *order)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, fault_at_once, NULL) == MOAT_OK);
    expect_trap(co, (void *)(uintptr_t)order->fault, order->fault->kind);
    moat_co_destroy(co);
    order->tally->nested++;
}

/* Returns the next order, or NULL if the guest is to return. */
static void *obey(moat_co *self, struct player *player, void *input,
                  unsigned calls)
{
    struct player *frame __attribute__((cleanup(close_frame), unused)) = player;
    const struct order *order = input;
    void *volatile next;

    player->open++;
    if (calls > 0) {
        next = obey(self, player, input, calls - 1);
        return next;
    }
    if (order->act == ACT_RETURN)
        return NULL;
    if (order->act == ACT_FAULT)
        order->fault->commit();
    if (order->act == ACT_NEST)
        nest(order);
    next = moat_co_yield(self, player);
    return next;
}

static void note_deferred(void *arg)
{
    struct player *player = arg;

    player->deferred--;
}

static void *guest(moat_co *self, void *input)
{
    struct player *player = moat_co_user(self);

    REQUIRE(moat_co_defer(self, note_deferred, player) == MOAT_OK);
    player->deferred++;
    while (input != NULL)
        input = obey(self, player, input, ((const struct order *)input)->calls);
    return player;
}

/* ---- Its host ---- */

void tally_add(struct tally *to, const struct tally *from)
{
    unsigned long *sum = (unsigned long *)to;
    const unsigned long *each = (const unsigned long *)from;

    for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
        sum[i] += each[i];
}

uint64_t storm_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void create(struct player *player, uint64_t flags)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = STACK_BYTES;
    options.user = player;
    options.flags = flags;
    REQUIRE(moat_co_create(&player->co, guest, &options) == MOAT_OK);
}

/* Expects a coroutine that has ended: all deferred functions have run and, if
 * `unwound`, all cleanup code. */
static void expect_ended(struct player *player, bool unwound)
{
    EXPECT_EQ(player->deferred, 0);
    if (unwound)
        EXPECT_EQ(player->open, 0);
    player->open = 0;
    player->runs++;
}

static void reset(struct player *player, struct tally *tally)
{
    EXPECT_EQ(moat_co_reset(player->co), MOAT_OK);
    expect_ended(player, false);
    tally->resets++;
}

static void renew(struct player *player, uint64_t flags, struct tally *tally)
{
    bool trapped = moat_co_get_state(player->co) == MOAT_CO_TRAPPED;

    moat_co_destroy(player->co);
    expect_ended(player, !trapped);
    create(player, flags);
    tally->renewals++;
}

static void cancel(struct player *player, struct tally *tally)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    EXPECT_EQ(moat_co_cancel(player->co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, NULL);
    expect_ended(player, true);
    tally->cancels++;
    reset(player, tally);
}

static void walk(const struct player *player, struct tally *tally)
{
    moat_frame frames[4 * MAX_CALLS];
    size_t count = 0;

    EXPECT_EQ(moat_co_backtrace(player->co, frames, 4 * MAX_CALLS, &count),
              MOAT_OK);
    EXPECT(count > 0);
    tally->walks++;
}

static void give_order(struct player *player, const struct order *order)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    if (order->act == ACT_FAULT) {
        expect_trap(player->co, (void *)(uintptr_t)order, order->fault->kind);
        order->tally->traps++;
        return;
    }
    EXPECT_EQ(moat_co_resume(player->co, (void *)(uintptr_t)order, &event),
              MOAT_OK);
    EXPECT_EQ(event.value, player);
    if (order->act == ACT_RETURN) {
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        expect_ended(player, true);
        order->tally->returns++;
    } else {
        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(player->deferred, 1);
        order->tally->yields++;
    }
}

static void *loop_for_ever(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        __asm__ volatile("pause");
    return input;
}

/* Not a player: on a busy machine, a limit would interrupt other orders. */
static void cut_a_loop(struct tally *tally)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.wall_ns = 200000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, loop_for_ever, &options) == MOAT_OK);
    expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
    tally->deadlines++;
}

void player_open(struct player *player, bool is_first)
{
    struct tally nobodys = {0};
    const struct order order = {ACT_FAULT, 0, &faults[3], &nobodys};

    create(player, 0);
    expect_trap(player->co, (void *)(uintptr_t)&order,
                MOAT_TRAP_STACK_OVERFLOW);
    if (is_first)
        walk(player, &nobodys);
    EXPECT_EQ(moat_co_reset(player->co), MOAT_OK);
    expect_ended(player, false);
}

static uint64_t random_flags(uint64_t *state)
{
    return storm_random(state) % 8 == 0 ? MOAT_CO_SCRUB_ZERO : 0;
}

static void step_stopped(struct player *player, uint64_t *state,
                         struct tally *tally)
{
    if (storm_random(state) % 4 == 0)
        renew(player, random_flags(state), tally);
    else
        reset(player, tally);
}

static void step_ready(struct player *player, uint64_t *state,
                       struct tally *tally)
{
    struct order order = {ACT_YIELD, 0, NULL, tally};
    uint64_t choice = storm_random(state) % 64;

    order.calls = (unsigned)(storm_random(state) % MAX_CALLS);
    order.fault = &faults[storm_random(state) % faults_known];
    if (choice < 4) {
        cancel(player, tally);
    } else if (choice < 6) {
        reset(player, tally);
    } else if (choice < 8) {
        renew(player, random_flags(state), tally);
    } else {
        if (choice < 28)
            order.act = ACT_FAULT;
        else if (choice < 32)
            order.act = ACT_RETURN;
        else if (choice < 34)
            order.act = ACT_NEST;
        give_order(player, &order);
    }
}

void player_step(struct player *player, uint64_t *state, struct tally *tally)
{
    moat_co_state now = moat_co_get_state(player->co);

    tally->steps++;
    if ((now == MOAT_CO_TRAPPED || now == MOAT_CO_SUSPENDED) &&
        storm_random(state) % 128 == 0)
        walk(player, tally);
    /* ThreadSanitizer delays the timer's signal. */
    if (!UNDER_TSAN && storm_random(state) % 4096 == 0)
        cut_a_loop(tally);
    if (now == MOAT_CO_TRAPPED || now == MOAT_CO_DONE)
        step_stopped(player, state, tally);
    else
        step_ready(player, state, tally);
}

void player_close(struct player *player)
{
    bool trapped = moat_co_get_state(player->co) == MOAT_CO_TRAPPED;

    moat_co_destroy(player->co);
    expect_ended(player, !trapped);
}
