/*
 * region.h: fault regions: ranges of addresses whose page faults somebody
 * repairs.
 *
 * A lazy heap maps a page when it is first touched, a write barrier notes a
 * page when it is first written, a JIT guard tells a bounds check from a bug.
 * Each registers its range and a function that is called when code touches it:
 * a guest's code or the host's, on any thread. Whatever it declines is what it
 * would have been without the region: a trap of the guest, or the host's fault.
 *
 * System calls do not fault: one that is given an address in such a range fails
 * with EFAULT. Touch the memory first.
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

/* What was made of a fault. */
typedef enum moat_fault_verdict {
    MOAT_FAULT_DECLINED = 0, /* not mine: as if there were no region     */
    MOAT_FAULT_FIXED = 1     /* the same instruction is to be tried again */
} moat_fault_verdict;

/**
 * Repairs a fault, or declines it. Called in a signal handler of the thread
 * that faulted, on its alternate stack if it has one, with errno saved.
 *
 * It may call what signal-safety(7) lists, and mmap, munmap, mprotect and
 * madvise, which are bare system calls in glibc. Of moat it may call only what
 * is marked "Signal-safety: yes". It must not leave by longjmp, and must not
 * fork. Several threads may be in it at once, also for the same address: the
 * second finds the page in order and says MOAT_FAULT_FIXED all the same.
 *
 * A fault inside it is not offered to any region and is never a guest's.
 *
 * @param address  what the CPU reported; in the region
 * @param access   what was tried there
 * @param user     the options' `user`
 */
typedef moat_fault_verdict (*moat_fault_fix)(void *address, moat_access access,
                                             void *user);

typedef struct moat_fault_region_options {
    size_t struct_size; /* MOAT_FAULT_REGION_OPTIONS_INIT sets it           */
    void *begin;        /* first byte; a whole page                         */
    size_t bytes;       /* at least one; whole pages                        */
    moat_fault_fix fix; /* required                                         */
    void *user;         /* handed to `fix`; yours                           */
    uint64_t flags;     /* 0                                                */
} moat_fault_region_options;

#define MOAT_FAULT_REGION_OPTIONS_INIT                   \
    {                                                    \
        sizeof(moat_fault_region_options), 0, 0, 0, 0, 0 \
    }

/* Names a region; never used twice in a process. 0: none. */
typedef uint64_t moat_fault_region;

MOAT_BEGIN_DECLS

/**
 * Makes a range of addresses a fault region. Initialises the engine with all
 * defaults if nobody did. The memory stays the caller's: moat changes nothing
 * about it.
 *
 * On a thread that never attached `fix` runs on the thread's own stack, unless
 * the thread has an alternate one.
 *
 * @param[out] out  written only on MOAT_OK
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   NULL arguments, a range that is empty, not in whole
 *                        pages, wraps around or overlaps another region or a
 *                        stack of moat's; unknown flags
 *         MOAT_E_STATE   called from a `fix`
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack)
 *         MOAT_E_NOMEM   and what moat_engine_init returns
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API MOAT_NODISCARD moat_status moat_fault_region_register(
    const moat_fault_region_options *options, moat_fault_region *out);

/**
 * Ends a region. When it returns, `fix` runs nowhere and is not called again:
 * it waits for the threads that are inside one. Not for a `fix` that has itself
 * faulted, where a handler that was there before moat has repaired that.
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   no such region
 *         MOAT_E_STATE   called from a `fix`
 *         MOAT_E_LIMIT   too little stack left (on a guest's stack)
 *
 * Thread-safety: any. Signal-safety: no.
 */
MOAT_API moat_status moat_fault_region_unregister(moat_fault_region region);

MOAT_END_DECLS

#endif
