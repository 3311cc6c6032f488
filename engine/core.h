/*
 * core.h: a core file of one guest while it is made. Shared by post_mortem.c
 * (the file), core_parts.c (what of the memory goes in) and core_memory.c (how
 * it is read), which call each other in this order; and maps.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_CORE_H
#define MOAT_ENGINE_CORE_H

#include "engine/internal.h"

/* Bounds, for a file of a size that can be told. Fewer parts than an ELF file
 * can count without a section; of a module's data, of a stack that is not a
 * coroutine's, and of all other coroutines' stacks together so much. */
#define CORE_PARTS_MAX   ((size_t)65000)
#define CORE_FILES_MAX   ((size_t)16384)
#define CORE_NAMES_BYTES ((size_t)2 << 20)
#define CORE_MAP_BYTES   ((uintptr_t)64 << 20)
#define CORE_OTHER_BYTES ((size_t)64 << 20)

/* A piece of memory that goes in. */
struct core_part {
    uintptr_t start, end;
};

/* NT_FILE's words of a mapping. */
struct core_file {
    uintptr_t start, end, page; /* of the file, in pages */
};

/* A mapping of its own, as a report is: the heap may be out of bounds. */
struct core {
    const struct co *co;
    int fd;
    pid_t pid;
    uintptr_t from_sp; /* of the caller, on its own stack              */
    moat_co control;   /* the guest's record as the file has it        */
    moat_status status;
    size_t part_count;
    size_t other_bytes; /* of other coroutines' stacks, so far          */
    size_t file_count, names_used;
    size_t auxv_bytes, used;
    struct core_part parts[CORE_PARTS_MAX];
    struct core_file files[CORE_FILES_MAX];
    char names[CORE_NAMES_BYTES]; /* one for each file, each with its 0 */
    char auxv[4096];
    char maps[(size_t)64 << 10]; /* text of /proc/self/maps              */
    unsigned char buffer[(size_t)256 << 10]; /* what is yet to be written */
};

/* --- core_parts.c -------------------------------------------------------- */

/* Lists everything that goes in. */
void moat_core_collect(struct core *core);

/* --- core_memory.c ------------------------------------------------------- */

/* What of [start, end) can be read goes in. */
void moat_core_add(struct core *core, uintptr_t start, uintptr_t end);

/* Is there room for no further part? */
static inline bool moat_core_is_full(const struct core *core)
{
    return core->part_count == CORE_PARTS_MAX || core->status != MOAT_OK;
}

/* Puts the parts in order, and makes one of those that meet. */
void moat_core_sort(struct core *core);

/* Copies memory as it is now, which other threads may be changing. What cannot
 * be read is zero; false: that was all of it. */
bool moat_core_read(struct core *core, uintptr_t from, void *to, size_t bytes);

/* --- maps.c -------------------------------------------------------------- */

/* A line of /proc/self/maps. */
struct core_map {
    uintptr_t start, end;
    uintptr_t offset;
    bool readable, writable, executable, private;
    const char *path; /* "": anonymous; valid until the next line */
};

/* Shows each mapping to `see`, upwards. MOAT_E_SYSTEM: errno says why. */
moat_status moat_maps_visit(char *buffer, size_t size,
                            void (*see)(const struct core_map *, void *),
                            void *arg);

/* Reads a whole small file of /proc: as much as there is room for. */
moat_status moat_proc_read(const char *path, char *buffer, size_t size,
                           size_t *bytes);

#endif
