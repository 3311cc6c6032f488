/*
 * usage.h: what a coroutine has used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_USAGE_H
#define MOAT_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/status.h>

/* The times that are counted; see moat_usage. */
#define MOAT_USAGE_WALL 1u
#define MOAT_USAGE_CPU  2u

/**
 * The resources that a coroutine has used.
 *
 * Initialise the struct with MOAT_USAGE_INIT; moat_co_usage fills it in. The
 * times cover one life, which moat_co_reset ends. They include the time of the
 * coroutines that it has resumed, and of its host calls.
 *
 * Time is counted if the coroutine's options ask for it:
 *
 *   MOAT_USAGE_WALL
 *     `wall_ns`, `resumes` and `heap_byte_ms`: with MOAT_CO_EXACT_USAGE, or a
 *     limit of total_wall_ns or total_cpu_ns.
 *   MOAT_USAGE_CPU
 *     `cpu_ns`: with MOAT_CO_EXACT_USAGE, a limit of total_cpu_ns, or one of
 *     total_wall_ns beside one of resume_cpu_ns.
 */
typedef struct moat_usage {
    /* sizeof(moat_usage); MOAT_USAGE_INIT sets it. */
    size_t struct_size;
    /* MOAT_USAGE_...: which of `cpu_ns`, `wall_ns`, `resumes` and
     * `heap_byte_ms` are counted; the others are 0. */
    uint64_t counted;
    /* CPU nanoseconds of the thread, of all resumes; a resume that has not
     * ended counts up to now. */
    uint64_t cpu_ns;
    /* Nanoseconds of CLOCK_MONOTONIC, likewise. */
    uint64_t wall_ns;
    /* Resumes, and transfers to it. */
    uint64_t resumes;
    /* Bytes of moat_co_heap in use, and the most that were. 0: no heap. */
    uint64_t heap_bytes, heap_peak;
    /* The most stack that was in use: bytes between the lowest resident page
     * and the stack's base. Earlier use of the stack may count. */
    uint64_t stack_peak;
    /* How often a time slice has ended (moat_limits.slice_ns). */
    uint64_t preemptions;
    /* Bytes of moat_co_heap times milliseconds, in whole pages, also while the
     * coroutine waits: what is a byte for a second is 1000. It ends at
     * UINT64_MAX. From the first resume, or from when the heap was made; of a
     * heap that the host then resets or clears: 0. */
    uint64_t heap_byte_ms;
    /* System calls that its policy has decided, those that trapped and those of
     * the guests inside it included (moat_limits.syscalls); 0: no policy. */
    uint64_t syscalls;
} moat_usage;

#define MOAT_USAGE_INIT                                  \
    {                                                    \
        sizeof(moat_usage), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

MOAT_BEGIN_DECLS

/**
 * Fills in the resources that a coroutine has used.
 *
 * @param co        created by this thread
 * @param[out] out  written only on MOAT_OK, up to its struct_size, which the
 *                  caller has set: MOAT_USAGE_INIT does. A field that the
 *                  library does not know becomes 0, and struct_size the size
 *                  that it knows, if that is less
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL        co or out is NULL, or out->struct_size is that of
 *                             no version, such as 0
 *         MOAT_E_THREAD       it belongs to another thread
 *         MOAT_E_LIMIT        less than 8 KiB of the stack is left
 *         MOAT_E_SYSTEM       a clock or the stack's pages cannot be read
 *
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      all states
 * Cost:          some system calls
 * See also:      moat_usage, moat_limits, moat_co_stack_info
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_usage(const moat_co *co,
                                                  moat_usage *out);

MOAT_END_DECLS

#endif
