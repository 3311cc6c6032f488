/*
 * lock_watch.c: the watched functions, and which locks this thread holds.
 *
 * The functions of the heap are passed on by glibc's second names for them,
 * since dlsym itself may use the heap.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lock_watch.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct span {
    uintptr_t begin, end;
};

static struct span library, spared;
static atomic_ulong calls, locks;

static __thread unsigned held __attribute__((tls_model("initial-exec")));

/* ---- What is where ---- */

struct search {
    uintptr_t address;
    const char *name;
    struct span *out;
};

static struct span span_of(const struct dl_phdr_info *info)
{
    struct span span = {UINTPTR_MAX, 0};

    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + part->p_vaddr;

        if (part->p_type != PT_LOAD)
            continue;
        if (begin < span.begin)
            span.begin = begin;
        if (begin + part->p_memsz > span.end)
            span.end = begin + part->p_memsz;
    }
    return span;
}

static bool is_in(uintptr_t address, const struct span *span)
{
    return address - span->begin < span->end - span->begin;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
    const struct search *search = arg;
    struct span span = span_of(info);
    bool found = search->name != NULL
                     ? strstr(info->dlpi_name, search->name) != NULL
                     : is_in(search->address, &span);

    (void)size;
    if (found)
        *search->out = span;
    return found;
}

void lock_watch_begin(const void *in_library)
{
    struct search search = {(uintptr_t)in_library, NULL, &library};

    (void)dl_iterate_phdr(look, &search);
}

void lock_watch_spare(const char *name)
{
    struct search search = {0, name, &spared};

    (void)dl_iterate_phdr(look, &search);
}

unsigned long lock_watch_calls(void)
{
    return atomic_load(&calls);
}

unsigned long lock_watch_locks(void)
{
    return atomic_load(&locks);
}

/* ---- Calls ---- */

static void put(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static void put_offset(uintptr_t offset)
{
    char digits[2 * sizeof offset + 2] = "";
    size_t at = sizeof digits - 2;

    digits[at] = '\n';
    do {
        digits[--at] = "0123456789abcdef"[offset % 16];
        offset /= 16;
    } while (offset != 0);
    put(&digits[at]);
}

static void see(const char *name, const void *caller)
{
    unsigned mine = held;

    if (mine == 0 || is_in((uintptr_t)caller, &spared))
        return;
    held = 0;
    atomic_fetch_add(&calls, 1);
    put("called under a lock: ");
    put(name);
    put(is_in((uintptr_t)caller, &library) ? ", from the library + "
                                           : ", from elsewhere + ");
    put_offset((uintptr_t)caller - library.begin);
    held = mine;
}

#define SEE(name) see(name, __builtin_return_address(0))

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    return found;
}

/* Looked up at the first call: no constructor may come first. */
#define PASS_ON(result, name, parameters, arguments)  \
    result name parameters;                           \
    result name parameters                            \
    {                                                 \
        static _Atomic(void *) real;                  \
        void *found = atomic_load(&real);             \
        result(*call) parameters;                     \
                                                      \
        SEE(#name);                                   \
        if (found == NULL)                            \
            atomic_store(&real, found = next(#name)); \
        memcpy(&call, &found, sizeof call);           \
        return call arguments;                        \
    }

/* ---- Locks ---- */

static void note(const volatile void *lock, int more)
{
    if (!is_in((uintptr_t)lock, &library))
        return;
    held += (unsigned)more;
    if (more > 0)
        atomic_fetch_add(&locks, 1);
}

#define LOCKS(name, type, more)                       \
    int name(type *lock);                             \
    int name(type *lock)                              \
    {                                                 \
        static _Atomic(void *) real;                  \
        void *found = atomic_load(&real);             \
        int (*call)(type *);                          \
        int error;                                    \
                                                      \
        if (found == NULL)                            \
            atomic_store(&real, found = next(#name)); \
        memcpy(&call, &found, sizeof call);           \
        error = call(lock);                           \
        if (error == 0)                               \
            note(lock, more);                         \
        return error;                                 \
    }

LOCKS(pthread_mutex_lock, pthread_mutex_t, 1)
LOCKS(pthread_mutex_trylock, pthread_mutex_t, 1)
LOCKS(pthread_mutex_unlock, pthread_mutex_t, -1)
LOCKS(pthread_rwlock_rdlock, pthread_rwlock_t, 1)
LOCKS(pthread_rwlock_wrlock, pthread_rwlock_t, 1)
LOCKS(pthread_rwlock_unlock, pthread_rwlock_t, -1)
LOCKS(pthread_spin_lock, pthread_spinlock_t, 1)
LOCKS(pthread_spin_unlock, pthread_spinlock_t, -1)

/* ---- The heap ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier): glibc's names */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);
/* NOLINTEND(bugprone-reserved-identifier) */

void *malloc(size_t bytes)
{
    SEE("malloc");
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    SEE("calloc");
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    SEE("realloc");
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    SEE("aligned_alloc");
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    SEE("posix_memalign");
    *out = __libc_memalign(alignment, bytes);
    return *out != NULL ? 0 : 12;
}

void free(void *memory)
{
    SEE("free");
    __libc_free(memory);
}

/* ---- The dynamic linker, threads, exit ---- */

PASS_ON(void *, dlopen, (const char *file, int mode), (file, mode))
PASS_ON(int, dlclose, (void *handle), (handle))
PASS_ON(int, dladdr, (const void *address, Dl_info *out), (address, out))
PASS_ON(char *, dlerror, (void), ())
PASS_ON(int, dl_iterate_phdr,
        (int (*visit)(struct dl_phdr_info *, size_t, void *), void *arg),
        (visit, arg))
PASS_ON(int, pthread_create,
        (pthread_t * thread, const pthread_attr_t *attributes,
         void *(*start)(void *), void *arg),
        (thread, attributes, start, arg))
PASS_ON(int, pthread_once, (pthread_once_t * once, void (*run)(void)),
        (once, run))
PASS_ON(int, pthread_getattr_np, (pthread_t thread, pthread_attr_t *attributes),
        (thread, attributes))

/* ---- stdio ---- */

PASS_ON(FILE *, fopen, (const char *path, const char *mode), (path, mode))
PASS_ON(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
PASS_ON(int, fclose, (FILE * stream), (stream))
PASS_ON(int, fflush, (FILE * stream), (stream))
PASS_ON(int, fputs, (const char *text, FILE *stream), (text, stream))
PASS_ON(int, puts, (const char *text), (text))
PASS_ON(char *, fgets, (char *to, int size, FILE *stream), (to, size, stream))
PASS_ON(size_t, fread, (void *to, size_t size, size_t count, FILE *stream),
        (to, size, count, stream))
PASS_ON(size_t, fwrite,
        (const void *from, size_t size, size_t count, FILE *stream),
        (from, size, count, stream))
PASS_ON(int, vfprintf, (FILE * stream, const char *format, va_list list),
        (stream, format, list))

int fprintf(FILE *stream, const char *format, ...)
{
    va_list list;
    int written;

    SEE("fprintf");
    va_start(list, format);
    written = vfprintf(stream, format, list);
    va_end(list);
    return written;
}
