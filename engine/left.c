/*
 * left.c: guests that were left, by a longjmp or by a trap of another copy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/left.h"

#include "engine/coroutine.h"
#include "engine/filter.h"
#include "engine/host_call.h"
#include "engine/nointr.h"
#include "engine/thread.h"
#include "sys/seal.h"
#include "trap/stack_owner.h"
#include "trap/watch.h"

static uintptr_t stack_pointer(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

/* --- who was left --------------------------------------------------------- */

/* A function may be left as well that a host call runs. As long as it runs, its
 * return address is where the call has put it; the frame that resumed the guest
 * overwrites that by its next call. */
static bool is_call_left(const struct moat_host_call *call, uintptr_t sp)
{
    uintptr_t slot = moat_arch_host_call_slot(call->co);
    uintptr_t word;

    if (resumer_of(co_of(call->co)) != moat_running() ||
        !moat_stack_is_same(slot, sp))
        return false;
    return sp > slot || !moat_arch_peek(slot, &word) ||
           word != (uintptr_t)moat_arch_call_on_return;
}

moat_status moat_left_check(void)
{
    const struct moat_host_call *call = moat_host_calls();
    const struct co *co = moat_running();
    uintptr_t sp = stack_pointer();

    if ((co != NULL && moat_stack_is_left(co, sp)) ||
        (call != NULL && is_call_left(call, sp)))
        return MOAT_E_STACK;
    return MOAT_OK;
}

/* --- ended ---------------------------------------------------------------- */

/* Undoes what the end of the call would have undone. */
static void end_call(const struct moat_host_call *call)
{
    moat_co *made_by = call->co;

    moat_host_call_landed(co_of(made_by));
    MOAT_TLS_WRITE_CURRENT(made_by);
}

static void give_up(struct co *co)
{
    co->control.flags |= CO_SPECIAL;
    co->control.state = MOAT_MARK_DONE;
}

/* Undoes what the resume's way back would have undone. */
static void end_guest(struct co *co)
{
    struct co *resumer = resumer_of(co);

    if (co->traits & CO_ACCOUNTED)
        moat_watch_leave_accounted(co);
    if (co->control.flags & CO_RESUMER_NOINTR && resumer != NULL) {
        resumer->nointr--;
        moat_note_sections(resumer);
    }
    co->control.flags &= (uint16_t)~CO_RESUMER_NOINTR;
    give_up(co);
    MOAT_TLS_WRITE_CURRENT(co->control.resumer);
}

static void end_all_left(uintptr_t sp)
{
    const struct moat_host_call *call = moat_host_calls();
    struct co *co;

    if (call != NULL && is_call_left(call, sp))
        end_call(call);
    while ((co = moat_running()) != NULL && moat_stack_is_left(co, sp)) {
        call = moat_host_calls();
        if (call != NULL && resumer_of(co_of(call->co)) == co)
            end_call(call);
        else
            end_guest(co);
    }
    moat_filter_enter(moat_running());
}

static bool is_on_chain(const struct co *first, const struct co *co)
{
    while (first != NULL && first != co)
        first = resumer_of(first);
    return first != NULL;
}

/* Returns whether the guest can still come to its end by itself. */
static bool is_entered(const struct co *co)
{
    const struct moat_host_call *call;
    const struct moat_parked *parked;

    if (is_on_chain(moat_running(), co))
        return true;
    for (call = moat_host_calls(); call != NULL; call = call->outer) {
        if (is_on_chain(co_of(call->co), co))
            return true;
    }
    for (parked = owner_of(co)->parked; parked != NULL; parked = parked->next) {
        if (is_on_chain(parked->innermost, co))
            return true;
    }
    return false;
}

/* Without a resumer it was left for a guest, which has trapped since. */
bool moat_left_end(struct co *co)
{
    if (!moat_is_entered(co) || owner_of(co) != moat_thread_self())
        return false;
    end_all_left(stack_pointer());
    if (moat_is_entered(co) && !is_entered(co))
        give_up(co);
    return co->control.state == MOAT_MARK_DONE;
}

/* --- by another copy's trap ------------------------------------------------
 */

/* Such guests never continue here either. */
static void end_by_copy(struct co *co)
{
    moat_host_call_landed(co);
    if (co->traits & CO_ACCOUNTED)
        moat_watch_leave_accounted(co);
    co->control.state = MOAT_MARK_DONE;
}

void moat_left_by_copy(uintptr_t low, uintptr_t high)
{
    struct co *co = moat_host_call_innermost(), *outermost = NULL;
    bool section;

    for (struct co *each = co; each != NULL; each = resumer_of(each)) {
        if (each->control.resumer_sp >= low && each->control.resumer_sp < high)
            outermost = each;
    }
    if (outermost == NULL)
        return;
    for (; co != outermost; co = resumer_of(co))
        end_by_copy(co);
    end_by_copy(outermost);
    section = (outermost->control.flags & CO_RESUMER_NOINTR) != 0;
    MOAT_TLS_WRITE_CURRENT(outermost->control.resumer);
    moat_filter_back(moat_running());
    if (moat_seal_landed())
        moat_thread_recount(moat_this_thread);
    if (section)
        moat_nointr_leave();
    else
        moat_filter_go_on(moat_running());
}
