/*
 * tables.c: functions that read files of the system by streams of their own:
 * mounts, the stack of the first thread; and options of the command line, whose
 * errors go to a stream.
 *
 * SPDX-License-Identifier: MIT
 */
#include <getopt.h>
#include <mntent.h>
#include <pthread.h>

#include <moat/moat.h>

#include "malloc/held.h"
#include "malloc/wrap.h"

/* clang-format off */

WRAP_2(FILE *, setmntent, NULL_OR(TEXT, a); TEXT(b), const char *, const char *)
WRAP_1(struct mntent *, getmntent, STREAM(a), FILE *)
WRAP_4(struct mntent *, getmntent_r, STREAM(a), FILE *, struct mntent *, char *,
       int)
WRAP_2(int, addmntent, STREAM(a), FILE *, const struct mntent *)
WRAP_1(int, endmntent, CLOSES(a), FILE *)

WRAP_2(int, pthread_getattr_np, OUT(b), pthread_t, pthread_attr_t *)

/* clang-format on */

/* --- options ----------------------------------------------------------------
 *
 * Between two calls the C library keeps a pointer into the argument that it is
 * at. It must not be used once the guest has ended: it is forgotten then, and
 * the number of the next argument is what it was. */

struct options_call {
    struct moat_libc_call call;
    struct moat_real *real;
    moat_co *co;
    int count;
    char *const *args;
    const char *letters;
    const struct option *names;
    int *index;
    int out;
};

/* The host's, before a guest has read options. */
static int optind_before;

static void note(const struct options_call *each)
{
    struct moat_holder *holder =
        each->co != NULL ? moat_held_prepare(each->co) : NULL;

    if (holder == NULL)
        return;
    if (!moat_held_remove(each->co, MOAT_HELD_OPTIONS, &optind))
        optind_before = optind;
    moat_held_add(holder, MOAT_HELD_OPTIONS, &optind);
}

/* With the number 0 the C library begins anew, and there is nothing to read. */
static void forget(void *object)
{
    static char name[] = "";
    char *args[] = {name, NULL};
    MOAT_REAL real = {"getopt", NULL};
    int (*function)(int, char *const *, const char *);

    (void)object;
    moat_real_get(&real, &function);
    optind = 0;
    (void)function(1, args, "");
    optind = optind_before;
    optarg = NULL;
}

__attribute__((constructor)) static void set_undo(void)
{
    moat_held_undos[MOAT_HELD_OPTIONS] = forget;
}

static void short_run(struct moat_libc_call *call)
{
    struct options_call *each = (struct options_call *)call;
    int (*function)(int, char *const *, const char *);

    note(each);
    moat_real_get(each->real, &function);
    each->out = function(each->count, each->args, each->letters);
}

static void long_run(struct moat_libc_call *call)
{
    struct options_call *each = (struct options_call *)call;
    int (*function)(int, char *const *, const char *, const struct option *,
                    int *);

    note(each);
    moat_real_get(each->real, &function);
    each->out = function(each->count, each->args, each->letters, each->names,
                         each->index);
}

static int options(struct options_call *each)
{
    each->call.stream = stderr;
    if (!moat_malloc_on_host())
        each->co = moat_co_current();
    moat_libc_call(&each->call);
    return each->out;
}

MOAT_API int getopt(int count, char *const *args, const char *letters)
{
    MOAT_REAL real = {"getopt", NULL};
    struct options_call each = {.call = {.run = short_run},
                                .real = &real,
                                .count = count,
                                .args = args,
                                .letters = letters};

    return options(&each);
}

/* NOLINTBEGIN(readability-non-const-parameter): as the header has it */
MOAT_API int getopt_long(int count, char *const *args, const char *letters,
                         const struct option *names, int *index)
{
    MOAT_REAL real = {"getopt_long", NULL};
    struct options_call each = {.call = {.run = long_run},
                                .real = &real,
                                .count = count,
                                .args = args,
                                .letters = letters,
                                .names = names,
                                .index = index};

    return options(&each);
}

MOAT_API int getopt_long_only(int count, char *const *args, const char *letters,
                              const struct option *names, int *index)
{
    MOAT_REAL real = {"getopt_long_only", NULL};
    struct options_call each = {.call = {.run = long_run},
                                .real = &real,
                                .count = count,
                                .args = args,
                                .letters = letters,
                                .names = names,
                                .index = index};

    return options(&each);
}
/* NOLINTEND(readability-non-const-parameter) */
