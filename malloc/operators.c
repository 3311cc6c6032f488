/*
 * operators.c: C++'s operator new and operator delete, by their mangled names,
 * so that the library needs no C++ library.
 *
 * On the host's stack those of the next library are called: an allocator may
 * have operators of its own. A program without them calls none of these.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#include "malloc/guest.h"
#include "malloc/next.h"
#include "malloc/policy.h"

#define CALLER __builtin_return_address(0)

/* More than any allocator has: operator new of the next library throws. */
#define TOO_MANY ((size_t)PTRDIFF_MAX)

/* A plug-in may bring the C++ library later than this one was loaded. */
static void *find(const char *name, void **cache)
{
    void *symbol = __atomic_load_n(cache, __ATOMIC_RELAXED);

    if (symbol == NULL) {
        symbol = dlsym(RTLD_NEXT, name);
        __atomic_store_n(cache, symbol, __ATOMIC_RELAXED);
    }
    return symbol;
}

/* ---- A guest's quota is used up ------------------------------------------ */

typedef void (*new_handler)(void);

static void *get_handler_found, *new_found;

/* Not on a guest's stack, as the dynamic linker has locks. */
__attribute__((constructor)) static void find_early(void)
{
    (void)find("_ZSt15get_new_handlerv", &get_handler_found);
    (void)find("_Znwm", &new_found);
}

/* Returns the new-handler (std::get_new_handler); NULL: none. */
static new_handler handler(void)
{
    void *get = find("_ZSt15get_new_handlerv", &get_handler_found);
    new_handler (*function)(void);

    *(void **)&function = get;
    return get != NULL ? function() : NULL;
}

static _Noreturn void throw_bad_alloc(void)
{
    void *(*next)(size_t);

    *(void **)&next = find("_Znwm", &new_found);
    if (next != NULL)
        (void)next(TOO_MANY);
    abort();
}

static void *take(const void *caller, size_t alignment, size_t bytes)
{
    void *block = alignment == 0 ? moat_malloc_quick(caller, bytes) : NULL;

    if (MOAT_LIKELY(block != NULL))
        return block;
    while ((block = moat_malloc_take(caller, alignment, bytes)) == NULL) {
        new_handler make_room = handler();

        if (make_room == NULL)
            throw_bad_alloc();
        make_room();
    }
    return block;
}

/* The host's, where no library that the linker searches has the operator. */
static void *take_without(size_t alignment, size_t bytes)
{
    void *block = moat_next.memalign(alignment, bytes);

    if (block == NULL)
        moat_malloc_give_up("operator new: no memory");
    return block;
}

/* ---- The operators ------------------------------------------------------- */

/* X(name, mangled): the forms of each, as far as their parameters go. */
#define NEW(name, mangled)                                           \
    MOAT_API void *name(size_t bytes) __asm__(mangled);              \
    void *name(size_t bytes)                                         \
    {                                                                \
        static void *cache;                                          \
        void *(*next)(size_t);                                       \
                                                                     \
        if (!moat_malloc_on_host())                                  \
            return take(CALLER, 0, bytes);                           \
        *(void **)&next = find(mangled, &cache);                     \
        return next != NULL ? next(bytes) : take_without(16, bytes); \
    }

#define NEW_NOTHROW(name, mangled)                                        \
    MOAT_API void *name(size_t bytes, const void *tag) __asm__(mangled);  \
    void *name(size_t bytes, const void *tag)                             \
    {                                                                     \
        static void *cache;                                               \
        void *(*next)(size_t, const void *);                              \
                                                                          \
        if (!moat_malloc_on_host())                                       \
            return moat_malloc_take(CALLER, 0, bytes);                    \
        *(void **)&next = find(mangled, &cache);                          \
        return next != NULL ? next(bytes, tag) : moat_next.malloc(bytes); \
    }

#define NEW_ALIGNED(name, mangled)                                        \
    MOAT_API void *name(size_t bytes, size_t alignment) __asm__(mangled); \
    void *name(size_t bytes, size_t alignment)                            \
    {                                                                     \
        static void *cache;                                               \
        void *(*next)(size_t, size_t);                                    \
                                                                          \
        if (!moat_malloc_on_host())                                       \
            return take(CALLER, alignment, bytes);                        \
        *(void **)&next = find(mangled, &cache);                          \
        return next != NULL ? next(bytes, alignment)                      \
                            : take_without(alignment, bytes);             \
    }

#define NEW_ALIGNED_NOTHROW(name, mangled)                          \
    MOAT_API void *name(size_t bytes, size_t alignment,             \
                        const void *tag) __asm__(mangled);          \
    void *name(size_t bytes, size_t alignment, const void *tag)     \
    {                                                               \
        static void *cache;                                         \
        void *(*next)(size_t, size_t, const void *);                \
                                                                    \
        if (!moat_malloc_on_host())                                 \
            return moat_malloc_take(CALLER, alignment, bytes);      \
        *(void **)&next = find(mangled, &cache);                    \
        return next != NULL ? next(bytes, alignment, tag)           \
                            : moat_next.memalign(alignment, bytes); \
    }

NEW(new_one, "_Znwm")
NEW(new_array, "_Znam")
NEW_NOTHROW(new_one_nothrow, "_ZnwmRKSt9nothrow_t")
NEW_NOTHROW(new_array_nothrow, "_ZnamRKSt9nothrow_t")
NEW_ALIGNED(new_one_aligned, "_ZnwmSt11align_val_t")
NEW_ALIGNED(new_array_aligned, "_ZnamSt11align_val_t")
NEW_ALIGNED_NOTHROW(new_one_aligned_nothrow,
                    "_ZnwmSt11align_val_tRKSt9nothrow_t")
NEW_ALIGNED_NOTHROW(new_array_aligned_nothrow,
                    "_ZnamSt11align_val_tRKSt9nothrow_t")

/* The parameters after the pointer are passed on: sizes, alignments and the
 * address of std::nothrow are each a word. */
#define DELETE(name, mangled)                                     \
    MOAT_API void name(void *block, uintptr_t a,                  \
                       uintptr_t b) __asm__(mangled);             \
    void name(void *block, uintptr_t a, uintptr_t b)              \
    {                                                             \
        static void *cache;                                       \
        void (*next)(void *, uintptr_t, uintptr_t);               \
                                                                  \
        if (!moat_malloc_on_host() || moat_heap_may_own(block)) { \
            if (!moat_guest_free(block))                          \
                moat_malloc_return(block);                        \
            return;                                               \
        }                                                         \
        *(void **)&next = find(mangled, &cache);                  \
        if (next != NULL)                                         \
            next(block, a, b);                                    \
        else                                                      \
            moat_next.free(block);                                \
    }

DELETE(delete_one, "_ZdlPv")
DELETE(delete_array, "_ZdaPv")
DELETE(delete_one_sized, "_ZdlPvm")
DELETE(delete_array_sized, "_ZdaPvm")
DELETE(delete_one_nothrow, "_ZdlPvRKSt9nothrow_t")
DELETE(delete_array_nothrow, "_ZdaPvRKSt9nothrow_t")
DELETE(delete_one_aligned, "_ZdlPvSt11align_val_t")
DELETE(delete_array_aligned, "_ZdaPvSt11align_val_t")
DELETE(delete_one_sized_aligned, "_ZdlPvmSt11align_val_t")
DELETE(delete_array_sized_aligned, "_ZdaPvmSt11align_val_t")
DELETE(delete_one_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t")
DELETE(delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t")
