/*
 * heap.h: guest heaps: allocators that may be stopped at any instruction.
 *
 * A fault inside malloc leaves its lock held and its lists half changed, for
 * the whole process. A guest heap has no lock, and all that it consists of lies
 * in a region of addresses of its own: whatever a guest leaves there,
 * moat_heap_reset or moat_heap_destroy drops everything at once (but see
 * moat_heap_keep in allocator.h).
 *
 * A heap has a quota. An allocation that does not fit returns NULL, as malloc
 * does.
 *
 * Interpreters take it through their allocator hooks:
 *
 *   lua_State *L = lua_newstate(moat_heap_lua, heap);
 *   duk_context *d =
 *       duk_create_heap(moat_heap_duk_alloc, moat_heap_duk_realloc,
 *                       moat_heap_duk_free, heap, NULL);
 *
 * A heap belongs to one thread at a time, as a coroutine does: two threads must
 * not use it at once. The functions that allocate may run on any stack.
 *
 * If code is stopped inside one of them, by a fault or a limit, the heap is in
 * an unknown state, and so it is once a guest has overwritten it: no block may
 * be taken, resized or returned until moat_heap_reset. Its blocks can still be
 * read.
 *
 * A guest that frees a block twice, frees what is not a block, or writes to a
 * block that it has freed, ends by SIGABRT where the heap notices: in a
 * coroutine that is MOAT_TRAP_ABORT. Not every such error is noticed. One that
 * is not may damage the heap's own region, and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_H
#define MOAT_HEAP_H

#include <stddef.h>

#include <moat/export.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/* A guest heap. */
typedef struct moat_heap moat_heap;

/**
 * Creates an empty heap.
 *
 * The quota bounds the memory that blocks take, in whole pages of 4 KiB, and
 * what the heap keeps of freed blocks. Beside it a heap takes about 1 % of its
 * quota for tables. Memory is used as it is touched: an empty heap takes two
 * pages.
 *
 * The addresses around the region are inaccessible, 64 KiB at least.
 *
 * @param[out] out     the heap
 * @param quota_bytes  1 to 256 GiB, rounded up to 4 KiB
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        `out` is NULL, or the quota is out of range
 *         MOAT_E_NOMEM        no memory or address space
 *         MOAT_E_GUARD_LIMIT  no mapping is left (vm.max_map_count); a heap
 *                             takes two
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_SYSTEM       the system refused something else; see errno
 *
 * Ownership:     the caller's, until moat_heap_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      host and guests
 * See also:      moat_heap_alloc, moat_co_heap, moat_limits
 */
MOAT_API MOAT_NODISCARD moat_status moat_heap_create(moat_heap **out,
                                                     size_t quota_bytes);

/**
 * Frees all blocks of a heap, and the heap.
 *
 * Legal in every state of the heap, also if code was stopped inside one of the
 * functions below or has overwritten the heap. NULL: no effect.
 *
 * @param heap  no coroutine that uses it will run again
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API void moat_heap_destroy(moat_heap *heap);

/**
 * Frees all blocks of a heap, which is as new afterwards.
 *
 * Legal in every state of the heap. Its memory goes back to the system and
 * reads as zeros when it is used again.
 *
 * @param heap  from moat_heap_create
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        NULL, or not a heap
 *         MOAT_E_LIMIT        less than 8 KiB of a guest's stack is left
 *         MOAT_E_NOMEM        no memory; the heap can only be reset again, or
 *                             destroyed
 *         MOAT_E_GUARD_LIMIT  no mapping is left (vm.max_map_count); the same
 *         MOAT_E_SYSTEM       the system refused something else; the same
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state of the heap
 */
MOAT_API moat_status moat_heap_reset(moat_heap *heap);

/**
 * Frees all blocks of a heap and keeps its memory, for a guest that follows at
 * once.
 *
 * The heap is as new afterwards, and its memory reads as zeros, as after
 * moat_heap_reset. But after that the next guest has a page fault per page,
 * while this function clears the pages themselves. It relies on notes that the
 * library keeps outside of the heap, which a guest's stray writes there cannot
 * change. Memory that a guest has mapped over the heap, other than by
 * moat_heap_map, is not noticed: after such a guest only moat_heap_reset leaves
 * nothing behind.
 *
 * @param heap        from moat_heap_create
 * @param keep_bytes  if guests have used more than that since the heap was new,
 *                    it is reset instead, since clearing much costs more than
 *                    faults; so it is if mappings or a break are left
 *
 * @return as moat_heap_reset
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state of the heap
 */
MOAT_API moat_status moat_heap_clear(moat_heap *heap, size_t keep_bytes);

/**
 * Takes a block.
 *
 * @param heap   the heap
 * @param bytes  0 is as good as 1
 * @return a block aligned to 16 bytes, with any contents; NULL: the quota does
 *         not allow it, or the system has no memory
 *
 * Ownership:     the block is the caller's until it is freed, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void *moat_heap_alloc(moat_heap *heap, size_t bytes);

/**
 * Takes a block of zeros.
 *
 * As moat_heap_alloc.
 *
 * @param heap   the heap
 * @param bytes  0 is as good as 1
 * @return a block of zeros; NULL as in moat_heap_alloc
 *
 * Ownership:     the block is the caller's until it is freed, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void *moat_heap_alloc_zeroed(moat_heap *heap, size_t bytes);

/**
 * Takes a block with a larger alignment.
 *
 * @param heap       the heap
 * @param alignment  a power of two
 * @param bytes      need not be a multiple of the alignment
 * @return a block at a multiple of `alignment`; NULL: not a power of two, or as
 *         in moat_heap_alloc
 *
 * Ownership:     the block is the caller's until it is freed, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void *moat_heap_alloc_aligned(moat_heap *heap, size_t alignment,
                                       size_t bytes);

/**
 * Changes the size of a block, in place if that is possible.
 *
 * A block that shrinks never fails to: at worst it stays as large as it was.
 *
 * @param heap     the heap
 * @param pointer  a block of this heap; NULL: as moat_heap_alloc
 * @param bytes    0 does not free the block: it stays one, of the smallest size
 * @return the block, which may have moved and is then aligned to 16 bytes only;
 *         NULL as in moat_heap_alloc, and then the block is as it was
 *
 * Ownership:     the block is the caller's until it is freed, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void *moat_heap_realloc(moat_heap *heap, void *pointer, size_t bytes);

/**
 * Returns a block.
 *
 * @param heap     the heap
 * @param pointer  a block of this heap; NULL: no effect
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API void moat_heap_free(moat_heap *heap, void *pointer);

/**
 * Returns how many bytes of a block may be used, at least as many as were
 * asked for.
 *
 * @param heap     the heap
 * @param pointer  a block of this heap
 * @return bytes
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API size_t moat_heap_block_bytes(moat_heap *heap, const void *pointer);

/**
 * Returns memory that no block uses to the system.
 *
 * The heap does that by itself when it has held more than it used for a while.
 *
 * @param heap  the heap
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API void moat_heap_trim(moat_heap *heap);

/**
 * Returns how many bytes the blocks in use have, as moat_heap_block_bytes
 * counts them.
 *
 * The heap is searched for it, a few nanoseconds per 4 KiB in use. If a guest
 * has overwritten the heap, the number means nothing.
 *
 * @param heap  the heap
 * @return bytes
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API size_t moat_heap_used(const moat_heap *heap);

/**
 * Returns the largest amount of the quota that was in use at once.
 *
 * @param heap  the heap
 * @return bytes, in whole pages of 4 KiB
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state
 */
MOAT_API size_t moat_heap_peak(const moat_heap *heap);

/**
 * Returns what a guest did that the heap noticed and ended it for.
 *
 * @param heap  the heap; after a trap, too
 * @return such as "freed a block twice"; NULL: nothing
 *
 * Ownership:     never freed
 * Thread-safety: as the heap
 * Signal-safety: yes
 * Legal in:      any state
 */
MOAT_API const char *moat_heap_misuse(const moat_heap *heap);

/**
 * Returns the heap that an address lies in.
 *
 * @param address  any
 * @return the heap; NULL: none
 *
 * Thread-safety: any; the answer holds while the heap exists
 * Signal-safety: yes
 * Legal in:      any state
 */
MOAT_API moat_heap *moat_heap_of(const void *address);

/**
 * The allocator of a Lua or LuaJIT state: a lua_Alloc.
 *
 *   lua_State *L = lua_newstate(moat_heap_lua, heap);
 *
 * @param heap      a moat_heap
 * @param pointer   a block of it, or NULL
 * @param had       not used
 * @param bytes     0: the block is freed
 * @return the block; NULL: freed, or as in moat_heap_alloc
 *
 * Ownership:     the block is the caller's until it is freed, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void *moat_heap_lua(void *heap, void *pointer, size_t had,
                             size_t bytes);

/**
 * The allocator of a Duktape heap: a duk_alloc_function.
 *
 * @param heap   a moat_heap
 * @param bytes  0: NULL is returned
 * @return as moat_heap_alloc
 *
 * Ownership:     the block is the caller's until it is freed, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void *moat_heap_duk_alloc(void *heap, size_t bytes);

/**
 * The reallocator of a Duktape heap: a duk_realloc_function.
 *
 * @param heap     a moat_heap
 * @param pointer  a block of it, or NULL
 * @param bytes    0: the block is freed
 * @return as moat_heap_realloc; NULL after freeing
 *
 * Ownership:     the block is the caller's until it is freed, or the heap ends
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void *moat_heap_duk_realloc(void *heap, void *pointer, size_t bytes);

/**
 * The function of a Duktape heap that frees: a duk_free_function.
 *
 * @param heap     a moat_heap
 * @param pointer  a block of it, or NULL
 *
 * Thread-safety: as the heap
 * Signal-safety: no
 * Legal in:      any state; not in a heap that was stopped
 */
MOAT_API void moat_heap_duk_free(void *heap, void *pointer);

MOAT_END_DECLS

#endif
