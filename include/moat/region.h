/*
 * region.h: fault regions, address ranges whose page faults a function
 * repairs.
 *
 * A lazy heap maps a page at its first access, a write barrier records a page
 * at its first write, a JIT guard distinguishes a bounds check from a bug.
 * Each registers its range and a function that moat calls when code touches
 * the range: a guest's code or the host's, on any thread, in a no-trap section
 * or not. A fault that the function declines is what it would be without the
 * region: a guest's trap, or the host's fault.
 *
 * System calls do not fault. With an address in such a range they fail with
 * EFAULT: touch the memory first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REGION_H
#define MOAT_REGION_H

#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>
#include <moat/trap.h>

/** The verdict of a fault region's function. */
typedef enum moat_fault_verdict {
    /* Nothing: the fault is treated as if there were no region. */
    MOAT_FAULT_DECLINED = 0,
    /* Repaired it: the same instruction is executed again. */
    MOAT_FAULT_FIXED = 1
} moat_fault_verdict;

/**
 * Repairs a fault, or declines it.
 *
 * moat calls it in a signal handler of the thread that faulted, on its
 * alternate stack if it has one, and preserves errno.
 *
 * The function may call what signal-safety(7) lists, and mmap, munmap,
 * mprotect and madvise, which are bare system calls in glibc. Of moat it may
 * call only functions marked "Signal-safety: yes". It must not leave by
 * longjmp, and must not fork. Several threads may run it at once, also for the
 * same address: the second finds the page repaired and must return
 * MOAT_FAULT_FIXED, too.
 *
 * A fault inside the function is offered to no region and is never a guest's
 * trap.
 *
 * @param address  as the CPU reported it; in the region
 * @param access   the access that faulted
 * @param user     moat_fault_region_options.user
 * @return MOAT_FAULT_FIXED or MOAT_FAULT_DECLINED
 */
typedef moat_fault_verdict (*moat_fault_fix)(void *address, moat_access access,
                                             void *user);

/**
 * A fault region: its range and its function.
 *
 * Initialise the struct with MOAT_FAULT_REGION_OPTIONS_INIT.
 */
typedef struct moat_fault_region_options {
    /* sizeof(moat_fault_region_options); MOAT_FAULT_REGION_OPTIONS_INIT sets
     * it. */
    size_t struct_size;
    /* First byte; the start of a page. */
    void *begin;
    /* At least one; whole pages. */
    size_t bytes;
    /* Not NULL. */
    moat_fault_fix fix;
    /* Passed to `fix`. The library never dereferences it. */
    void *user;
    /* 0. */
    uint64_t flags;
} moat_fault_region_options;

#define MOAT_FAULT_REGION_OPTIONS_INIT                   \
    {                                                    \
        sizeof(moat_fault_region_options), 0, 0, 0, 0, 0 \
    }

/* The number of a region, unique in the process. 0: none. */
typedef uint64_t moat_fault_region;

MOAT_BEGIN_DECLS

/**
 * Makes an address range a fault region.
 *
 * When code touches the range so that the CPU raises a page fault, moat calls
 * `fix` of the options. It can repair the fault, by mprotect or mmap, and
 * return MOAT_FAULT_FIXED: the same instruction is executed again. With
 * MOAT_FAULT_DECLINED the fault is treated as if there were no region. It
 * makes no difference whether a guest or the host touched the range, on which
 * thread, or whether a no-trap section is open. A system call with an address
 * in the range does not fault; it fails with EFAULT.
 *
 * Initialises the engine with all defaults if the program has not. On a thread
 * that is not attached, `fix` runs on the thread's own stack, unless the
 * thread has an alternate one.
 *
 * @param options   copied
 * @param[out] out  for moat_fault_region_unregister; written only on MOAT_OK
 *
 * @return MOAT_OK; a status of moat_engine_init, if it has to initialise; or
 *         MOAT_E_INVAL  NULL arguments or `fix`; a range that is empty, not in
 *                       whole pages, wraps around or overlaps another region
 *                       or a stack of moat's; unknown flags
 *         MOAT_E_STATE  called from a `fix`
 *         MOAT_E_LIMIT  less than 8 KiB of a guest's stack is left
 *         MOAT_E_NOMEM  no memory; nothing has changed
 *
 * Ownership:     the memory stays the caller's; moat does not change it
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_fault_region_options, moat_fault_fix
 */
MOAT_API MOAT_NODISCARD moat_status moat_fault_region_register(
    const moat_fault_region_options *options, moat_fault_region *out);

/**
 * Ends a fault region.
 *
 * When the call returns, `fix` is not running and is not called again: the
 * call waits for the threads that are inside it. It does not wait for a `fix`
 * that faulted and was resumed by a handler installed before moat.
 *
 * @param region  from moat_fault_region_register
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  no such region
 *         MOAT_E_STATE  called from a `fix`
 *         MOAT_E_LIMIT  less than 8 KiB of a guest's stack is left
 *
 * Thread-safety: any
 * Signal-safety: no
 */
MOAT_API moat_status moat_fault_region_unregister(moat_fault_region region);

MOAT_END_DECLS

#endif
