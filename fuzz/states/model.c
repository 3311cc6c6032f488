/*
 * model.c: the states of coroutines, as docs/states.md has them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <string.h>

static bool is_stopped(const struct model_co *co)
{
    return co->state != MOAT_CO_RUNNING;
}

/* --- what a call may do --------------------------------------------------- */

static moat_status check_owner(const struct model *m, int co)
{
    if (co == HOST)
        return MOAT_E_INVAL;
    return m->co[co].orphan ? MOAT_E_THREAD : MOAT_OK;
}

static bool is_resumable(const struct model_co *co)
{
    return co->state == MOAT_CO_FRESH || co->state == MOAT_CO_SUSPENDED;
}

moat_status model_resumable(const struct model *m, int co)
{
    moat_status status = check_owner(m, co);

    if (status != MOAT_OK)
        return status;
    return is_resumable(&m->co[co]) ? MOAT_OK : MOAT_E_STATE;
}

moat_status model_resettable(const struct model *m, int co)
{
    moat_status status = check_owner(m, co);

    if (status != MOAT_OK)
        return status;
    return is_stopped(&m->co[co]) ? MOAT_OK : MOAT_E_STATE;
}

moat_status model_deferrable(const struct model *m, int co)
{
    moat_status status = check_owner(m, co);

    if (status != MOAT_OK)
        return status;
    return m->co[co].state == MOAT_CO_DONE || m->co[co].state == MOAT_CO_TRAPPED
               ? MOAT_E_STATE
               : MOAT_OK;
}

/* A coroutine on whose stack a host call runs can neither yield nor transfer.
 */
static bool has_call_on_stack(const struct model *m, int co)
{
    for (unsigned i = 0; i < m->call_count; i++) {
        if (m->calls[i].resumer == co)
            return true;
    }
    return false;
}

bool model_may_yield(const struct model *m, int co)
{
    return co != HOST && co == m->current && !has_call_on_stack(m, co);
}

moat_status model_transferable(const struct model *m, int self, int other)
{
    if (self == HOST || other == HOST)
        return MOAT_E_INVAL;
    if (!model_may_yield(m, self) || m->co[self].cancelled)
        return MOAT_E_STATE;
    return model_resumable(m, other);
}

bool model_may_destroy(const struct model *m, int co)
{
    return is_stopped(&m->co[co]);
}

moat_co_state model_state(const struct model *m, int co)
{
    if (is_stopped(&m->co[co]))
        return m->co[co].state;
    return co == m->current ? MOAT_CO_RUNNING : MOAT_CO_RESUMING;
}

/* The sections that only the end of a call closes. */
static unsigned held_sections(const struct model *m, int co)
{
    const struct model_co *self = &m->co[co];
    unsigned held = 0;

    if (self->point_count > 0)
        held = self->points[self->point_count - 1];
    for (unsigned i = 0; i < m->call_count; i++) {
        if (m->calls[i].resumer == co && m->calls[i].notrap > held)
            held = m->calls[i].notrap;
    }
    return held;
}

enum outcome model_fault(const struct model *m, bool raised)
{
    const struct model_co *self;

    if (m->current == HOST)
        return OUTCOME_FATAL;
    self = &m->co[m->current];
    if (self->point_count > 0 &&
        self->points[self->point_count - 1] == self->notrap)
        return OUTCOME_RECOVERED;
    if (self->notrap == 0 &&
        (raised || self->recovery == MOAT_CO_RECOVER_ANYWHERE))
        return OUTCOME_TRAP;
    return OUTCOME_FATAL;
}

bool model_is_doomed(const struct model *m, int co)
{
    return m->co[co].limit == LIMIT_SHORT &&
           m->co[co].recovery == MOAT_CO_RECOVER_ANYWHERE;
}

/* --- what happens --------------------------------------------------------- */

void model_enter(struct model *m, int co)
{
    m->co[co].state = MOAT_CO_RUNNING;
    m->co[co].resumer = m->current;
    m->current = co;
}

void model_transfer(struct model *m, int co)
{
    m->co[m->current].state = MOAT_CO_SUSPENDED;
    m->co[co].state = MOAT_CO_RUNNING;
    m->co[co].resumer = m->co[m->current].resumer;
    m->current = co;
}

/* The last registered runs first. */
static void run_defers(struct model *m, struct model_co *co)
{
    while (co->defer_count > 0)
        m->due[m->due_count++ % LOG_MAX] = co->defers[--co->defer_count];
}

void model_leave(struct model *m, moat_event_kind kind, void *value)
{
    int self = m->current;
    struct model_co *co = &m->co[self];
    unsigned resumer = (unsigned)(co->resumer + 1);

    m->events[resumer][m->event_count[resumer]++ % LOG_MAX] =
        (struct model_event){kind, value, co->handle};
    m->current = co->resumer;
    if (kind == MOAT_EVENT_YIELD)
        co->state = MOAT_CO_SUSPENDED;
    else
        co->state = kind == MOAT_EVENT_TRAP ? MOAT_CO_TRAPPED : MOAT_CO_DONE;
    if (kind != MOAT_EVENT_YIELD)
        run_defers(m, co);
}

void model_trap(struct model *m, moat_trap_kind kind, int user_code)
{
    m->co[m->current].trap = kind;
    m->co[m->current].user_code = user_code;
    model_leave(m, MOAT_EVENT_TRAP, NULL);
}

static void drop_frames(struct model_co *co)
{
    co->notrap = 0;
    co->point_count = 0;
    co->cancelled = false;
    co->unwinding = false;
}

void model_reset(struct model *m, int co)
{
    run_defers(m, &m->co[co]);
    drop_frames(&m->co[co]);
    m->co[co].state = MOAT_CO_FRESH;
}

void model_end_fresh(struct model *m, int co)
{
    m->co[co].state = MOAT_CO_DONE;
    run_defers(m, &m->co[co]);
}

void model_destroy(struct model *m, int co)
{
    run_defers(m, &m->co[co]);
    m->co[co].exists = false;
}

/* --- sections ------------------------------------------------------------- */

void model_open_section(struct model *m)
{
    if (m->current != HOST)
        m->co[m->current].notrap++;
}

void model_close_section(struct model *m)
{
    if (m->current != HOST &&
        m->co[m->current].notrap > held_sections(m, m->current))
        m->co[m->current].notrap--;
}

void model_open_point(struct model *m)
{
    struct model_co *self = &m->co[m->current];

    self->points[self->point_count++] = ++self->notrap;
}

/* Sections that the function left open are closed. */
void model_close_point(struct model *m)
{
    struct model_co *self = &m->co[m->current];

    self->notrap = self->points[--self->point_count] - 1;
}

void model_drop_points(struct model *m, int co)
{
    struct model_co *self = &m->co[co];

    if (self->point_count > 0)
        self->notrap = self->points[0] - 1;
    self->point_count = 0;
    (void)m;
}

void model_open_call(struct model *m)
{
    struct model_call *call = &m->calls[m->call_count++];

    call->caller = m->current;
    call->resumer = m->co[m->current].resumer;
    call->notrap = 0;
    m->current = call->resumer;
    if (call->resumer != HOST)
        call->notrap = ++m->co[call->resumer].notrap;
}

void model_close_call(struct model *m)
{
    struct model_call *call = &m->calls[--m->call_count];

    if (call->resumer != HOST)
        m->co[call->resumer].notrap = call->notrap - 1;
    m->current = call->caller;
}
