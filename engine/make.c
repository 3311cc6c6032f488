/*
 * make.c: coroutines made ready to be entered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/make.h"

#include <stdlib.h>
#include <string.h>

#include "engine/co_options.h"
#include "engine/heaps.h"
#include "engine/lock.h"
#include "engine/preempt.h"
#include "engine/resume.h"
#include "engine/syscalls.h"
#include "engine/thread.h"
#include "stack/lent.h"
#include "trap/watch.h"

#define TRAITS (MOAT_CO_RECOVER_MASK | MOAT_CO_FORK_RETURNS)

static struct moat_time_limits time_limits(const struct spec *spec)
{
    const moat_limits *limits = &spec->limits;
    const struct moat_time_limits times = {
        limits->resume_cpu_ns, limits->total_cpu_ns, limits->wall_ns,
        limits->total_wall_ns, limits->slice_ns};

    return times;
}

/* Sets the words beside the switch's that the last life may have changed. */
static void set_flags(struct co *co, const struct spec *spec)
{
    const struct moat_time_limits times = time_limits(spec);

    co->control.flags = (uint16_t)(spec->options.flags & MOAT_CO_SCRUB_MASK);
    moat_syscalls_set(co, spec);
    co->control.token = co->control.home->owner->token;
    if (moat_spec_limited(spec))
        co->control.token += moat_watch_class(&times);
    /* Above all that the inline functions allow; odd, for transfers. */
    if (moat_spec_accounted(spec) || spec->limits.syscalls != NULL ||
        moat_annotate_active() ||
        moat_preempt_needs_library(spec->limits.slice_ns))
        co->control.token |= MOAT_TOKEN_STEP - 1;
}

static void set_clock(struct co *co, const struct spec *spec)
{
    struct moat_guest_clock *clock = &cold_of(co)->clock;

    if (moat_spec_limited(spec))
        co->traits |= CO_LIMITED;
    if (moat_spec_accounted(spec))
        co->traits |= CO_ACCOUNTED;
    if ((spec->options.flags & MOAT_CO_EXACT_USAGE) != 0 ||
        spec->limits.resume_cpu_ns != 0 || spec->limits.total_cpu_ns != 0 ||
        spec->limits.slice_ns != 0)
        co->traits |= CO_COUNTS_CPU;
    if ((co->traits & (CO_LIMITED | CO_ACCOUNTED)) == 0)
        return;
    memset(clock, 0, sizeof *clock);
    clock->limits = time_limits(spec);
}

static void fill_in(struct co *co, const struct spec *spec, moat_heap *heap)
{
    co->traits = (uint8_t)(spec->options.flags & TRAITS);
    co->defers = NULL;
    set_flags(co, spec);
    moat_co_heap_set(co, heap,
                     spec->limits.memory_bytes != 0 ? MOAT_HEAP_OWN
                                                    : MOAT_HEAP_LENT,
                     spec->limits.memory_bytes);
    set_clock(co, spec);
    if (spec->options.script != NULL)
        moat_script_set(co, &spec->script);
    if (moat_annotate_active())
        moat_annotate_begin(&cold_of(co)->fiber);
}

/* In lent memory there is room for it. */
static void copy_name(struct co *co, const char *name)
{
    co->name = name != NULL
                   ? memcpy(moat_lent_name(&co->slot), name, strlen(name) + 1)
                   : NULL;
}

/* A name belongs to the spec. A loose coroutine has a copy of its own. */
static moat_status set_name(struct co *co, const struct spec *spec)
{
    if (moat_slot_is_lent(&co->slot)) {
        copy_name(co, spec->options.name);
        return MOAT_OK;
    }
    co->name = spec->name;
    if (spec->name == NULL || co->control.home->spec != NULL)
        return MOAT_OK;
    co->name = strdup(spec->name);
    return co->name != NULL ? MOAT_OK : MOAT_E_NOMEM;
}

static void drop_name(struct co *co)
{
    if (co->control.home->spec == NULL && !moat_slot_is_lent(&co->slot))
        free(co->name);
    co->name = NULL;
}

/* Whoever took the slot has made the berth. */
static void place(struct co *co, const struct spec *spec)
{
    const struct moat_berth *berth =
        moat_copied_named(&moat_thread_self()->copied,
                          spec->options.stack_bytes, spec->options.guard_bytes);

    moat_copied_place(co, berth);
}

moat_status moat_make(struct co *co, struct moat_home *home,
                      const struct spec *spec, moat_entry entry, void *user)
{
    moat_heap *heap = spec->options.heap;
    moat_status status;

    co->control.home = home;
    co->control.user = user;
    if (moat_is_copied(co))
        place(co, spec);
    status = set_name(co, spec);
    if (status != MOAT_OK)
        return status;
    status = moat_co_heap_make(spec->limits.memory_bytes, &heap);
    if (status != MOAT_OK) {
        drop_name(co);
        return status;
    }
    fill_in(co, spec, heap);
    moat_thread_take(home);
    moat_resume_prepare(co, entry);
    return MOAT_OK;
}

/* Under Valgrind the pool hands out another stack next: Valgrind takes the step
 * from where a guest trapped to the top of the same stack for the end of all
 * frames between, and what lies there for dead. */
bool moat_make_again(struct co *co)
{
    struct moat_home *home = co->control.home;

    if (!moat_home_has_room(home) || moat_annotate_emulated())
        return false;
    moat_co_heap_end(co);
    set_flags(co, spec_of(home->spec));
    moat_resume_prepare(co, NULL);
    moat_home_put(home, co);
    return true;
}

/* Any thread may end a coroutine of an ended one. */
static void end_copied(struct co *co)
{
    bool own = owner_of(co) == moat_thread_self();

    if (!own)
        moat_engine_lock();
    moat_copied_end(&owner_of(co)->copied, co);
    if (!own)
        moat_engine_unlock();
}

void moat_unmake(struct co *co)
{
    drop_name(co);
    moat_co_heap_end(co);
    if (moat_is_copied(co))
        end_copied(co);
    co->control.state = MOAT_MARK_FREE;
}
