/*
 * real.c: the C library's own functions, which those of the same names here
 * call.
 *
 * dlsym is one of them, so dlvsym finds it, which this library does not
 * replace.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/real.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/owner.h"

typedef void *find_function(void *handle, const char *name);

static _Atomic(find_function *) found;

static void put(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static _Noreturn void give_up(const char *name)
{
    put("moat-malloc: no other library has the function ");
    put(name);
    put("\n");
    abort();
}

/* The version since which it is the C library's, and the first one. */
static find_function *find_dlsym(void)
{
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.2.5"};
    void *symbol = NULL;
    find_function *find;

    for (size_t i = 0; symbol == NULL && i < 2; i++)
        symbol = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    if (symbol == NULL)
        give_up("dlsym");
    memcpy(&find, &symbol, sizeof find);
    return find;
}

/* Returns NULL if there is none. Two threads that search at once find the same.
 */
static void *search(const char *name)
{
    find_function *find = atomic_load(&found);

    if (find == NULL) {
        find = find_dlsym();
        atomic_store(&found, find);
    }
    return find(RTLD_NEXT, name);
}

/* All of them, one after the other: by the linker. */
extern struct moat_real __start_moat_reals[]
    __attribute__((visibility("hidden")));
extern struct moat_real __stop_moat_reals[]
    __attribute__((visibility("hidden")));

/* Another version of the C library may lack a function, which is then never
 * called. The failed search leaves an error text, which is dropped. */
__attribute__((constructor)) static void search_all(void)
{
    char *(*forget)(void);
    void *symbol = search("dlerror");

    for (struct moat_real *real = __start_moat_reals; real < __stop_moat_reals;
         real++)
        atomic_store(&real->address, search(real->name));
    memcpy(&forget, &symbol, sizeof forget);
    if (symbol != NULL)
        (void)forget();
}

/* Called by a constructor that runs before this library's. */
static void *search_as_host(void *arg)
{
    struct moat_real *real = arg;
    void *symbol = search(real->name);

    if (symbol == NULL)
        give_up(real->name);
    atomic_store(&real->address, symbol);
    return real;
}

void moat_real_get(struct moat_real *real, void *out)
{
    void *address = atomic_load_explicit(&real->address, memory_order_relaxed);

    if (address == NULL) {
        if (moat_malloc_on_host())
            (void)search_as_host(real);
        else
            (void)moat_call_for_guest(moat_co_current(), search_as_host, NULL,
                                      real);
        address = atomic_load(&real->address);
    }
    memcpy(out, &address, sizeof address);
}
