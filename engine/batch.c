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

/* Fetches the frame that yielded. */
static void fetch_stack(const moat_co *co)
{
    if (co != NULL)
        __builtin_prefetch((const void *)co->sp, 1);
}

struct batch {
    moat_co *const *cos;
    void *const *inputs;
    moat_event *out;
};

/* Resumes `first` to `end` (exclusive) until one is refused, and returns its
 * number, or `end`. With `fetch`, RECORD_AHEAD more follow after `end`. */
static inline __attribute__((always_inline)) size_t
resume_range(const struct batch *batch, size_t first, size_t end, bool fetch,
             moat_status *status)
{
    for (size_t i = first; i < end; i++) {
        if (fetch) {
            fetch_record(batch->cos[i + RECORD_AHEAD]);
            fetch_stack(batch->cos[i + STACK_AHEAD]);
        }
        *status = moat_co_resume(
            batch->cos[i], batch->inputs != NULL ? batch->inputs[i] : NULL,
            &batch->out[i]);
        if (MOAT_UNLIKELY(*status != MOAT_OK))
            return i;
    }
    return end;
}

moat_status moat_co_resume_n(moat_co *const *cos, void *const *inputs,
                             moat_event *out, size_t count, size_t *done)
{
    const struct batch batch = {cos, inputs, out};
    size_t fetching = count > RECORD_AHEAD ? count - RECORD_AHEAD : 0;
    moat_status status = MOAT_OK;

    if (cos == NULL || out == NULL || done == NULL)
        return moat_refuse(MOAT_E_INVAL, cos == NULL   ? "cos is NULL"
                                         : out == NULL ? "out is NULL"
                                                       : "done is NULL");
    for (size_t i = 0; i < count && i < RECORD_AHEAD; i++)
        fetch_record(cos[i]);
    for (size_t i = 0; i < count && i < STACK_AHEAD; i++)
        fetch_stack(cos[i]);
    *done = resume_range(&batch, 0, fetching, true, &status);
    if (status == MOAT_OK)
        *done = resume_range(&batch, fetching, count, false, &status);
    return status;
}
