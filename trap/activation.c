/*
 * activation.c: the running coroutine as the trap layer sees it, and the two
 * ways of leaving it that need no signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "stack/annotate.h"
#include "trap/internal.h"

/* The thread's share of the switch; see include/moat/switch. */
__thread struct moat_tls moat_tls;

__thread struct moat_trap_thread moat_trap_thread;

struct moat_recovery *
moat_trap_recovery(const struct moat_activation *activation)
{
    struct moat_recovery *recovery;

    if (!activation->recovers)
        return NULL;
    recovery = moat_trap_record_of(activation)->recovery;
    /* A section that was opened behind it has none. */
    return recovery->notrap == activation->notrap ? recovery : NULL;
}

bool moat_trap_possible(const struct moat_activation *activation)
{
    return activation->notrap == 0 || moat_trap_recovery(activation) != NULL;
}

void moat_trap_now(struct moat_activation *activation, moat_trap_kind kind,
                   int user_code)
{
    struct moat_trap_record *record = moat_trap_record_of(activation);
    struct moat_recovery *recovery = moat_trap_recovery(activation);

    memset(record, 0, sizeof *record);
    moat_arch_capture(&record->regs);
    record->kind = kind;
    record->user_code = user_code;
    if (recovery != NULL)
        moat_arch_leave(&recovery->landing, NULL, MOAT_EVENT_TRAP);
    activation->co.state = MOAT_MARK_TRAPPED;
    moat_arch_leave(&activation->co, NULL, MOAT_EVENT_TRAP);
}

/* How deep a walk or another call may have been that a fault has ended on the
 * host's stack. */
#define DROPPED_BYTES ((uintptr_t)256 << 10)

/* Their redzones would trip the frames that come after them. */
static void note_dropped_frames(void)
{
    const struct moat_activation *activation = moat_trap_current();
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

    moat_annotate_dropped(
        activation != NULL ? activation->slot.limit : sp - DROPPED_BYTES, sp);
}

/* No other code runs on the thread meanwhile: a fault of a handler of the
 * host's, which interrupted fn, would be taken for one of fn's. */
bool moat_trap_try(void (*fn)(void *), void *arg)
{
    struct moat_trap_thread *thread = &moat_trap_thread;
    struct moat_probe *outer = thread->probe;
    struct moat_probe probe;
    uint64_t kind;

    memset(&probe, 0, sizeof probe);
    moat_trap_block_async(&probe.mask);
    thread->probe = &probe;
    kind = moat_arch_try(&probe.landing, fn, arg);
    thread->probe = outer;
    (void)pthread_sigmask(SIG_SETMASK, &probe.mask, NULL);
    if (kind != 0)
        note_dropped_frames();
    return kind == 0;
}

static void open_recovery(struct moat_recovery *recovery,
                          struct moat_activation *activation)
{
    struct moat_trap_record *record = moat_trap_record_of(activation);

    memset(recovery, 0, sizeof *recovery);
    recovery->activation = activation;
    recovery->outer = activation->recovers ? record->recovery : NULL;
    recovery->notrap = ++activation->notrap;
    recovery->hold = activation->hold;
    record->recovery = recovery;
    activation->recovers = true;
    moat_activation_note_sections(activation);
}

/* Also when an exception passes. What fn left open is closed. */
static void close_recovery(struct moat_recovery *recovery)
{
    struct moat_activation *activation = recovery->activation;

    activation->recovers = recovery->outer != NULL;
    moat_trap_record_of(activation)->recovery = recovery->outer;
    activation->hold = recovery->hold;
    activation->notrap = recovery->notrap - 1;
    moat_activation_note_sections(activation);
}

bool moat_trap_recover(struct moat_activation *activation, void (*fn)(void *),
                       void *arg)
{
    __attribute__((cleanup(close_recovery))) struct moat_recovery recovery;

    open_recovery(&recovery, activation);
    if (moat_arch_try(&recovery.landing, fn, arg) == 0)
        return true;
    note_dropped_frames();
    return false;
}
