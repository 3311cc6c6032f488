/*
 * host_call.c: host calls.
 *
 * A guest's stack may be too small for the host's code, and a deadline may stop
 * a guest in the middle of it. While a host call lasts, the trap layer takes
 * the thread to be where its stack is: in the resumer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/host_call.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/filter.h"
#include "engine/nointr.h"

static __thread struct moat_host_call *volatile calls
    __attribute__((tls_model("initial-exec")));

const struct moat_host_call *moat_host_calls(void)
{
    return calls;
}

/* Host calls end in the order of their nesting. A coroutine with one on its
 * stack may resume others but cannot yield: whenever it runs, its call is the
 * innermost. */
uint32_t moat_host_call_sections(const struct co *co)
{
    const struct moat_host_call *call = calls;

    return call != NULL && resumer_of(co_of(call->co)) == co ? call->sections
                                                             : 0;
}

struct co *moat_host_call_innermost(void)
{
    struct co *co = moat_running();

    return calls != NULL && resumer_of(co_of(calls->co)) == co
               ? co_of(calls->co)
               : co;
}

/* Only frames on the host's stack are a guest's to answer for. */
static void set_calls(struct moat_host_call *innermost)
{
    calls = innermost;
    atomic_signal_fence(memory_order_seq_cst);
    moat_blame = innermost != NULL && innermost->blame.co != NULL
                     ? &innermost->blame
                     : NULL;
}

struct moat_host_call *moat_host_calls_replace(struct moat_host_call *by)
{
    struct moat_host_call *before = calls;

    set_calls(by);
    return before;
}

/* Runs on the resumer's stack. */
static MOAT_NO_SANITIZE void *run(void *arg)
{
    struct moat_host_call *call = arg;
    struct co *co = co_of(call->co);
    void *result;

    if (!moat_annotate_active())
        return call->fn(call->arg);
    moat_annotate_back(&cold_of(co)->fiber);
    result = call->fn(call->arg);
    moat_annotate_enter(&cold_of(co)->fiber, co->slot.limit, co->slot.base);
    return result;
}

/* Until the call returns no deadline may stop the resumer, since the guest
 * stands in its middle. */
static void open_section(struct moat_host_call *call, struct co *resumer)
{
    call->sections = resumer->notrap + 1;
    atomic_signal_fence(memory_order_seq_cst);
    resumer->notrap = call->sections;
    moat_note_sections(resumer);
}

static void close_section(const struct moat_host_call *call)
{
    struct co *resumer = resumer_of(co_of(call->co));

    if (call->sections == 0)
        return;
    resumer->notrap = call->sections - 1;
    moat_note_sections(resumer);
}

/* The resumer must not yield either: bit 0 of the thread's word sends its
 * yields to the slow path, which refuses them. Its section is open before it
 * becomes current, and until it has ceased to be. */
static MOAT_NO_SANITIZE void *switch_and_run(const struct moat_host_call *call)
{
    struct co *co = co_of(call->co), *resumer = resumer_of(co);
    uintptr_t ours = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    void *result;

    if (moat_annotate_active())
        moat_annotate_leave(&cold_of(co)->fiber, false);
    MOAT_TLS_WRITE_CURRENT(resumer != NULL ? co->control.resumer | 1 : 0);
    moat_filter_enter(resumer);
    result = moat_arch_call_on_resumer(call->co, run, (void *)call);
    MOAT_TLS_WRITE_CURRENT(ours);
    moat_filter_back(co);
    if (moat_annotate_active())
        moat_annotate_entered(&cold_of(co)->fiber);
    return result;
}

#define NO_CANCEL_STATE (-1)

/* A thread that is cancelled unwinds the stack it is on, and at the end of
 * these frames are the guest's, on another: the process would abort. So the
 * cancellation waits until the call has returned. (The C library stores the
 * former state before it sets the new one.) */
static void allow_cancellation(struct moat_host_call *call)
{
    if (call->cancel_state != NO_CANCEL_STATE)
        (void)pthread_setcancelstate(call->cancel_state, NULL);
    call->cancel_state = NO_CANCEL_STATE;
}

void moat_host_calls_allow_cancellation(const struct moat_host_call *innermost)
{
    const struct moat_host_call *call = innermost;

    while (call != NULL && call->outer != NULL)
        call = call->outer;
    if (call != NULL && call->cancel_state != NO_CANCEL_STATE)
        (void)pthread_setcancelstate(call->cancel_state, NULL);
}

void moat_host_calls_defer_cancellation(const struct moat_host_call *innermost)
{
    if (innermost != NULL)
        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
}

/* What the call resumes is the resumer's, so the guest's limits are out of
 * force. */
static void begin(struct moat_host_call *call)
{
    struct co *co = co_of(call->co), *resumer = resumer_of(co);

    call->cancel_state = NO_CANCEL_STATE;
    atomic_signal_fence(memory_order_seq_cst);
    set_calls(call);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &call->cancel_state);
    if (resumer != NULL)
        open_section(call, resumer);
    if ((co->traits & CO_LIMITED) == 0)
        return;
    moat_aside_begin(&call->limits, co);
    call->aside = true;
}

static void end(struct moat_host_call *call)
{
    if (call->aside)
        moat_aside_end(&call->limits);
    call->aside = false;
    close_section(call);
    allow_cancellation(call);
    set_calls(call->outer);
}

void moat_host_call_landed(const struct co *stopped)
{
    while (calls != NULL &&
           (co_of(calls->co) == stopped || calls->asker == stopped))
        end(calls);
}

void *moat_host_call_run(struct moat_host_call *call)
{
    void *result;

    moat_nointr_enter();
    call->outer = calls;
    begin(call);
    result = switch_and_run(call);
    end(call);
    moat_nointr_end();
    return result;
}

void *moat_call_on_parent(moat_co *self, void *(*fn)(void *), void *arg)
{
    struct moat_host_call *call;

    if (self == NULL || fn == NULL || co_of(self) != moat_running())
        return NULL;
    /* Once the resumer is current, an overflow of this stack would be the
     * host's fault: check now. */
    moat_stack_require(moat_host_call_stack());
    call = &cold_of(co_of(self))->host_call;
    memset(call, 0, sizeof *call);
    call->co = self;
    call->fn = fn;
    call->arg = arg;
    return moat_host_call_run(call);
}
