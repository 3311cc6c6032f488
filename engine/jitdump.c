/*
 * jitdump.c: registered code as perf inject reads it (in Linux' sources:
 * tools/perf/Documentation/jitdump-specification.txt): with its bytes and its
 * lines, in DIR/jit-PID.dump, if the environment's MOAT_JITDUMP is DIR.
 *
 * perf record notes the file when a page of it is mapped as if it were code.
 *
 * The file is an aid: what cannot be written is left out. The code's memory is
 * read by the kernel, which does not fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "engine/internal.h"

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

/* Under the lock of code.c. */
static struct {
    int file;
    pid_t writer; /* whose file it is; 0: none was opened yet */
    uint64_t number, end;
} dump = {.file = -1};

/* Asked for once, at the first registration. */
static const char *folder;
static atomic_int wanted; /* 0: not asked yet; 1: yes; -1: no */

static bool is_wanted(void)
{
    const char *asked;

    if (atomic_load(&wanted) == 0) {
        asked = secure_getenv("MOAT_JITDUMP");
        folder = asked != NULL ? strdup(asked) : NULL;
        atomic_store(&wanted, folder != NULL && *folder != '\0' ? 1 : -1);
    }
    return atomic_load(&wanted) > 0;
}

/* As perf record -k mono counts. */
static uint64_t now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* All or nothing: cut_to takes back what is there of a part. */
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

static void cut_to(uint64_t end)
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
        .machine = EM_X86_64,
        .process = (uint32_t)dump.writer,
        .time = now(),
    };
    const struct iovec all = part(&header, sizeof header);

    dump.end = 0;
    /* Stays: at the mapping's end perf would forget the file. */
    return append(&all, 1) && mmap(NULL, sizeof header, PROT_READ | PROT_EXEC,
                                   MAP_PRIVATE, dump.file, 0) != MAP_FAILED;
}

/* Anybody may have put something in its place: what is not a new file is left
 * alone. A forked child has a file of its own. */
static void open_dump(void)
{
    char path[4096];

    if (dump.writer == getpid())
        return;
    if (dump.file >= 0)
        (void)close(dump.file);
    dump.writer = getpid();
    (void)snprintf(path, sizeof path, "%s/jit-%ld.dump", folder,
                   (long)dump.writer);
    dump.file =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (dump.file >= 0 && !begin_file()) {
        (void)close(dump.file);
        dump.file = -1;
    }
}

/* --- records ------------------------------------------------------------- */

/* Stands before the code's own record. */
static void put_lines(const moat_code *code, uint64_t time)
{
    size_t name_bytes = strlen(code->file) + 1;
    size_t entry = sizeof(struct debug_line) + name_bytes;
    size_t bytes = sizeof(struct code_debug_info) + code->line_count * entry;
    struct code_debug_info *record;
    char *to;
    struct iovec all;

    if (bytes > UINT32_MAX)
        return;
    record = calloc(1, bytes);
    if (record == NULL)
        return;
    record->header.kind = CODE_DEBUG_INFO;
    record->header.bytes = (uint32_t)bytes;
    record->header.time = time;
    record->code = (uintptr_t)code->start;
    record->lines = code->line_count;
    to = (char *)(record + 1);
    for (size_t i = 0; i < code->line_count; i++, to += entry) {
        const struct debug_line line = {.address = (uintptr_t)code->start +
                                                   code->lines[i].offset,
                                        .line = code->lines[i].line};

        memcpy(to, &line, sizeof line);
        memcpy(to + sizeof line, code->file, name_bytes);
    }
    all = part(record, bytes);
    (void)append(&all, 1);
    free(record);
}

static bool put_code(const moat_code *code, uint64_t time)
{
    size_t name_bytes = strlen(code->name) + 1;
    size_t bytes = sizeof(struct code_load) + name_bytes + code->size;
    const struct code_load record = {
        .header = {CODE_LOAD, (uint32_t)bytes, time},
        .process = (uint32_t)dump.writer,
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

    if (code->name == NULL || code->size > UINT32_MAX / 2 || !is_wanted())
        return;
    open_dump();
    if (dump.file < 0)
        return;
    time = now();
    end = dump.end;
    if (code->line_count > 0)
        put_lines(code, time);
    if (!put_code(code, time))
        cut_to(end);
}
