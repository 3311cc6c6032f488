/*
 * usage.c: what a coroutine has used.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/usage.h>

#include <stddef.h>
#include <string.h>

#include "engine/coroutine.h"
#include "engine/nointr.h"
#include "engine/options.h"
#include "engine/state.h"
#include "heap/meter.h"
#include "sys/clock.h"
#include "sys/filter.h"
#include "sys/refusal.h"
#include "trap/cpu_clock.h"

static uint64_t since(uint64_t begin, uint64_t now)
{
    return now > begin ? now - begin : 0;
}

static bool counts_cpu(const struct co *co)
{
    return (co->traits & CO_COUNTS_CPU) != 0;
}

/* Of a resume that goes on. */
static moat_status add_present(const struct co *co, moat_usage *out)
{
    const struct moat_guest_clock *clock = moat_guest_clock_of(co);
    unsigned char filter = moat_filter_pause();
    uint64_t now = moat_clock_ns();
    uint64_t cpu = counts_cpu(co) ? moat_cpu_clock(now) : 0;

    moat_filter_restore(filter);
    if (now == MOAT_CLOCK_END || cpu == MOAT_CLOCK_END)
        return moat_refuse_errno("clock_gettime");
    out->wall_ns += since(clock->since, now);
    out->cpu_ns += since(clock->since_cpu, cpu);
    return MOAT_OK;
}

/* A fresh coroutine's records are those of its last life. */
static bool is_fresh(const struct co *co)
{
    return co->control.state == co->control.token &&
           moat_arch_is_fresh(&co->control);
}

static moat_status take_times(const struct co *co, moat_usage *out)
{
    const struct moat_guest_clock *clock = moat_guest_clock_of(co);

    if ((co->traits & CO_ACCOUNTED) == 0)
        return MOAT_OK;
    out->counted = MOAT_USAGE_WALL | (counts_cpu(co) ? MOAT_USAGE_CPU : 0);
    if (is_fresh(co))
        return MOAT_OK;
    out->wall_ns = clock->used_wall;
    out->cpu_ns = clock->used_cpu;
    out->resumes = clock->resumes;
    return moat_is_entered(co) ? add_present(co, out) : MOAT_OK;
}

static void take_preemptions(const struct co *co, moat_usage *out)
{
    if ((co->traits & CO_LIMITED) != 0 &&
        moat_guest_clock_of(co)->limits.slice_ns != 0)
        out->preemptions = moat_preemption_of(co)->count;
}

static void take_syscalls(const struct co *co, moat_usage *out)
{
    if ((co->control.flags & CO_FILTERED) != 0)
        out->syscalls = moat_calls_of(co)->count;
}

static void take_heap(const struct co *co, moat_usage *out)
{
    const moat_heap *heap = moat_co_heap(&co->control);

    if (heap == NULL)
        return;
    out->heap_bytes = moat_heap_used(heap);
    out->heap_peak = moat_heap_peak(heap);
    if ((co->traits & CO_ACCOUNTED) != 0 && !is_fresh(co))
        out->heap_byte_ms =
            moat_heap_meter_since(heap, cold_of(co)->heap_reading);
}

static moat_status take_stack(const struct co *co, moat_usage *out)
{
    const struct moat_slot *slot = &co->slot;
    moat_status status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    uintptr_t lowest;

    if (status != MOAT_OK)
        return status;
    status = moat_stack_lowest(slot, &lowest);
    moat_sealed_end();
    if (status == MOAT_OK && lowest < slot->base)
        out->stack_peak = slot->base - lowest;
    return status;
}

moat_status moat_co_usage(const moat_co *handle, moat_usage *out)
{
    const struct co *co = co_of(handle);
    moat_status status;
    moat_usage usage;

    if (co == NULL || out == NULL)
        return moat_refuse(MOAT_E_INVAL,
                           co == NULL ? "co is NULL" : "out is NULL");
    status = moat_options_check_out(out, offsetof(moat_usage, preemptions));
    if (status != MOAT_OK)
        return status;
    status = moat_co_check_owner(co);
    if (status != MOAT_OK)
        return status;
    memset(&usage, 0, sizeof usage);
    status = take_stack(co, &usage);
    if (status == MOAT_OK)
        status = take_times(co, &usage);
    if (status != MOAT_OK)
        return status;
    take_heap(co, &usage);
    take_preemptions(co, &usage);
    take_syscalls(co, &usage);
    moat_options_copy_out(out, &usage, sizeof usage);
    return MOAT_OK;
}
