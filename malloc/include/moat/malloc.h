/*
 * malloc.h: options of the library moat-malloc, whose malloc serves each guest
 * from a heap of its own. docs/malloc.md describes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_H
#define MOAT_MALLOC_H

#include <stddef.h>

#include <moat/export.h>
#include <moat/status.h>

/** The way in which an allocation fails that would pass a heap's quota. */
typedef enum moat_malloc_limit {
    /* The guest traps with MOAT_TRAP_MEMORY_LIMIT, where it may be stopped;
     * elsewhere as MOAT_MALLOC_NULL. */
    MOAT_MALLOC_TRAP = 0,
    /* malloc returns NULL, mmap fails, operator new throws. */
    MOAT_MALLOC_NULL = 1
} moat_malloc_limit;

/**
 * Options of the library.
 *
 * Initialise the struct with MOAT_MALLOC_OPTIONS_INIT, which has the defaults.
 */
typedef struct moat_malloc_options {
    /* sizeof(moat_malloc_options); MOAT_MALLOC_OPTIONS_INIT sets it. */
    size_t struct_size;
    /* Quota of the heap that is made when a guest without one first allocates
     * memory; moat_heap_create has the range. 0: none is made, and such a guest
     * uses the host's allocator, as without the library. */
    size_t quota_bytes;
    /* How an allocation fails that would pass a quota. */
    moat_malloc_limit at_limit;
    /* Memory that heaps may go on having after their end, while variables of
     * the program or its libraries refer to it (moat_heap_keep). 0: none, the
     * default. For hosts whose guests end on one thread. */
    size_t keep_bytes;
} moat_malloc_options;

#define MOAT_MALLOC_OPTIONS_INIT                                            \
    {                                                                       \
        sizeof(moat_malloc_options), (size_t)256 << 20, MOAT_MALLOC_TRAP, 0 \
    }

MOAT_BEGIN_DECLS

/**
 * Sets the options of the library, which override those of the environment.
 *
 * Call it before guests run. Heaps that have been made stay as they are.
 *
 * @param options  not NULL
 *
 * @return MOAT_OK, or, with nothing changed,
 *         MOAT_E_INVAL        a field is out of range, or `options` is NULL
 *         MOAT_E_NOMEM        no memory for a buffer
 *         MOAT_E_UNSUPPORTED  the system forbids what keep_bytes needs
 *
 * Thread-safety: while no guest runs
 * Signal-safety: no
 */
MOAT_API moat_status moat_malloc_configure(const moat_malloc_options *options);

/**
 * Finds a loaded file whose functions are bound at their first call.
 *
 * Such a call enters the dynamic linker on the caller's stack. If a guest's
 * stack overflowed there, the dynamic linker's lock would stay held. So the
 * library, when it is loaded, binds the functions of all files that came with
 * the program, and makes dlopen bind at once. A function is left unbound if it
 * is defined nowhere, if the program is not position-independent and takes the
 * function's address, or if the file was loaded by other means, such as an
 * audit module. Link the program with -z now, or set LD_BIND_NOW in its
 * environment.
 *
 * @param[out] out  the file's name; *out is NULL if there is none. out may be
 *                  NULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_UNSUPPORTED  there is such a file
 *
 * Ownership:     *out is the dynamic linker's, valid while the file is loaded
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API MOAT_NODISCARD moat_status moat_malloc_check(const char **out);

MOAT_END_DECLS

#endif
