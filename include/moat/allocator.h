/*
 * allocator.h: for allocators that replace malloc.
 *
 * Such an allocator serves the host and the guests by the same functions.
 * moat_guest_heap finds the heap of the guest on whose stack it was called, and
 * moat_heap_of the heap of a block. The library moat-malloc is one (malloc/,
 * docs/malloc.md).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ALLOCATOR_H
#define MOAT_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/heap.h>
#include <moat/status.h>

/** Reads memory that may have pointers into heaps. */
typedef void (*moat_heap_scan)(const void *begin, size_t bytes);

/** Calls `scan` for all variables of the process that the calling thread can
 * read. */
typedef void (*moat_heap_roots)(moat_heap_scan scan);

/** The addresses between which all heaps lie; the range may grow. A reader
 * loads `begin` first: `bytes` is written before it. */
typedef struct moat_heap_bounds_t {
    uintptr_t begin;
    uintptr_t bytes;
} moat_heap_bounds_t;

MOAT_BEGIN_DECLS

MOAT_API extern moat_heap_bounds_t moat_heap_bounds;

/**
 * Returns whether an address may lie in a heap.
 *
 * It is a fast filter before moat_heap_of, and also true for some addresses
 * outside of the heaps.
 *
 * @param address  any
 * @return false: it lies in no heap
 *
 * Thread-safety: any; another thread's new heap may be missed
 * Signal-safety: yes
 * Legal in:      any state
 * Cost:          a load and a compare, or two
 * See also:      moat_heap_of
 */
static inline bool moat_heap_may_own(const void *address)
{
    uintptr_t begin =
        __atomic_load_n(&moat_heap_bounds.begin, __ATOMIC_ACQUIRE);

    /* Most other memory lies below. */
    return (uintptr_t)address >= begin &&
           (uintptr_t)address - begin <
               __atomic_load_n(&moat_heap_bounds.bytes, __ATOMIC_RELAXED);
}

/**
 * Returns whether an address lies in memory that is reserved for heaps, whether
 * there is a heap now or not.
 *
 * If it does and moat_heap_of returns NULL, a block there ended with its heap.
 *
 * @param address  any
 * @return true: no other allocator has memory there
 *
 * Thread-safety: any
 * Signal-safety: yes
 * Legal in:      any state
 * See also:      moat_heap_of
 */
MOAT_API bool moat_heap_had(const void *address);

/**
 * Keeps the memory of ended heaps for as long as variables refer to it.
 *
 * A library may keep a block in a static variable, and need it when the next
 * guest calls. So from now on moat_co_reset, which then replaces the heap,
 * moat_co_destroy and moat_heap_destroy drop memory only after a search of all
 * variables, and of heaps that are found, has found no address in it. A search
 * takes a twentieth of the time at most, unless 512 heaps wait, or 64 KiB, or
 * as much as it reads if that is more than 1 MiB. What a thread ends waits for
 * a search by that thread, which alone can read its variables, or after its
 * end. A block whose heap has ended may be used, but not passed to a function
 * of heap.h.
 *
 * @param roots        shows the variables; is called on the stack of a thread
 *                     that ends a heap, and must not use moat. NULL only with 0
 * @param limit_bytes  if more is referred to, heaps are dropped nevertheless:
 *                     first those to which only heaps refer, the oldest
 *                     first, then the newest; 0: none is kept, the default
 *
 * @return MOAT_OK, or, with nothing changed,
 *         MOAT_E_INVAL        roots is NULL, and limit_bytes is not 0
 *         MOAT_E_NOMEM        no memory
 *         MOAT_E_UNSUPPORTED  the system forbids process_vm_readv
 *
 * Thread-safety: while no heap ends
 * Signal-safety: no
 * Legal in:      host
 */
MOAT_API MOAT_NODISCARD moat_status moat_heap_keep(moat_heap_roots roots,
                                                   size_t limit_bytes);

/**
 * Returns how much memory ended heaps have, referred to or not yet searched
 * for.
 *
 * @param[out] heaps  how many there are; may be NULL
 * @return bytes; of each heap what it has used at most, and 64 KiB
 *
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API size_t moat_heap_kept(size_t *heaps);

/**
 * Returns the size of a block whose heap has ended, but whose memory is kept.
 *
 * @param pointer  any address
 * @return bytes, all of which lie in that heap; 0: it is no such block
 *
 * Thread-safety: any, if a variable refers to the block
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API size_t moat_heap_kept_block(const void *pointer);

/**
 * Finds the heap of the guest on whose stack the caller runs.
 *
 * A guest without a heap can be given one. It ends like one that is made for
 * limits.memory_bytes: moat_co_reset replaces it, moat_co_destroy ends it.
 *
 * The stack in use decides. A host call counts as the host, even if the resumer
 * is a guest. So does moat's own code on a guest's stack, since its memory must
 * outlive the guest.
 *
 * @param[out] out     the heap; NULL: the guest has none, and quota_bytes is 0
 * @param quota_bytes  of the heap that is made if the guest has none, in the
 *                     range of moat_heap_create; 0: none is made
 *
 * @return MOAT_OK, or, with *out as it was,
 *         MOAT_E_STATE        the caller is the host
 *         MOAT_E_INVAL        the quota is out of range
 *         MOAT_E_NOMEM        no memory or address space
 *         MOAT_E_GUARD_LIMIT  no mapping is left (vm.max_map_count); a heap
 *                             takes two
 *         MOAT_E_LIMIT        less than 8 KiB of the stack is left for a new
 *                             heap, and the guest must not be stopped here; a
 *                             guest that may be stopped traps instead, with an
 *                             overflow
 *         MOAT_E_SYSTEM       the system refused something else; see errno
 *
 * Ownership:     the coroutine's
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests
 * See also:      moat_co_heap, moat_limits
 */
MOAT_API MOAT_NODISCARD moat_status moat_guest_heap(moat_heap **out,
                                                    size_t quota_bytes);

/**
 * Takes over the heap that a coroutine has of its own.
 *
 * From then on the heap is the host's, as if it were that of the options: its
 * blocks outlive the coroutine, until moat_heap_destroy. The coroutine goes on
 * using it while it runs. After a moat_co_reset it has a new one if
 * limits.memory_bytes is not 0, otherwise none until it is given one.
 *
 * @param co  NULL is allowed
 * @return the heap; NULL: it has none of its own, or no longer
 *
 * Ownership:     the caller's, who ends it after the coroutine: it must exist
 *                while the coroutine may run
 * Thread-safety: by the coroutine's thread
 * Signal-safety: no
 * Legal in:      all states
 * See also:      moat_co_heap, moat_guest_heap, moat_heap_destroy
 */
MOAT_API moat_heap *moat_co_take_heap(moat_co *co);

/**
 * Takes a block from the heap of the guest on whose stack the caller runs.
 *
 * moat_guest_heap and moat_heap_alloc in one, and faster, but it makes no heap:
 * an allocator calls it first, and those two if it returns NULL.
 *
 * @param bytes  0 is as good as 1
 * @return a block aligned to 16 bytes, with any contents; NULL: the caller is
 *         the host, its guest has no heap, or as in moat_heap_alloc
 *
 * Ownership:     the block is the guest's until it is freed, or its heap ends
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests; not in a heap that was stopped
 * See also:      moat_guest_heap, moat_guest_free, moat_heap_alloc
 */
MOAT_API void *moat_guest_alloc(size_t bytes);

/**
 * As moat_guest_alloc, but where that would return NULL, `otherwise` is called
 * for the result. An allocator that ends in this call needs no frame.
 *
 * @param bytes      0 is as good as 1
 * @param otherwise  runs on the caller's stack
 * @return the block, or what `otherwise` returned
 *
 * Ownership:     the block is the guest's until it is freed, or its heap ends
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests; not in a heap that was stopped
 */
MOAT_API void *moat_guest_alloc_or(size_t bytes,
                                   void *(*otherwise)(size_t bytes));

/**
 * Changes the size of a block of the guest on whose stack the caller runs.
 *
 * moat_guest_heap, moat_heap_of and moat_heap_realloc in one.
 *
 * @param pointer  any; NULL is no block
 * @param bytes    0 does not free the block
 * @return the block, which may have moved; NULL: it is not of that guest's
 *         heap, the caller is the host, or as in moat_heap_realloc; then the
 *         block is as it was
 *
 * Ownership:     the block is the guest's until it is freed, or its heap ends
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests; not in a heap that was stopped
 * See also:      moat_guest_alloc, moat_heap_realloc
 */
MOAT_API void *moat_guest_realloc(void *pointer, size_t bytes);

/**
 * Frees a block of the guest on whose stack the caller runs. errno stays as it
 * is.
 *
 * moat_guest_heap, moat_heap_of and moat_heap_free in one.
 *
 * @param pointer  any; NULL is no block
 * @return true: it was in the guest's heap, and is freed; false, without
 *         effect: it is elsewhere, or the caller is the host
 *
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests; not in a heap that was stopped
 * See also:      moat_guest_alloc, moat_heap_free, moat_heap_free_later
 */
MOAT_API bool moat_guest_free(void *pointer);

/**
 * As moat_guest_free, but where that would return false, `otherwise` is called.
 * An allocator that ends in this call needs no frame.
 *
 * @param pointer    any; NULL is no block
 * @param otherwise  runs on the caller's stack
 *
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests; not in a heap that was stopped
 */
MOAT_API void moat_guest_free_or(void *pointer,
                                 void (*otherwise)(void *pointer));

/**
 * Returns whether the call comes from a guest's own code, on any stack.
 *
 * It does not in a host call, in moat's own code, and in a signal handler of
 * the host's that has interrupted the guest. A handler without SA_ONSTACK is
 * recognised by the signals that it blocks, or else by a walk of the callers.
 * That walk fails if less than 8 KiB of stack is left, or if a caller has no
 * unwind information: then a handler with SA_NODEFER that blocks no signal is
 * taken for the guest.
 *
 * @return true: a call that would end the process is the guest's
 *
 * Thread-safety: any
 * Signal-safety: yes
 * Legal in:      host and guests
 * See also:      moat_guest_heap, moat_trap_raise_as
 */
MOAT_API bool moat_guest_calls(void);

/**
 * Traps the calling guest for passing its memory limit, if it may be stopped
 * here.
 *
 * The trap is MOAT_TRAP_MEMORY_LIMIT. In a moat_notrap_call it ends that call.
 * The function returns without effect on the host's stack, in a host call, in a
 * no-trap section without a recovery point, and under a policy other than
 * MOAT_CO_RECOVER_ANYWHERE. The allocator should then return NULL.
 *
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests
 * See also:      moat_trap_raise, moat_notrap_call
 */
MOAT_API void moat_trap_memory_limit(void);

/**
 * Frees a block later, for a heap that another thread may be using, or whose
 * guest may have been stopped while it changed the heap.
 *
 * The call does not touch the heap, but puts the block on a list. The heap
 * frees it when it next runs out of blocks of some size; at the latest the
 * block ends with the heap.
 *
 * @param heap     exists until the call returns
 * @param pointer  a block of this heap, which must not be used any more; any
 *                 other pointer is ignored when its turn comes
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  it is no heap
 *         MOAT_E_NOMEM  no memory: the block stays until the heap ends
 *         MOAT_E_LIMIT  less than 8 KiB of a guest's stack is left
 *
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      any state of the heap
 * See also:      moat_heap_free
 */
MOAT_API moat_status moat_heap_free_later(moat_heap *heap, void *pointer);

/**
 * Returns the size of a block like moat_heap_block_bytes, even if a guest has
 * overwritten the heap.
 *
 * @param heap     a heap
 * @param pointer  any address
 * @return bytes, all of which lie in the heap; 0: it is no block of this heap
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state of the heap
 * See also:      moat_heap_block_bytes
 */
MOAT_API size_t moat_heap_find_block(const moat_heap *heap,
                                     const void *pointer);

/**
 * Allocates whole pages, zeroed, readable and writable, to implement mmap(2).
 *
 * The pages count against the heap's quota and end with the heap, even if
 * something else was mapped over them or their protection was changed.
 *
 * @param heap   a heap
 * @param bytes  rounded up to the system's pages
 * @return the first page; NULL: bytes is 0, the quota does not allow it, or the
 *         system has no memory
 *
 * Ownership:     the caller's until moat_heap_unmap, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 * See also:      moat_heap_unmap, moat_heap_map_over, moat_heap_remap
 */
MOAT_API void *moat_heap_map(moat_heap *heap, size_t bytes);

/**
 * Frees pages of moat_heap_map: all pages that the range touches. They may
 * belong to several mappings.
 *
 * @param heap     the heap
 * @param address  of a page
 * @param bytes    rounded up to the system's pages
 * @return true; false: the system refused to put fresh memory there, and the
 *         remaining pages stay mapped
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 * See also:      moat_heap_map
 */
MOAT_API bool moat_heap_unmap(moat_heap *heap, void *address, size_t bytes);

/**
 * Returns whether a range lies in one mapping of moat_heap_map. Call it before
 * mapping something else over the range.
 *
 * From then on moat_heap_remap does not move the mapping any more.
 *
 * @param heap     the heap
 * @param address  any
 * @param bytes    not 0
 * @return true: it lies in one mapping
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 * See also:      moat_heap_map
 */
MOAT_API bool moat_heap_map_over(moat_heap *heap, const void *address,
                                 size_t bytes);

/**
 * Resizes a mapping, or the end of one, to implement mremap(2).
 *
 * @param heap      the heap
 * @param address   of a page in a mapping
 * @param had       the old size, from address on; to grow, it must reach the
 *                  end of the mapping
 * @param bytes     the new size; not 0
 * @param may_move  true: if there is no room, the mapping is copied to another
 *                  address, if the range is all of it and nothing else was
 *                  mapped over it
 * @return the mapping; NULL, with nothing changed: there is no such mapping, it
 *         has no room and cannot move, or as from moat_heap_map
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 * See also:      moat_heap_map
 */
MOAT_API void *moat_heap_remap(moat_heap *heap, void *address, size_t had,
                               size_t bytes, bool may_move);

/**
 * Moves the heap's break, to implement sbrk(2).
 *
 * The first call reserves a quarter of the heap's addresses for it.
 *
 * @param heap       the heap
 * @param increment  bytes
 * @return the old break; NULL: no room, the quota does not allow it, or
 *         the system has no memory
 *
 * Ownership:     the memory is the caller's until the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 * See also:      moat_heap_map
 */
MOAT_API void *moat_heap_break(moat_heap *heap, ptrdiff_t increment);

MOAT_END_DECLS

#endif
