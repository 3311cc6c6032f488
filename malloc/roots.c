/*
 * roots.c: where libraries keep pointers to blocks that outlive a guest: in
 * their variables, in those of the thread, and in blocks of the host's.
 *
 * Of the C library's heap only the part is shown that grows by brk, which the
 * main thread uses. It is left out if it is large, so that a search ends soon.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/roots.h"

#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "malloc/next.h"
#include "malloc/policy.h"
#include "malloc/take.h"

/* From the thread pointer: glibc's record of a thread, with the values of its
 * keys (pthread_setspecific). It has 2304 bytes in 2.36. */
#define THREAD_BYTES ((size_t)2304)

/* Of a heap that is shown. */
#define HEAP_MOST ((size_t)16 << 20)

static uintptr_t heap_begin;

/* This library's own have handles of guests that have ended. */
static bool is_own(const struct dl_phdr_info *info, const ElfW(Phdr) * part)
{
    return (uintptr_t)&heap_begin - (info->dlpi_addr + part->p_vaddr) <
           part->p_memsz;
}

static int show_file(struct dl_phdr_info *info, size_t size, void *arg)
{
    const moat_heap_scan *scan = arg;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) != 0 &&
            !is_own(info, part))
            (*scan)((const void *)(info->dlpi_addr + part->p_vaddr),
                    part->p_memsz);
        if (part->p_type == PT_TLS && info->dlpi_tls_data != NULL)
            (*scan)(info->dlpi_tls_data, part->p_memsz);
    }
    return 0;
}

static void show_files(moat_heap_scan scan)
{
    REAL(int, dl_iterate_phdr, int (*)(struct dl_phdr_info *, size_t, void *),
         void *);

    (void)function(show_file, &scan);
}

static void show_heap(moat_heap_scan scan)
{
    uintptr_t end;

    if (heap_begin == 0 || !moat_next.is_glibc)
        return;
    end = (uintptr_t)moat_next.sbrk(0);
    if (end - heap_begin <= HEAP_MOST)
        scan((const void *)heap_begin, end - heap_begin);
}

void moat_malloc_roots(moat_heap_scan scan)
{
    show_files(scan);
    scan((const void *)pthread_self(), THREAD_BYTES);
    show_heap(scan);
}

/* ---- The beginning of the heap ------------------------------------------- */

/* Fields of /proc/self/stat (proc(5)), counted from that after the name. */
#define START_BRK (47 - 3)

static uintptr_t parse(const char *text)
{
    const char *at = strrchr(text, ')');

    at = at != NULL ? at + 1 : "";
    for (int i = 0; i < START_BRK && at != NULL; i++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoul(at, NULL, 10) : 0;
}

__attribute__((constructor)) static void find_heap(void)
{
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    char text[1024] = "";

    if (file < 0)
        return;
    if (read(file, text, sizeof text - 1) > 0)
        heap_begin = parse(text);
    (void)close(file);
}
