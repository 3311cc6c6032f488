/*
 * residue.c: replaces the functions by which guests acquire resources, and
 * lists these to release them later; reads the rest from /proc.
 *
 * SPDX-License-Identifier: MIT
 */
#include "residue.h"

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

#include "descriptors.h"
#include "objects.h"

#define MAX_MAPPINGS 4096
#define MAX_KEYS     1024

struct mapping {
    uintptr_t start, end;
};

/* Of the current run, in no particular order. */
static struct mapping mappings[MAX_MAPPINGS];
static size_t mapping_count;
static bool mappings_lost; /* there were more than the table holds */

static struct {
    pthread_key_t key;
    void *value; /* of a key made by the set-up */
} keys[MAX_KEYS];
static size_t key_count, keys_of_setup;

/* The state between two runs. */
static bool open_before[DESCRIPTORS_MAX];
static const void *streams_before;
static unsigned long threads_before;
static unsigned long long loaded_before;
static sigset_t mask_before;

/* ---- Mappings --------------------------------------------------------------
 */

static void add_mapping(uintptr_t start, uintptr_t end)
{
    if (mapping_count == MAX_MAPPINGS) {
        mappings_lost = true;
        return;
    }
    mappings[mapping_count].start = start;
    mappings[mapping_count++].end = end;
}

/* Removes the range from all mappings, keeping the parts around it. */
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

/* Runs on the resumer's stack, because a guest stopped here would leave half an
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

/* ---- Keys ------------------------------------------------------------------
 */

int pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
    static int (*create)(pthread_key_t *, void (*)(void *));
    int error;

    if (create == NULL)
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_key_create");
    error = create(key, destroy);
    if (error == 0 && key_count < MAX_KEYS)
        keys[key_count++].key = *key;
    return error;
}

/* The name under which libstdc++ calls it. */
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

static void clear_descriptors(void)
{
    bool open_now[DESCRIPTORS_MAX] = {false};

    (void)descriptors_list(open_now);
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        if (open_now[fd] && !open_before[fd])
            (void)close(fd);
    }
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
    (void)descriptors_list(open_before);
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
