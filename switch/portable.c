/*
 * portable.c: the switch for backends that are calls of the C library.
 *
 * Each side waits at a point in the frame of its call (point.h). The record has
 * the address of both points, and beside them the same words as with the native
 * switch: those of the frame that called here.
 *
 * A port may have the usual way of a switch in assembler (MOAT_SWITCH_QUICK),
 * which comes here for what is not usual.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>

#include "switch/switch.h"

#ifdef MOAT_SWITCH_QUICK
__typeof__(moat_switch_body) moat_switch_whole;
__typeof__(moat_transfer_body) moat_transfer_whole;
#    define moat_switch_body   moat_switch_whole
#    define moat_transfer_body moat_transfer_whole
_Static_assert(MOAT_SWITCH_ROOM == sizeof(uintptr_t) + MOAT_ARCH_POINT_FRAME +
                                       MOAT_ARCH_POINT_ROOM,
               "the header looks for other room than the switch needs");
#endif

_Static_assert(offsetof(struct moat_point, front) == 0 &&
                   offsetof(struct moat_point_front, top) == 0,
               "moat_arch_resumer_top reads the first word");

/* From here on the record may lead to the point. The swap sets the top anew,
 * which may be lower. */
static void open_point(struct moat_point *here, bool suspended)
{
    here->front.suspended = suspended;
    here->front.top = MOAT_ARCH_STACK_POINTER();
    atomic_signal_fence(memory_order_seq_cst);
}

/*
 * Touches what a switch takes of the stack, a first entry and the landing of a
 * trap included. If that is not there the caller overflows: here, where it
 * still runs, and not in the middle, where it counts as left.
 */
static __attribute__((noinline)) void probe(void)
{
    char room[MOAT_SWITCH_STACK_BYTES];

    *(volatile char *)room = 0;
    __asm__ volatile("" : : "r"(room) : "memory");
}

/* The other side finds these when it returns from its switch. */
static void hand_over(struct moat_point *there, moat_co *co, void *value,
                      uint64_t word)
{
    there->front.co = co;
    there->front.value = value;
    there->front.word = word;
}

/* On the coroutine's stack: from here on a deadline may stop it. */
static void arrive(moat_co *co)
{
    co->switching = 0;
    atomic_signal_fence(memory_order_seq_cst);
    *(volatile uint64_t *)&co->state = MOAT_MARK_RUNNING;
}

static void begin(moat_co *co)
{
    void *input = co->point;

    arrive(co);
    moat_arch_enter_root(co, input);
}

/* A coroutine that has never run has no point: the word has its input. */
static void go_on(struct moat_point *here, moat_co *co, void *input,
                  uint64_t command)
{
    if (moat_switch_is_fresh(co)) {
        co->point = input;
        moat_point_start(here, co->root_sp, begin, co);
    } else {
        hand_over(co->point, NULL, input, command);
        moat_point_swap(here, co->point);
    }
}

void moat_switch_body(moat_co *co, void *input, uint64_t command,
                      struct moat_switched *back)
{
    struct moat_point here;

    if (co == NULL) {
        probe();
        return;
    }
    open_point(&here, false);
    moat_arch_note_resumer(co, __builtin_frame_address(0));
    co->resumer_point = &here;
    go_on(&here, co, input, command);
    back->value = here.front.value;
    back->kind = here.front.word;
    back->co = here.front.co;
    back->co->resumer_point = NULL; /* the frame ends */
}

void moat_switch_resume_unwinding(moat_co *co, void *input,
                                  struct moat_switched *back)
{
    moat_switch_body(co, input, MOAT_COMMAND_UNWIND, back);
}

/* --- the coroutine's side ------------------------------------------------- */

/* For the root frame at its end, and for a landing, which is on the resumer's
 * stack already. */
MOAT_NORETURN static void leave(moat_co *co, void *value, uint64_t kind)
{
    struct moat_point *there = co->resumer_point;

    if (there == NULL)
        moat_arch_leave(co, value, kind);
    hand_over(there, co, value, kind);
    moat_point_go(there);
}

/* Its own words are complete after that: the state may name its owner. A slice
 * that ends meanwhile waits, as a suspension in the middle would change them.
 */
static void suspend(moat_co *self, struct moat_point *here, const void *frame)
{
    open_point(here, true);
    moat_arch_note_own(self, frame);
    self->point = here;
    atomic_signal_fence(memory_order_seq_cst);
    *(volatile uint64_t *)&self->state = self->token;
}

static void begin_switch(moat_co *self)
{
    self->switching = 1;
    atomic_signal_fence(memory_order_seq_cst);
}

static void yield(moat_co *self, struct moat_point *here, void *value,
                  uint64_t kind)
{
    struct moat_point *there = self->resumer_point;

    if (there == NULL)
        moat_arch_leave(self, value, kind);
    hand_over(there, self, value, kind);
    moat_point_swap(here, there);
}

void moat_transfer_body(moat_co *self, moat_co *other, void *value,
                        uint64_t kind, struct moat_resumed *back)
{
    struct moat_point here;

    if (back == NULL)
        leave(self, value, kind);
    probe();
    begin_switch(self);
    if (other != NULL) {
        moat_switch_take_over(other, self);
        MOAT_TLS_WRITE_CURRENT(other);
    }
    suspend(self, &here, __builtin_frame_address(0));
    if (other != NULL)
        go_on(&here, other, value, MOAT_COMMAND_NONE);
    else
        yield(self, &here, value, kind);
    arrive(self);
    back->self = self;
    back->input = here.front.value;
    back->command = here.front.word;
}

struct moat_switch_input moat_switch_to(moat_co *self, moat_co *other,
                                        void *value)
{
    struct moat_point here;

    begin_switch(self);
    suspend(self, &here, __builtin_frame_address(0));
    go_on(&here, other, value, MOAT_COMMAND_NONE);
    arrive(self);
    return (struct moat_switch_input){here.front.value, here.front.word};
}

/* --- the record ------------------------------------------------------------
 */

void moat_switch_take_over(moat_co *other, const moat_co *self)
{
    moat_arch_take_over(other, self);
    other->resumer_point = self->resumer_point;
}

void moat_switch_set_border(moat_co *co, struct moat_arch_border *border)
{
    moat_arch_set_border(co, border);
    co->resumer_point = NULL;
}

uintptr_t moat_switch_sp(const moat_co *co)
{
    const struct moat_point *point = co->point;

    return moat_switch_is_fresh(co) ? co->sp : point->front.top;
}
