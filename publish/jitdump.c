/*
 * jitdump.c: a record for each code in DIR/jit-PID.dump, if the environment's
 * MOAT_JITDUMP is DIR (in Linux' sources:
 * tools/perf/Documentation/jitdump-specification.txt).
 *
 * The times are those of CLOCK_MONOTONIC, as perf record -k mono has them.
 * perf record notes the file when a page of it is mapped as if it were code.
 *
 * The file is an aid: what cannot be written is left out. The code's memory is
 * read by the kernel, which does not fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/jitdump.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arch/values.h"
#include "publish/perf_file.h"
#include "sys/clock.h"

#define MAGIC   UINT32_C(0x4a695444)
#define VERSION UINT32_C(1)

enum { CODE_LOAD = 0, CODE_DEBUG_INFO = 2 };

struct file_header {
    uint32_t magic, version, bytes, machine, zero, process;
    uint64_t time, flags;
};

struct record_header {
    uint32_t kind, bytes;
    uint64_t time;
};

struct code_load {
    struct record_header header;
    uint32_t process, thread;
    uint64_t address, code, size, number;
    /* the name, and the code's bytes */
};

struct code_debug_info {
    struct record_header header;
    uint64_t code, lines;
};

struct debug_line {
    uint64_t address;
    uint32_t line, column;
    /* the file's name */
};

/* Of the file that is open. */
static struct {
    int file;
    uint32_t process;
    uint64_t number, end;
} dump;

/* On failure the end stays where it was: a part that was written is overwritten
 * later, or dropped by truncate_to. */
static bool append(const struct iovec *parts, int count)
{
    size_t bytes = 0;

    for (int i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    if (pwritev(dump.file, parts, count, (off_t)dump.end) != (ssize_t)bytes)
        return false;
    dump.end += bytes;
    return true;
}

static void truncate_to(uint64_t end)
{
    dump.end = end;
    (void)!ftruncate(dump.file, (off_t)end);
}

static struct iovec part(const void *from, size_t bytes)
{
    struct iovec made = {.iov_len = bytes};

    memcpy(&made.iov_base, &from, sizeof from);
    return made;
}

/* --- the file ------------------------------------------------------------ */

static bool begin_file(void)
{
    const struct file_header header = {
        .magic = MAGIC,
        .version = VERSION,
        .bytes = sizeof header,
        .machine = MOAT_ARCH_ELF_MACHINE,
        .process = dump.process,
        .time = moat_clock_ns(),
    };
    const struct iovec all = part(&header, sizeof header);

    dump.end = 0;
    /* The mapping stays: at its end perf would forget the file. */
    return append(&all, 1) && mmap(NULL, sizeof header, PROT_READ | PROT_EXEC,
                                   MAP_PRIVATE, dump.file, 0) != MAP_FAILED;
}

/* Any user may have put something there: what is not a new file is left
 * alone. */
static int open_dump(const char *folder, pid_t process)
{
    char path[PATH_MAX];

    if (*folder == '\0')
        return -1;
    (void)snprintf(path, sizeof path, "%s/jit-%ld.dump", folder, (long)process);
    dump.file =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    dump.process = (uint32_t)process;
    if (dump.file >= 0 && !begin_file()) {
        (void)close(dump.file);
        dump.file = -1;
    }
    return dump.file;
}

static struct moat_perf_file file = {.variable = "MOAT_JITDUMP",
                                     .open = open_dump};

/* --- records ------------------------------------------------------------- */

/* Lines that are written by one call. */
#define LINES ((size_t)32)

static bool put_some_lines(const moat_code *code, size_t first, size_t count)
{
    struct debug_line lines[LINES];
    struct iovec parts[2 * LINES];

    for (size_t i = 0; i < count; i++) {
        const moat_code_line *line = &code->lines[first + i];

        lines[i] = (struct debug_line){
            .address = (uintptr_t)code->start + line->offset,
            .line = line->line,
        };
        parts[2 * i] = part(&lines[i], sizeof lines[i]);
        parts[2 * i + 1] = part(code->file, strlen(code->file) + 1);
    }
    return append(parts, (int)(2 * count));
}

static bool put_lines_header(const moat_code *code, uint64_t time, size_t bytes)
{
    const struct code_debug_info record = {
        .header = {CODE_DEBUG_INFO, (uint32_t)bytes, time},
        .code = (uintptr_t)code->start,
        .lines = code->line_count,
    };
    const struct iovec all = part(&record, sizeof record);

    return append(&all, 1);
}

/* The record of the lines comes before that of the code. One that cannot be
 * written whole is left out. */
static void put_lines(const moat_code *code, uint64_t time)
{
    size_t entry = sizeof(struct debug_line) + strlen(code->file) + 1;
    size_t bytes = sizeof(struct code_debug_info) + code->line_count * entry;
    uint64_t begin = dump.end;
    bool whole = bytes <= UINT32_MAX && put_lines_header(code, time, bytes);

    for (size_t i = 0; whole && i < code->line_count; i += LINES) {
        size_t left = code->line_count - i;

        whole = put_some_lines(code, i, left < LINES ? left : LINES);
    }
    if (!whole)
        truncate_to(begin);
}

static bool put_code(const moat_code *code, uint64_t time)
{
    size_t name_bytes = strlen(code->name) + 1;
    size_t bytes = sizeof(struct code_load) + name_bytes + code->size;
    const struct code_load record = {
        .header = {CODE_LOAD, (uint32_t)bytes, time},
        .process = dump.process,
        .thread = (uint32_t)gettid(),
        .address = (uintptr_t)code->start,
        .code = (uintptr_t)code->start,
        .size = code->size,
        .number = dump.number,
    };
    const struct iovec all[] = {part(&record, sizeof record),
                                part(code->name, name_bytes),
                                part(code->start, code->size)};

    dump.number++;
    return append(all, 3);
}

void moat_jitdump_add(const moat_code *code)
{
    uint64_t time, end;

    if (code->name == NULL || code->size > UINT32_MAX / 2 ||
        moat_perf_file(&file) < 0)
        return;
    time = moat_clock_ns();
    end = dump.end;
    if (code->line_count > 0)
        put_lines(code, time);
    if (!put_code(code, time))
        truncate_to(end);
}
