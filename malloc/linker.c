/*
 * linker.c: functions of the dynamic linker.
 *
 * Three of them depend on who calls: RTLD_NEXT, RTLD_DEFAULT and the search
 * path begin there. For the host they are left by a jump, which keeps the
 * return address (this file is compiled so that it is one). For a guest the
 * caller is this library.
 *
 * What is loaded is bound at once: a guest's first call of a function would
 * otherwise enter the dynamic linker on the guest's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <string.h>

#include <moat/moat.h>

#include "malloc/handle.h"
#include "malloc/wrap.h"

/* Namespaces that glibc has room for. */
#define SPACES 16

/* --- those that depend on the caller -------------------------------------- */

struct dlsym_call {
    struct moat_libc_call call;
    void *handle;
    const char *name;
    void *out;
};

static __attribute__((noinline)) void *(*real_dlsym(void))(void *, const char *)
{
    MOAT_REAL real = {"dlsym", NULL};
    void *(*function)(void *, const char *);

    moat_real_get(&real, &function);
    return function;
}

static void dlsym_run(struct moat_libc_call *call)
{
    struct dlsym_call *each = (struct dlsym_call *)call;

    each->out = real_dlsym()(each->handle, each->name);
}

static __attribute__((noinline)) void *dlsym_for_guest(void *handle,
                                                       const char *name)
{
    struct dlsym_call each = {{.run = dlsym_run}, handle, name, NULL};

    if (handle != RTLD_DEFAULT && handle != RTLD_NEXT)
        moat_handle_check(handle);
    (void)moat_touch_text(name);
    moat_libc_call(&each.call);
    return each.out;
}

MOAT_API void *dlsym(void *handle, const char *name)
{
    if (moat_malloc_on_host())
        return real_dlsym()(handle, name);
    return dlsym_for_guest(handle, name);
}

/* The dynamic linker copies a name to the stack, which is the host's. A guest's
 * name that is too long for any file is shortened, but stays too long, so the
 * error is the same. */
static const char *shortened(const char *file, char cut[PATH_MAX + 1])
{
    if (file == NULL || moat_touch_text(file) < PATH_MAX)
        return file;
    memcpy(cut, file, PATH_MAX);
    cut[PATH_MAX] = '\0';
    return cut;
}

struct dlopen_call {
    struct moat_libc_call call;
    Lmid_t space;
    const char *file;
    int flags;
    void *out;
};

static int bound_at_once(int flags)
{
    return (flags & RTLD_LAZY) != 0 ? (flags & ~RTLD_LAZY) | RTLD_NOW : flags;
}

static __attribute__((noinline)) void *(*real_dlopen(void))(const char *, int)
{
    MOAT_REAL real = {"dlopen", NULL};
    void *(*function)(const char *, int);

    moat_real_get(&real, &function);
    return function;
}

static void dlopen_run(struct moat_libc_call *call)
{
    struct dlopen_call *each = (struct dlopen_call *)call;

    each->out = real_dlopen()(each->file, each->flags);
}

static __attribute__((noinline)) void *dlopen_for_guest(const char *file,
                                                        int flags)
{
    struct dlopen_call each = {{.run = dlopen_run}, 0, file, flags, NULL};

    char cut[PATH_MAX + 1];

    each.file = shortened(file, cut);
    moat_libc_call(&each.call);
    return each.out;
}

MOAT_API void *dlopen(const char *file, int flags)
{
    if (moat_malloc_on_host())
        return real_dlopen()(file, bound_at_once(flags));
    return dlopen_for_guest(file, bound_at_once(flags));
}

static __attribute__((noinline)) void *(*real_dlmopen(void))(Lmid_t,
                                                             const char *, int)
{
    MOAT_REAL real = {"dlmopen", NULL};
    void *(*function)(Lmid_t, const char *, int);

    moat_real_get(&real, &function);
    return function;
}

static void dlmopen_run(struct moat_libc_call *call)
{
    struct dlopen_call *each = (struct dlopen_call *)call;

    each->out = real_dlmopen()(each->space, each->file, each->flags);
}

static __attribute__((noinline)) void *
dlmopen_for_guest(Lmid_t space, const char *file, int flags)
{
    struct dlopen_call each = {{.run = dlmopen_run}, space, file, flags, NULL};

    /* glibc looks it up in a table, and does not check the index. */
    if (space < LM_ID_NEWLM || space >= SPACES)
        moat_trap_raise_as(MOAT_TRAP_MEMORY, 0);
    char cut[PATH_MAX + 1];

    each.file = shortened(file, cut);
    moat_libc_call(&each.call);
    return each.out;
}

MOAT_API void *dlmopen(Lmid_t space, const char *file, int flags)
{
    if (moat_malloc_on_host())
        return real_dlmopen()(space, file, bound_at_once(flags));
    return dlmopen_for_guest(space, file, bound_at_once(flags));
}

/* --- the others ------------------------------------------------------------
 */

/* clang-format off */

WRAP_1(int, dlclose, moat_handle_check(a), void *)
WRAP_0(char *, dlerror, NOTHING)
WRAP_2(int, dladdr, OUT(b), const void *, Dl_info *)
WRAP_4(int, dladdr1, OUT(b); if (d != 0) NULL_OR(OUT, c), const void *,
       Dl_info *, void **, int)
WRAP_3(int, dlinfo,
       moat_handle_check(a);
       OUT_N(c, b == RTLD_DI_ORIGIN ? 1 : sizeof(void *)), void *, int, void *)

/* clang-format on */

/* --- each file that is loaded ----------------------------------------------
 *
 * A guest's callback runs on the guest's stack, after the lock was given back:
 * one call of the host's for each file. */

typedef int visit_function(struct dl_phdr_info *info, size_t bytes, void *arg);

static int visit_real(visit_function *visit, void *arg)
{
    MOAT_REAL real = {"dl_iterate_phdr", NULL};
    int (*function)(visit_function *, void *);

    moat_real_get(&real, &function);
    return function(visit, arg);
}

struct find_call {
    struct moat_libc_call call;
    struct dl_phdr_info info;
    size_t bytes;
    size_t skip; /* files before the one to find */
    int found;
};

static int find_one(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct find_call *find = arg;

    if (find->skip != 0) {
        find->skip--;
        return 0;
    }
    find->bytes = bytes < sizeof find->info ? bytes : sizeof find->info;
    memcpy(&find->info, info, find->bytes);
    return 1;
}

static void find_run(struct moat_libc_call *call)
{
    struct find_call *find = (struct find_call *)call;

    find->found = visit_real(find_one, find);
}

MOAT_API int dl_iterate_phdr(visit_function *visit, void *arg)
{
    int result = 0;

    if (moat_malloc_on_host())
        return visit_real(visit, arg);
    for (size_t i = 0; result == 0; i++) {
        struct find_call find = {.call = {.run = find_run}, .skip = i};

        moat_libc_call(&find.call);
        if (find.found == 0)
            break;
        result = visit(&find.info, find.bytes, arg);
    }
    return result;
}
