/*
 * guest_streams.c: streams that must not outlive the guest, and locks of
 * streams that it holds.
 *
 * A stream over memory of the guest's is flushed with all others, by any
 * thread, and would be written to memory that is no more. It is closed when the
 * guest ends, in any way. Nothing is written to memory of the guest's then: it
 * may have been a bad pointer, or protected since. A lock that the guest took
 * by flockfile is given back then, by the thread that has it.
 *
 * All of this runs on the host's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/kept_stream.h"
#include "malloc/wrap.h"

/* --- streams over memory ---------------------------------------------------
 */

struct memory_call {
    struct moat_libc_call call;
    moat_co *co; /* NULL: the host */
    void *memory;
    size_t *size;
    size_t bytes;
    const char *mode;
    FILE *out;
};

/* A stream that cannot be closed in time is not opened. */
static struct kept *keep(struct memory_call *each)
{
    struct kept *kept = moat_kept_make(each->co, NULL);

    if (kept == NULL)
        errno = ENOMEM;
    return kept;
}

static void opened(struct kept *kept, FILE *stream)
{
    moat_kept_lock();
    kept->stream = stream;
    kept->is_over_memory = stream != NULL;
    moat_kept_unlock();
}

static void fmemopen_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"fmemopen", NULL};
    struct memory_call *each = (struct memory_call *)call;
    FILE *(*function)(void *, size_t, const char *);

    struct kept *kept = NULL;

    moat_real_get(&real, &function);
    if (each->co != NULL && (kept = keep(each)) == NULL)
        return;
    each->out = function(each->memory, each->bytes, each->mode);
    if (kept != NULL)
        opened(kept, each->out);
}

/* Opens a stream whose text the C library stores in variables of the host's. */
static void open_text(struct memory_call *each,
                      FILE *(*function)(void *, size_t *))
{
    struct kept *kept;

    if (each->co == NULL) {
        each->out = function(each->memory, each->size);
        return;
    }
    kept = keep(each);
    if (kept == NULL)
        return;
    kept->text_out = each->memory;
    kept->bytes_out = each->size;
    each->out = function(&kept->text, &kept->bytes);
    opened(kept, each->out);
}

static void open_memstream_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"open_memstream", NULL};
    FILE *(*function)(void *, size_t *);

    moat_real_get(&real, &function);
    open_text((struct memory_call *)call, function);
}

static void open_wmemstream_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"open_wmemstream", NULL};
    FILE *(*function)(void *, size_t *);

    moat_real_get(&real, &function);
    open_text((struct memory_call *)call, function);
}

static FILE *open_over_memory(struct memory_call *each)
{
    if (!moat_malloc_on_host()) {
        each->co = moat_co_current();
        if (each->size != NULL) {
            moat_touch_out(each->memory, sizeof(void *));
            moat_touch_out(each->size, sizeof *each->size);
        }
    }
    moat_libc_call(&each->call);
    return each->out;
}

MOAT_API FILE *fmemopen(void *memory, size_t bytes, const char *mode)
{
    struct memory_call each = {.call = {.run = fmemopen_run},
                               .memory = memory,
                               .bytes = bytes,
                               .mode = mode};

    if (!moat_malloc_on_host())
        (void)moat_touch_text(mode);
    return open_over_memory(&each);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as the header has it */
MOAT_API FILE *open_memstream(char **memory, size_t *size)
{
    struct memory_call each = {
        .call = {.run = open_memstream_run}, .memory = memory, .size = size};

    return open_over_memory(&each);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as the header has it */
MOAT_API FILE *open_wmemstream(wchar_t **memory, size_t *size)
{
    struct memory_call each = {
        .call = {.run = open_wmemstream_run}, .memory = memory, .size = size};

    return open_over_memory(&each);
}

/* Its functions would be called by the host. */
MOAT_API FILE *fopencookie(void *cookie, const char *mode,
                           cookie_io_functions_t functions)
{
    MOAT_REAL real = {"fopencookie", NULL};
    FILE *(*function)(void *, const char *, cookie_io_functions_t);

    if (!moat_malloc_on_host()) {
        errno = EPERM;
        return NULL;
    }
    moat_real_get(&real, &function);
    return function(cookie, mode, functions);
}

/* --- texts for the guest ---------------------------------------------------
 */

struct text_call {
    struct moat_libc_call call;
    moat_co *co;
    FILE *stream;
    bool closed; /* it gets no other text */
    struct kept found;
};

/* Finds the text that the guest has asked for. */
static void text_run(struct moat_libc_call *call)
{
    struct text_call *each = (struct text_call *)call;
    struct kept *kept;

    moat_kept_lock();
    kept = moat_kept_find(each->co, each->stream);
    if (kept != NULL && kept->text_out != NULL && kept->text != NULL) {
        kept->is_known = true;
        each->found = *kept;
        if (each->closed) {
            kept->text_out = NULL;
            kept->text = NULL; /* the guest's */
        }
    }
    moat_kept_unlock();
}

/* Stores the text on the guest's stack, where bad pointers fault. */
static void hand_out(FILE *stream, bool closed)
{
    struct text_call each = {.call = {.run = text_run},
                             .co = moat_co_current(),
                             .stream = stream,
                             .closed = closed};

    moat_libc_call(&each.call);
    if (each.found.text_out == NULL)
        return;
    *each.found.text_out = each.found.text;
    *each.found.bytes_out = each.found.bytes;
}

struct stream_call {
    struct moat_libc_call call;
    FILE *stream;
    int out;
};

static void fflush_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"fflush", NULL};
    struct stream_call *each = (struct stream_call *)call;
    int (*function)(FILE *);

    moat_real_get(&real, &function);
    each->out = function(each->stream);
}

MOAT_API int fflush(FILE *stream)
{
    struct stream_call each = {
        {.run = fflush_run, .stream = stream}, stream, 0};

    moat_libc_call(&each.call);
    if (stream != NULL && !moat_malloc_on_host())
        hand_out(stream, false);
    return each.out;
}

/* The text of a closed stream stays until the guest has got it. */
static void fclose_run(struct moat_libc_call *call)
{
    struct stream_call *each = (struct stream_call *)call;

    moat_kept_forget(each->stream);
    each->out = moat_kept_close(each->stream);
}

MOAT_API int fclose(FILE *stream)
{
    struct stream_call each = {{.run = fclose_run}, stream, 0};

    moat_libc_call(&each.call);
    if (stream != NULL && !moat_malloc_on_host())
        hand_out(stream, true);
    return each.out;
}

/* --- locks -----------------------------------------------------------------
 */

struct lock_call {
    struct moat_libc_call call;
    moat_co *co; /* NULL: the host */
    FILE *stream;
    int out;
};

/* Notes that the guest has locked it once more, or once less. */
static void note_lock(const struct lock_call *each, int change)
{
    struct kept *kept;

    if (each->co == NULL ||
        (kept = moat_kept_get(each->co, each->stream)) == NULL)
        return;
    moat_kept_lock();
    if (kept->locks + change >= 0)
        kept->locks += change;
    moat_kept_unlock();
}

static void flockfile_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"flockfile", NULL};
    struct lock_call *each = (struct lock_call *)call;
    void (*function)(FILE *);

    moat_real_get(&real, &function);
    function(each->stream);
    note_lock(each, 1);
}

static void ftrylockfile_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"ftrylockfile", NULL};
    struct lock_call *each = (struct lock_call *)call;
    int (*function)(FILE *);

    moat_real_get(&real, &function);
    each->out = function(each->stream);
    if (each->out == 0)
        note_lock(each, 1);
}

static void funlockfile_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"funlockfile", NULL};
    struct lock_call *each = (struct lock_call *)call;
    void (*function)(FILE *);

    moat_real_get(&real, &function);
    note_lock(each, -1);
    function(each->stream);
}

static int call_lock(FILE *stream, void (*run)(struct moat_libc_call *))
{
    struct lock_call each = {{.run = run}, NULL, stream, 0};

    if (!moat_malloc_on_host())
        each.co = moat_co_current();
    moat_libc_call(&each.call);
    return each.out;
}

MOAT_API void flockfile(FILE *stream)
{
    (void)call_lock(stream, flockfile_run);
}

MOAT_API int ftrylockfile(FILE *stream)
{
    return call_lock(stream, ftrylockfile_run);
}

MOAT_API void funlockfile(FILE *stream)
{
    (void)call_lock(stream, funlockfile_run);
}
