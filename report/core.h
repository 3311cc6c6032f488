/*
 * core.h: a core file of one guest while it is made: shared by post_mortem.c,
 * which writes its head, core_parts.c, which selects memory, core_output.c,
 * which writes it, and core_memory.c, which reads it. Each calls only the ones
 * after it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_CORE_H
#define MOAT_ENGINE_CORE_H

#include <moat/moat.h>

#include "engine/coroutine.h"
#include "sys/pagemap.h"

/* Bounds that keep the file's size predictable: the number of parts, fewer than
 * an ELF file can count without a section; bytes of a module's data, or of a
 * stack that is not a coroutine's; bytes of all other coroutines' stacks. */
#define CORE_PARTS_MAX   ((size_t)65000)
#define CORE_FILES_MAX   ((size_t)16384)
#define CORE_NAMES_BYTES ((size_t)2 << 20)
#define CORE_MAP_BYTES   ((uintptr_t)64 << 20)
#define CORE_OTHER_BYTES ((size_t)64 << 20)

/* Pages asked for in one call. */
#define CORE_PROBES MOAT_MEMORY_PARTS

/* A range of memory in the file. */
struct core_part {
    uintptr_t start, end;
    bool sparse; /* pages without contents are zeros, and are not read */
};

/* A mapping as NT_FILE describes it. */
struct core_file {
    uintptr_t start, end, page; /* of the file, in pages */
};

/* Lies in a mapping of its own: the heap may be unusable. */
struct core {
    const struct co *co;
    int fd;
    int pagemap;      /* -1: there is none                            */
    bool takes_holes; /* zeros of the file may be skipped             */
    bool in_hole;     /* the file does not yet reach to what was put  */
    pid_t pid;
    uintptr_t from_sp; /* of the caller, on its own stack              */
    moat_co control;   /* the guest's record as the file has it        */
    moat_status status;
    size_t part_count;
    size_t other_bytes; /* of other coroutines' stacks, so far          */
    size_t file_count, names_used;
    size_t auxv_bytes, used;
    struct moat_memory_part probes[CORE_PROBES]; /* scratch             */
    unsigned char probed[CORE_PROBES];
    struct core_part parts[CORE_PARTS_MAX];
    struct core_file files[CORE_FILES_MAX];
    char names[CORE_NAMES_BYTES]; /* one for each file, each with its 0 */
    char auxv[(size_t)4 << 10];
    char maps[(size_t)64 << 10]; /* text of /proc/self/maps              */
    unsigned char buffer[(size_t)256 << 10]; /* what is yet to be written */
};

/* --- core_parts.c -------------------------------------------------------- */

/* Lists everything that goes in. */
void moat_core_collect(struct core *core);

/* --- core_memory.c ------------------------------------------------------- */

/* Adds the readable parts of [start, end). */
void moat_core_add(struct core *core, uintptr_t start, uintptr_t end);

/* Adds those of memory of this process alone that no file is behind. Pages that
 * were never touched stay so: they count as readable. */
void moat_core_add_private(struct core *core, uintptr_t start, uintptr_t end);

/* Shows the runs of pages in [low, high) that have contents. False: it is not
 * known which have. */
bool moat_core_visit_contents(struct core *core, uintptr_t low, uintptr_t high,
                              moat_run_visitor *visit, void *arg);

/* Returns whether there is room for no further part. */
static inline bool moat_core_is_full(const struct core *core)
{
    return core->part_count == CORE_PARTS_MAX || core->status != MOAT_OK;
}

/* Sorts the parts and merges those that touch. */
void moat_core_sort(struct core *core);

/* Copies memory, which other threads may be changing. Unreadable bytes become
 * zero; returns false if all of them were unreadable. */
bool moat_core_read(struct core *core, uintptr_t from, void *to, size_t bytes);

#endif
