/*
 * kept_stream.h: the list of guests' streams: those that end with the guest,
 * and those that it has locked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_KEPT_STREAM_H
#define MOAT_MALLOC_KEPT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <moat/moat.h>

struct kept {
    struct kept *next;
    const moat_co *co;
    FILE *stream;
    bool is_over_memory; /* it is closed with the guest, unless that did it */
    int locks;           /* how often the guest has locked it               */
    /* Where the C library stores the text of open_memstream; the guest gets
     * both when it flushes or closes the stream. */
    void *text;
    size_t bytes;
    void **text_out; /* the guest's variable; NULL: no such stream */
    size_t *bytes_out;
    bool is_known; /* the guest has got the text, and frees it */
};

/* The lock of the list and of what the entries say. */
void moat_kept_lock(void);
void moat_kept_unlock(void);

/* Returns the guest's entry for a stream, or NULL. Called with the lock. */
struct kept *moat_kept_find(const moat_co *co, const FILE *stream);

/* Makes an entry, or returns the one that there is. NULL: no memory, or the
 * guest has ended. Called without the lock, by the guest's thread. */
struct kept *moat_kept_make(moat_co *co, FILE *stream);
struct kept *moat_kept_get(moat_co *co, FILE *stream);

/* The stream is being closed; its address may be used again. Without the lock.
 */
void moat_kept_forget(const FILE *stream);

/* The C library's fclose. */
int moat_kept_close(FILE *stream);

#endif
