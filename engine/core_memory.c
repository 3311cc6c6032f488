/*
 * core_memory.c: reads the process's own memory by process_vm_readv(2), which
 * tells what cannot be read instead of faulting: guards, holes, pages of a file
 * that has become shorter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "engine/core.h"
#include "stack/size.h"

/* Pages asked for in one call. */
#define PROBES 64

/* Pieces of a page with less between them become one: a program header takes
 * about as much. */
#define GAP_BYTES 64

static uintptr_t next_page(uintptr_t address)
{
    return (address / MOAT_PAGE_BYTES + 1) * MOAT_PAGE_BYTES;
}

/* How many bytes; 0: what is there cannot be read. */
static size_t copy(struct core *core, struct iovec *to,
                   const struct iovec *from, unsigned long count)
{
    ssize_t got;

    do
        got = process_vm_readv(core->pid, to, 1, from, count, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno != EFAULT && core->status == MOAT_OK)
        core->status = MOAT_E_SYSTEM;
    return got < 0 ? 0 : (size_t)got;
}

/* How many of the pages from `start` on can be read: a byte of each is. */
static size_t readable_pages(struct core *core, uintptr_t start, uintptr_t end)
{
    struct iovec from[PROBES];
    unsigned char bytes[PROBES];
    struct iovec to = {bytes, sizeof bytes};
    unsigned long count = 0;

    for (uintptr_t at = start; at < end && count < PROBES; at = next_page(at))
        from[count++] = (struct iovec){(void *)at, 1};
    return copy(core, &to, from, count);
}

static void push(struct core *core, uintptr_t start, uintptr_t end)
{
    if (!moat_core_is_full(core))
        core->parts[core->part_count++] = (struct core_part){start, end};
}

void moat_core_add(struct core *core, uintptr_t start, uintptr_t end)
{
    uintptr_t at = start;

    while (at < end && core->status == MOAT_OK) {
        size_t pages = readable_pages(core, at, end);

        if (pages > 0)
            at = next_page(at) + (pages - 1) * MOAT_PAGE_BYTES;
        if (pages == PROBES && at < end)
            continue;
        /* The piece ends here, or at a page that cannot be read. */
        if (start < at)
            push(core, start, at < end ? at : end);
        start = at = next_page(at);
    }
}

/* --- in order ------------------------------------------------------------ */

static void swap(struct core_part *a, struct core_part *b)
{
    struct core_part held = *a;

    *a = *b;
    *b = held;
}

/* Lets the part at the root of a heap sink to its place. */
static void sink(struct core_part *parts, size_t root, size_t count)
{
    size_t child;

    while ((child = 2 * root + 1) < count) {
        if (child + 1 < count && parts[child].start < parts[child + 1].start)
            child++;
        if (parts[root].start >= parts[child].start)
            return;
        swap(&parts[root], &parts[child]);
        root = child;
    }
}

/* Not qsort, which may take the heap. */
static void sort(struct core_part *parts, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sink(parts, i, count);
    while (count-- > 1) {
        swap(&parts[0], &parts[count]);
        sink(parts, 0, count);
    }
}

/* Does a piece from `start` on continue the one before? Not where a page
 * begins: a tool looks for the header of a file at the start of a part. */
static bool continues(const struct core_part *last, uintptr_t start)
{
    /* What lies between on one page can be read as well. */
    return start < last->end ||
           (start % MOAT_PAGE_BYTES != 0 && start - last->end < GAP_BYTES);
}

void moat_core_sort(struct core *core)
{
    size_t count = 0;

    sort(core->parts, core->part_count);
    for (size_t i = 0; i < core->part_count; i++) {
        const struct core_part *part = &core->parts[i];
        struct core_part *last = core->parts + count - 1;

        if (count == 0 || !continues(last, part->start))
            core->parts[count++] = *part;
        else if (last->end < part->end)
            last->end = part->end;
    }
    core->part_count = count;
}

bool moat_core_read(struct core *core, uintptr_t from, void *to, size_t bytes)
{
    unsigned char *at = to;
    bool any = false;

    while (bytes > 0) {
        struct iovec local = {at, bytes};
        struct iovec remote = {(void *)from, bytes};
        size_t done = copy(core, &local, &remote, 1);

        any |= done > 0;
        if (done == 0) {
            done = next_page(from) - from;
            done = done < bytes ? done : bytes;
            memset(at, 0, done);
        }
        at += done;
        from += done;
        bytes -= done;
    }
    return any;
}
