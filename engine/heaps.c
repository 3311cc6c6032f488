/*
 * heaps.c: guest heaps made and ended by the host, and those that coroutines
 * have by their limits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/heaps.h"

#include <stdlib.h>

#include <moat/allocator.h>

#include "engine/fork.h"
#include "engine/host_call.h"
#include "engine/interrupted.h"
#include "engine/nointr.h"
#include "heap/heap.h"
#include "heap/region.h"
#include "sys/refusal.h"
#include "trap/stack_owner.h"

#define NO_HEAP "heap is %x: no heap"

static bool is_quota(size_t bytes)
{
    return bytes != 0 && bytes <= MOAT_HEAP_MAX_BYTES;
}

static moat_status refuse_quota(const char *sentence, size_t bytes)
{
    return moat_refuse_values(MOAT_E_INVAL, sentence, bytes,
                              MOAT_HEAP_MAX_BYTES);
}

static moat_status refuse_heap(const char *sentence, const moat_heap *heap)
{
    return moat_refuse_value(MOAT_E_INVAL, sentence, (uintptr_t)heap);
}

/* --- heaps of the host ---------------------------------------------------- */

moat_status moat_heap_create(moat_heap **out, size_t quota_bytes)
{
    moat_status status;

    if (out == NULL)
        return moat_refuse(MOAT_E_INVAL, "out is NULL");
    if (!is_quota(quota_bytes))
        return refuse_quota("quota_bytes is %u: it must be 1 to %u",
                            quota_bytes);
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = moat_fork_handle();
    if (status == MOAT_OK)
        status = moat_heap_region_take(quota_bytes, out);
    moat_sealed_end();
    return status;
}

void moat_heap_destroy(moat_heap *heap)
{
    if (!moat_heap_region_valid(heap)) {
#ifndef NDEBUG
        if (heap != NULL)
            abort(); /* the caller's bug; release builds leave it alone */
#endif
        return;
    }
    moat_stack_require(MOAT_STACK_FOR_ENTRY);
    moat_sealed_enter();
    moat_heap_region_return(heap);
    moat_sealed_end();
}

moat_status moat_heap_reset(moat_heap *heap)
{
    moat_status status;

    if (!moat_heap_region_valid(heap))
        return refuse_heap(NO_HEAP, heap);
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = moat_heap_region_renew(heap);
    moat_sealed_end();
    return status;
}

moat_status moat_heap_clear(moat_heap *heap, size_t keep_bytes)
{
    if (!moat_heap_region_valid(heap))
        return refuse_heap(NO_HEAP, heap);
    if (moat_heap_region_clear(heap, keep_bytes))
        return MOAT_OK;
    return moat_heap_reset(heap);
}

moat_status moat_heap_free_later(moat_heap *heap, void *pointer)
{
    moat_status status;

    if (!moat_heap_region_valid(heap))
        return refuse_heap(NO_HEAP, heap);
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    if (!moat_returned_push(moat_heap_region_returned(heap), pointer))
        status = MOAT_E_NOMEM;
    moat_sealed_end();
    return status;
}

/* --- heaps of coroutines -------------------------------------------------- */

moat_status moat_co_heap_check(const moat_heap *heap, uint64_t memory_bytes)
{
    if (heap != NULL && memory_bytes != 0)
        return moat_refuse_value(MOAT_E_INVAL,
                                 "options->heap is set, and "
                                 "limits->memory_bytes is %u: set one of them",
                                 memory_bytes);
    if (heap != NULL && !moat_heap_region_valid(heap))
        return refuse_heap("options->heap is %x: no heap", heap);
    if (memory_bytes == 0 || is_quota(memory_bytes))
        return MOAT_OK;
    return refuse_quota("limits->memory_bytes is %u: it must be at most %u",
                        memory_bytes);
}

moat_status moat_co_heap_make(uint64_t memory_bytes, moat_heap **heap)
{
    return memory_bytes != 0 ? moat_heap_region_take(memory_bytes, heap)
                             : MOAT_OK;
}

void moat_co_heap_set(struct co *co, moat_heap *heap,
                      enum moat_heap_owner owner, uint64_t memory_bytes)
{
    co->slot.user = heap;
    if (heap == NULL)
        return;
    co->traits |= CO_HEAP;
    cold_of(co)->heap_owner = owner;
    cold_of(co)->heap_bytes = memory_bytes;
}

static void forget(struct co *co)
{
    co->slot.user = NULL;
    co->traits &= (uint8_t)~CO_HEAP;
}

static bool is_taken(const struct co *co)
{
    return (co->traits & CO_HEAP) != 0 &&
           cold_of(co)->heap_owner == MOAT_HEAP_TAKEN;
}

/* A limit goes on with a new heap. */
static moat_status replace(struct co *co)
{
    uint64_t bytes = cold_of(co)->heap_bytes;
    moat_heap *heap = NULL;
    moat_status status = moat_co_heap_make(bytes, &heap);

    if (status != MOAT_OK)
        return status;
    forget(co);
    moat_co_heap_set(co, heap, MOAT_HEAP_OWN, bytes);
    return MOAT_OK;
}

/* Returns false if there is no memory for another heap beside this one. */
static bool exchange(struct co *co)
{
    moat_heap *before = moat_heap_of_co(co), *heap;

    if (moat_heap_region_take(moat_heap_region_quota(before), &heap) != MOAT_OK)
        return false;
    co->slot.user = heap;
    moat_heap_region_return(before);
    return true;
}

moat_status moat_co_heap_reset(struct co *co)
{
    if (is_taken(co))
        return replace(co);
    if (!moat_co_owns_heap(co) ||
        (moat_heap_region_is_kept(moat_heap_of_co(co)) && exchange(co)))
        return MOAT_OK;
    return moat_heap_region_renew(moat_heap_of_co(co));
}

void moat_co_heap_end(struct co *co)
{
    if (moat_co_owns_heap(co))
        moat_heap_region_return(moat_heap_of_co(co));
    else if (!is_taken(co))
        return;
    forget(co);
}

void moat_co_heap_meter(struct co *co)
{
    if ((co->traits & CO_HEAP) != 0)
        cold_of(co)->heap_reading = moat_heap_meter_start(moat_heap_of_co(co));
}

moat_heap *moat_co_take_heap(moat_co *handle)
{
    struct co *co = co_of(handle);

    if (co == NULL || !moat_co_owns_heap(co))
        return NULL;
    cold_of(co)->heap_owner = MOAT_HEAP_TAKEN;
    return moat_heap_of_co(co);
}

moat_heap *moat_co_heap(const moat_co *handle)
{
    const struct co *co = co_of((moat_co *)(uintptr_t)handle);

    if (co == NULL || (co->traits & CO_HEAP) == 0)
        return NULL;
    return moat_heap_of_co(co);
}

/* --- the caller's heap -----------------------------------------------------
 */

/* Makes a heap that no option asked for. The coroutine then differs from a
 * spare, so its end needs the library. */
static moat_status make_late(struct co *co, size_t quota_bytes, moat_heap **out)
{
    moat_heap *heap = NULL;
    moat_status status;

    if (!is_quota(quota_bytes))
        return refuse_quota("quota_bytes is %u: it must be 1 to %u",
                            quota_bytes);
    /* A caller that may be stopped has overflowed its stack. */
    if (co->notrap == 0 && recovery_of(co) == MOAT_CO_RECOVER_ANYWHERE)
        moat_stack_require(MOAT_STACK_FOR_ENTRY);
    status = moat_sealed_begin(MOAT_STACK_FOR_ENTRY);
    if (status != MOAT_OK)
        return status;
    status = moat_fork_handle();
    if (status == MOAT_OK)
        status = moat_co_heap_make(quota_bytes, &heap);
    if (status == MOAT_OK) {
        co->control.flags |= CO_SPECIAL;
        moat_co_heap_set(co, heap, MOAT_HEAP_OWN, 0);
        if ((co->traits & CO_ACCOUNTED) != 0)
            moat_co_heap_meter(co);
        *out = heap;
    }
    moat_sealed_end();
    return status;
}

/* A host call runs for the host, also on the stack of a guest. It has a section
 * open there, so most callers are known at once. */
static bool is_guests(struct co *running, uintptr_t sp)
{
    const struct moat_slot *slot = &running->slot;

    if ((running->control.flags & CO_SECTIONS) != 0 &&
        (running->nointr != 0 || moat_host_call_innermost() != running))
        return false;
    return sp - slot->limit < slot->base - slot->limit ||
           moat_stack_owner(running, sp) == running;
}

bool moat_guest_calls(void)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
    struct co *co = moat_running();

    return co != NULL && is_guests(co, sp) && !moat_is_interrupted(co, sp);
}

moat_status moat_guest_heap(moat_heap **out, size_t quota_bytes)
{
    struct co *co = moat_running();

    if (co == NULL || !is_guests(co, (uintptr_t)__builtin_frame_address(0)))
        return MOAT_E_STATE;
    if (MOAT_LIKELY((co->traits & CO_HEAP) != 0)) {
        *out = moat_heap_of_co(co);
        return MOAT_OK;
    }
    if (quota_bytes != 0)
        return make_late(co, quota_bytes, out);
    *out = NULL;
    return MOAT_OK;
}
