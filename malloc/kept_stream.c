/*
 * kept_stream.c: the list of guests' streams.
 *
 * It has one entry for each stream that a guest has at once, up to the guest's
 * end. All of this runs on the host's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/kept_stream.h"

#include <pthread.h>
#include <stdio_ext.h>
#include <stdlib.h>

#include "malloc/real.h"

/* A leaf: nothing is called under it. A fork takes it, after moat's own, and
 * leaves it free in the child. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct kept *list;

void moat_kept_lock(void)
{
    (void)pthread_mutex_lock(&mutex);
}

void moat_kept_unlock(void)
{
    (void)pthread_mutex_unlock(&mutex);
}

__attribute__((constructor)) static void handle_forks(void)
{
    (void)pthread_atfork(moat_kept_lock, moat_kept_unlock, moat_kept_unlock);
}

struct kept *moat_kept_find(const moat_co *co, const FILE *stream)
{
    struct kept *each = list;

    while (each != NULL && (each->co != co || each->stream != stream))
        each = each->next;
    return each;
}

int moat_kept_close(FILE *stream)
{
    MOAT_REAL real = {"fclose", NULL};
    int (*function)(FILE *);

    moat_real_get(&real, &function);
    return function(stream);
}

/* When the guest ends. */
static void end(void *arg)
{
    struct kept *kept = arg, **link = &list;

    moat_kept_lock();
    while (*link != kept)
        link = &(*link)->next;
    *link = kept->next;
    moat_kept_unlock();
    for (; kept->locks > 0; kept->locks--)
        funlockfile(kept->stream);
    if (kept->is_over_memory) {
        __fpurge(kept->stream);
        (void)moat_kept_close(kept->stream);
    }
    if (!kept->is_known)
        free(kept->text);
    free(kept);
}

/* Returns whether it needs no work at the guest's end. */
static bool is_unused(const struct kept *kept)
{
    return !kept->is_over_memory && kept->locks == 0 && kept->text == NULL &&
           kept->text_out == NULL;
}

/* A guest that opens and closes again and again needs no more of them than it
 * has at once. */
static struct kept *use_again(const moat_co *co, FILE *stream)
{
    struct kept *each;

    moat_kept_lock();
    each = list;
    while (each != NULL && (each->co != co || !is_unused(each)))
        each = each->next;
    if (each != NULL)
        *each = (struct kept){.next = each->next, .co = co, .stream = stream};
    moat_kept_unlock();
    return each;
}

/* NULL: no memory, or the guest has ended. */
static struct kept *add(moat_co *co, FILE *stream)
{
    struct kept *made = calloc(1, sizeof *made);

    if (made == NULL)
        return NULL;
    if (moat_co_defer(co, end, made) != MOAT_OK) {
        free(made);
        return NULL;
    }
    made->co = co;
    made->stream = stream;
    moat_kept_lock();
    made->next = list;
    list = made;
    moat_kept_unlock();
    return made;
}

/* Only the guest's own thread adds to its entries, and uses them. */
struct kept *moat_kept_make(moat_co *co, FILE *stream)
{
    struct kept *kept = use_again(co, stream);

    return kept != NULL ? kept : add(co, stream);
}

struct kept *moat_kept_get(moat_co *co, FILE *stream)
{
    struct kept *kept;

    moat_kept_lock();
    kept = moat_kept_find(co, stream);
    moat_kept_unlock();
    return kept != NULL ? kept : moat_kept_make(co, stream);
}

/* The stream is being closed; its address may be used again. */
void moat_kept_forget(const FILE *stream)
{
    moat_kept_lock();
    for (struct kept *each = list; each != NULL; each = each->next) {
        if (each->stream == stream) {
            each->is_over_memory = false;
            each->locks = 0;
        }
    }
    moat_kept_unlock();
}
