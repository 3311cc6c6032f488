/*
 * batch.c: many resumes in a row; while one runs, the memory of the next ones
 * is prefetched.
 *
 * A resume among more coroutines than the caches hold waits for memory three
 * times in sequence: for the record, for the stack to which the record points,
 * and for the page tables of both.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "sys/refusal.h"

/* Resumes ahead: the record is fetched first, then the stack it points to. */
#define RECORD_AHEAD ((size_t)16)
#define STACK_AHEAD  ((size_t)8)

#define LINE_BYTES ((uintptr_t)64)

/* A prefetch never faults. */
static void fetch_record(const moat_co *co)
{
    __builtin_prefetch(co, 1);
    __builtin_prefetch((const char *)co + LINE_BYTES, 1);
}

/* Fetches the frame that yielded, and the one above. */
static void fetch_stack(const moat_co *co)
{
    if (co == NULL)
        return;
    __builtin_prefetch((const void *)co->sp, 1);
    __builtin_prefetch((const void *)(co->sp + LINE_BYTES), 1);
}

moat_status moat_co_resume_n(moat_co *const *cos, void *const *inputs,
                             moat_event *out, size_t count, size_t *done)
{
    moat_status status = MOAT_OK;
    size_t i;

    if (cos == NULL || out == NULL || done == NULL)
        return moat_refuse(MOAT_E_INVAL, cos == NULL   ? "cos is NULL"
                                         : out == NULL ? "out is NULL"
                                                       : "done is NULL");
    for (i = 0; i < count && i < RECORD_AHEAD; i++)
        fetch_record(cos[i]);
    for (i = 0; i < count && i < STACK_AHEAD; i++)
        fetch_stack(cos[i]);
    for (i = 0; i < count; i++) {
        if (i + RECORD_AHEAD < count)
            fetch_record(cos[i + RECORD_AHEAD]);
        if (i + STACK_AHEAD < count)
            fetch_stack(cos[i + STACK_AHEAD]);
        status =
            moat_co_resume(cos[i], inputs != NULL ? inputs[i] : NULL, &out[i]);
        if (status != MOAT_OK)
            break;
    }
    *done = i;
    return status;
}
