/*
 * locale_object.c: locales that a guest makes.
 *
 * A guest that is stopped has not freed its locale, and the thread may be left
 * with it. The thread then gets back the one that it had. The locale itself
 * must not be freed: a library may keep it in a variable of its own, and it
 * lies in the host's memory. So it is left for good; but the next guest that
 * makes an equal one gets this one, so that there are never more of them than
 * were in use at once. One that is left is shared: it is neither changed nor
 * freed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/locale_object.h"
#include "malloc/wrap.h"

/* The C++ library calls them by these names. */
locale_t __newlocale(int mask, const char *name, locale_t base);
locale_t __duplocale(locale_t locale);
void __freelocale(locale_t locale);

struct made {
    struct made *next;
    const moat_co *co; /* NULL: left by a guest that has ended   */
    locale_t locale;   /* NULL: freed                            */
    locale_t before;   /* the thread's, apart from the guest's   */
    bool is_shared;    /* it has one that another guest has left */
};

/* A leaf, as that of guest_streams.c. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct made *list;

static void lock(void)
{
    (void)pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
    (void)pthread_mutex_unlock(&mutex);
}

__attribute__((constructor)) static void handle_forks(void)
{
    (void)pthread_atfork(lock, unlock, unlock);
}

static bool is_left(locale_t locale)
{
    const struct made *each;

    lock();
    each = list;
    while (each != NULL && (each->co != NULL || each->locale != locale))
        each = each->next;
    unlock();
    return each != NULL;
}

/* Returns whether an entry is what a guest, or the host, has of a locale. */
static bool stands_for(const struct made *made, const moat_co *co,
                       locale_t locale)
{
    return made->locale == locale && made->co != NULL &&
           (made->co == co || !made->is_shared);
}

/* It is freed, or has become another one. */
static void forget(const moat_co *co, locale_t locale)
{
    struct made *each;

    lock();
    each = list;
    while (each != NULL && !stands_for(each, co, locale))
        each = each->next;
    if (each != NULL)
        each->locale = NULL;
    unlock();
}

/* ---- The C library's ----------------------------------------------------- */

static locale_t real_new(int mask, const char *name, locale_t base)
{
    MOAT_REAL real = {"newlocale", NULL};
    locale_t (*function)(int, const char *, locale_t);

    moat_real_get(&real, &function);
    return function(mask, name, base);
}

static locale_t real_copy(locale_t locale)
{
    MOAT_REAL real = {"duplocale", NULL};
    locale_t (*function)(locale_t);

    moat_real_get(&real, &function);
    return function(locale);
}

static void real_free(locale_t locale)
{
    MOAT_REAL real = {"freelocale", NULL};
    void (*function)(locale_t);

    moat_real_get(&real, &function);
    function(locale);
}

/* ---- What is left -------------------------------------------------------- */

static bool is_equal(locale_t one, locale_t other)
{
    size_t count = sizeof one->__names / sizeof *one->__names;

    if (memcmp(one->__locales, other->__locales, sizeof one->__locales) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *a = one->__names[i], *b = other->__names[i];

        if (a != b && (a == NULL || b == NULL || strcmp(a, b) != 0))
            return false;
    }
    return true;
}

/* Returns one that was left and is equal, or NULL. */
static locale_t find_left(locale_t locale)
{
    const struct made *each;

    lock();
    each = list;
    while (each != NULL && (each->co != NULL || each->locale == locale ||
                            !is_equal(each->locale, locale)))
        each = each->next;
    unlock();
    return each != NULL ? each->locale : NULL;
}

static void drop(struct made *made)
{
    struct made **link = &list;

    while (*link != made)
        link = &(*link)->next;
    *link = made->next;
}

/* When the guest ends. */
static void end(void *arg)
{
    struct made *made = arg;
    bool stopped = moat_co_get_state(made->co) != MOAT_CO_DONE, ended;

    if (stopped && made->locale != NULL && uselocale(NULL) == made->locale)
        (void)uselocale(made->before);
    lock();
    ended = made->is_shared || made->locale == NULL;
    made->co = NULL;
    if (ended)
        drop(made);
    unlock();
    if (ended)
        free(made);
}

/* Returns an entry of the guest's, if one is free: a guest that makes and frees
 * again and again needs no more than it has at once. */
static struct made *find_unused(const moat_co *co)
{
    struct made *each;

    lock();
    each = list;
    while (each != NULL && (each->co != co || each->locale != NULL))
        each = each->next;
    unlock();
    return each;
}

static struct made *add(moat_co *co)
{
    struct made *made = calloc(1, sizeof *made);

    if (made == NULL)
        return NULL;
    if (moat_co_defer(co, end, made) != MOAT_OK) {
        free(made);
        return NULL;
    }
    made->co = co;
    lock();
    made->next = list;
    list = made;
    unlock();
    return made;
}

/* Returns what the thread had before the guest gave it a locale that it has
 * made: the guest may free that one before it ends. The caller has the lock. */
static locale_t before_own(const moat_co *co, locale_t locale)
{
    const struct made *each = list;

    while (each != NULL && (each->co != co || each->locale != locale))
        each = each->next;
    return each != NULL ? each->before : locale;
}

/* Notes what a guest has made. Without memory it stays unknown, and is lost if
 * the guest does not free it. */
static void note(moat_co *co, locale_t locale, bool is_shared)
{
    struct made *made = find_unused(co);

    if (made == NULL && (made = add(co)) == NULL)
        return;
    lock();
    made->before = before_own(co, uselocale(NULL));
    made->locale = locale;
    made->is_shared = is_shared;
    unlock();
}

static locale_t shared_or_own(moat_co *co, locale_t locale)
{
    locale_t left = find_left(locale);

    note(co, left != NULL ? left : locale, left != NULL);
    if (left == NULL)
        return locale;
    real_free(locale);
    return left;
}

/* ---- The functions ------------------------------------------------------- */

struct make_call {
    struct moat_libc_call call;
    moat_co *co; /* NULL: the host */
    int mask;
    const char *name;
    locale_t base, out;
};

static locale_t invalid(void)
{
    errno = EINVAL;
    return NULL;
}

static void new_run(struct moat_libc_call *call)
{
    struct make_call *each = (struct make_call *)call;
    locale_t base = each->base;

    if (is_left(base) && (base = real_copy(base)) == NULL)
        return;
    each->out = real_new(each->mask, each->name, base);
    if (each->out == NULL) {
        if (base != each->base)
            real_free(base);
        return;
    }
    if (each->base != NULL)
        forget(each->co, each->base);
    moat_locale_load(each->out);
    if (each->co != NULL)
        each->out = shared_or_own(each->co, each->out);
}

MOAT_API locale_t newlocale(int mask, const char *name, locale_t base)
{
    struct make_call each = {
        .call = {.run = new_run}, .mask = mask, .name = name, .base = base};

    if (!moat_malloc_on_host()) {
        each.co = moat_co_current();
        if (name != NULL && moat_touch_text(name) >= PATH_MAX)
            return invalid();
    }
    moat_libc_call(&each.call);
    return each.out;
}

MOAT_API locale_t __newlocale(int mask, const char *name, locale_t base)
{
    return newlocale(mask, name, base);
}

/* A copy has the conversion of what it is a copy of. */
static void copy_run(struct moat_libc_call *call)
{
    struct make_call *each = (struct make_call *)call;

    each->out = real_copy(each->base);
    if (each->out != NULL && each->co != NULL)
        each->out = shared_or_own(each->co, each->out);
}

MOAT_API locale_t duplocale(locale_t locale)
{
    struct make_call each = {.call = {.run = copy_run}, .base = locale};

    if (!moat_malloc_on_host())
        each.co = moat_co_current();
    moat_libc_call(&each.call);
    return each.out;
}

MOAT_API locale_t __duplocale(locale_t locale)
{
    return duplocale(locale);
}

static void free_run(struct moat_libc_call *call)
{
    struct make_call *each = (struct make_call *)call;

    forget(each->co, each->base);
    if (!is_left(each->base))
        real_free(each->base);
}

MOAT_API void freelocale(locale_t locale)
{
    struct make_call each = {.call = {.run = free_run}, .base = locale};

    if (!moat_malloc_on_host())
        each.co = moat_co_current();
    moat_libc_call(&each.call);
}

MOAT_API void __freelocale(locale_t locale)
{
    freelocale(locale);
}
