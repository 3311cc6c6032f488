/*
 * core_output.c: writes a core file front to back, from one buffer. Memory
 * without contents becomes a hole where the file can have one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report/core_output.h"

#include <string.h>

#include "sys/file.h"

/* Fewer zeros are written: a hole costs two system calls. */
#define HOLE_BYTES ((size_t)64 << 10)

static void flush(struct core *core)
{
    if (core->status == MOAT_OK && core->used > 0) {
        core->status = moat_write_all(core->fd, core->buffer, core->used);
        core->in_hole = false;
    }
    core->used = 0;
}

/* Returns a piece of the buffer, for at most *bytes. */
static unsigned char *take(struct core *core, size_t *bytes)
{
    unsigned char *piece;

    if (core->used == sizeof core->buffer)
        flush(core);
    piece = core->buffer + core->used;
    if (*bytes > sizeof core->buffer - core->used)
        *bytes = sizeof core->buffer - core->used;
    core->used += *bytes;
    return piece;
}

void moat_core_put(struct core *core, const void *from, size_t bytes)
{
    const unsigned char *at = from;

    while (bytes > 0) {
        size_t some = bytes;
        unsigned char *piece = take(core, &some);

        memcpy(piece, at, some);
        at += some;
        bytes -= some;
    }
}

static void put_zeros(struct core *core, size_t bytes)
{
    if (bytes >= HOLE_BYTES && core->takes_holes) {
        flush(core);
        if (core->status == MOAT_OK)
            core->status = moat_file_skip(core->fd, bytes);
        core->in_hole = true;
        return;
    }
    while (bytes > 0 && core->status == MOAT_OK) {
        size_t some = bytes;
        unsigned char *piece = take(core, &some);

        memset(piece, 0, some);
        bytes -= some;
    }
}

/* --- memory -------------------------------------------------------------- */

/* Replaces the guest's control record in a copy by the file's. */
static void patch(const struct core *core, unsigned char *copy, uintptr_t start,
                  size_t bytes)
{
    uintptr_t at = (uintptr_t)core->co;
    const unsigned char *control = (const unsigned char *)&core->control;

    for (size_t i = 0; i < sizeof core->control; i++) {
        if (at + i - start < bytes)
            copy[at + i - start] = control[i];
    }
}

static bool is_zero(const unsigned char *bytes, size_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

/* Zeros are found only by reading where it is not known which pages have
 * contents. */
static void put_range(struct core *core, uintptr_t at, uintptr_t end,
                      bool look_for_zeros)
{
    while (at < end && core->status == MOAT_OK) {
        size_t bytes =
            look_for_zeros && end - at > HOLE_BYTES ? HOLE_BYTES : end - at;
        unsigned char *copy = take(core, &bytes);

        (void)moat_core_read(core, at, copy, bytes);
        patch(core, copy, at, bytes);
        if (look_for_zeros && is_zero(copy, bytes)) {
            core->used -= bytes;
            put_zeros(core, bytes);
        }
        at += bytes;
    }
}

/* A part of which the bytes up to `at` have been put. */
struct progress {
    struct core *core;
    uintptr_t at, end;
};

static bool put_run(uintptr_t low, uintptr_t high, void *arg)
{
    struct progress *progress = arg;

    if (progress->at < low)
        put_zeros(progress->core, low - progress->at);
    else
        low = progress->at;
    if (high > progress->end)
        high = progress->end;
    put_range(progress->core, low, high, false);
    progress->at = high;
    return progress->core->status == MOAT_OK;
}

static void put_sparse(struct core *core, const struct core_part *part)
{
    struct progress progress = {core, part->start, part->end};

    if (moat_core_visit_contents(core, part->start, part->end, put_run,
                                 &progress))
        put_zeros(core, part->end - progress.at);
    else
        put_range(core, progress.at, part->end, true);
}

void moat_core_put_memory(struct core *core)
{
    for (size_t i = 0; i < core->part_count; i++) {
        const struct core_part *part = &core->parts[i];

        if (part->sparse)
            put_sparse(core, part);
        else
            put_range(core, part->start, part->end, false);
    }
}

void moat_core_finish(struct core *core)
{
    flush(core);
    if (core->in_hole && core->status == MOAT_OK)
        core->status = moat_file_set_end(core->fd);
}
