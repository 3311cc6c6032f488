/*
 * residue.c: the functions by which guests get what must be taken back are
 * replaced and keep lists; the rest is asked of /proc.
 *
 * SPDX-License-Identifier: MIT
 */
#include "residue.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "objects.h"

#define MOST_MAPPINGS 4096
#define MOST_KEYS     1024
#define MOST_FILES    1024

struct mapping {
    uintptr_t start, end;
};

/* Of the current run; in no order. */
static struct mapping mappings[MOST_MAPPINGS];
static size_t mapping_count;
static bool mappings_lost; /* more than the table holds */

static struct {
    pthread_key_t key;
    void *value; /* of a key that the set-up made */
} keys[MOST_KEYS];
static size_t key_count, keys_of_setup;

/* How things stood between two runs. */
static bool open_before[MOST_FILES];
static const void *streams_before;
static unsigned long threads_before;
static unsigned long long loaded_before;
static sigset_t mask_before;

/* ---- Mappings ---------------------------------------------------------------
 */

static void add_mapping(uintptr_t start, uintptr_t end)
{
    if (mapping_count == MOST_MAPPINGS) {
        mappings_lost = true;
        return;
    }
    mappings[mapping_count].start = start;
    mappings[mapping_count++].end = end;
}

/* The range belongs to no mapping any more: what lies around it still does. */
static void drop_range(uintptr_t start, uintptr_t end)
{
    for (size_t i = mapping_count; i-- > 0;) {
        struct mapping old = mappings[i];

        if (old.end <= start || old.start >= end)
            continue;
        mappings[i] = mappings[--mapping_count];
        if (old.start < start)
            add_mapping(old.start, start);
        if (old.end > end)
            add_mapping(end, old.end);
    }
}

struct map_call {
    long number;
    void *at;
    size_t bytes, new_bytes;
    int protection, flags, fd;
    off_t offset;
    void *to;
    int error;
};

/* Runs on the resumer's stack: a guest that is cut here would leave half an
 * entry. */
static void *perform(void *arg)
{
    struct map_call *call = arg;
    uintptr_t start = (uintptr_t)call->at;
    long result;

    if (call->number == SYS_mmap)
        result = syscall(SYS_mmap, call->at, call->bytes, call->protection,
                         call->flags, call->fd, call->offset);
    else if (call->number == SYS_munmap)
        result = syscall(SYS_munmap, call->at, call->bytes);
    else
        result = syscall(SYS_mremap, call->at, call->bytes, call->new_bytes,
                         call->flags, call->to);
    call->error = errno;
    if (result == -1)
        return MAP_FAILED;
    if (call->number != SYS_mmap)
        drop_range(start, (start + call->bytes + 0xfff) & ~(uintptr_t)0xfff);
    if (call->number != SYS_munmap) {
        size_t bytes = call->number == SYS_mmap ? call->bytes : call->new_bytes;

        add_mapping((uintptr_t)result,
                    ((uintptr_t)result + bytes + 0xfff) & ~(uintptr_t)0xfff);
    }
    return (void *)result;
}

static void *map_for_guest(struct map_call *call)
{
    void *result = moat_call_on_parent(moat_co_current(), perform, call);

    if (result == MAP_FAILED)
        errno = call->error;
    return result;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd,
           off_t offset)
{
    struct map_call call = {.number = SYS_mmap,
                            .at = at,
                            .bytes = bytes,
                            .protection = protection,
                            .flags = flags,
                            .fd = fd,
                            .offset = offset};

    if (moat_co_current() == NULL)
        return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd,
                               offset);
    return map_for_guest(&call);
}

void *mmap64(void *at, size_t bytes, int protection, int flags, int fd,
             off_t offset) __attribute__((alias("mmap")));

int munmap(void *at, size_t bytes)
{
    struct map_call call = {.number = SYS_munmap, .at = at, .bytes = bytes};

    if (moat_co_current() == NULL)
        return (int)syscall(SYS_munmap, at, bytes);
    return map_for_guest(&call) == MAP_FAILED ? -1 : 0;
}

void *mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...)
{
    struct map_call call = {.number = SYS_mremap,
                            .at = at,
                            .bytes = bytes,
                            .new_bytes = new_bytes,
                            .flags = flags};
    va_list more;

    va_start(more, flags);
    if ((flags & MREMAP_FIXED) != 0)
        call.to = va_arg(more, void *);
    va_end(more);
    if (moat_co_current() == NULL)
        return (void *)syscall(SYS_mremap, at, bytes, new_bytes, flags,
                               call.to);
    return map_for_guest(&call);
}

static bool clear_mappings(void)
{
    bool all = !mappings_lost;

    while (mapping_count > 0) {
        const struct mapping *last = &mappings[--mapping_count];

        (void)syscall(SYS_munmap, last->start, last->end - last->start);
    }
    mappings_lost = false;
    return all;
}

/* ---- Keys -------------------------------------------------------------------
 */

int pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    static int (*create)(pthread_key_t *, void (*)(void *));
    int error;

    if (create == NULL)
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_key_create");
    error = create(key, destroy);
    if (error == 0 && key_count < MOST_KEYS)
        keys[key_count++].key = *key;
    return error;
}

/* The name that libstdc++ calls it by. */
int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *));

int __pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    return pthread_key_create(key, destroy);
}

static void clear_keys(void)
{
    while (key_count > keys_of_setup)
        (void)pthread_key_delete(keys[--key_count].key);
    for (size_t i = 0; i < key_count; i++) {
        if (pthread_getspecific(keys[i].key) != keys[i].value)
            (void)pthread_setspecific(keys[i].key, keys[i].value);
    }
}

/* ---- Descriptors, streams, threads -----------------------------------------
 */

/* Sets `open[fd]` for each that is; gives how many. */
static int list_descriptors(bool *open_now)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    int count = 0;

    if (directory == NULL)
        return -1;
    while ((entry = readdir(directory)) != NULL) {
        long fd =
            entry->d_name[0] == '.' ? -1 : strtol(entry->d_name, NULL, 10);

        if (fd < 0 || fd >= MOST_FILES || fd == dirfd(directory))
            continue;
        open_now[fd] = true;
        count++;
    }
    (void)closedir(directory);
    return count;
}

static void clear_descriptors(void)
{
    bool open_now[MOST_FILES] = {false};

    (void)list_descriptors(open_now);
    for (int fd = 0; fd < MOST_FILES; fd++) {
        if (open_now[fd] && !open_before[fd])
            (void)close(fd);
    }
}

int residue_descriptors(void)
{
    bool open_now[MOST_FILES] = {false};

    return list_descriptors(open_now);
}

/* The C library's list of open streams begins with the newest. */
extern const void *_IO_list_all;

static unsigned long count_threads(void)
{
    struct stat tasks;

    return stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink : 0;
}

void residue_keep(void)
{
    (void)list_descriptors(open_before);
    streams_before = _IO_list_all;
    threads_before = count_threads();
    loaded_before = objects_loaded();
    keys_of_setup = key_count;
    for (size_t i = 0; i < key_count; i++)
        keys[i].value = pthread_getspecific(keys[i].key);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask_before);
}

const char *residue_clear(void)
{
    (void)pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
    clear_keys();
    if (!clear_mappings())
        return "mappings";
    if (_IO_list_all != streams_before)
        return "open stream";
    clear_descriptors();
    if (count_threads() != threads_before)
        return "thread";
    if (objects_loaded() != loaded_before)
        return "loaded library";
    if (moat_engine_check() != MOAT_OK)
        return "signal handler";
    return NULL;
}
