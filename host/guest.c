/*
 * guest.c: a guest's memory, its coroutine, and its steps in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guest.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include <moat/moat.h>

/* A heap that a script has used up to this much is cleared, not reset. */
#define HEAP_KEEP_BYTES ((size_t)512 * 1024)

void guest_init(struct guest *guest, const struct run_options *options)
{
    *guest = (struct guest){.options = options};
    guest->capture.capacity = (size_t)options->output_bytes;
    source_init(&guest->source);
}

static bool make_heap(struct guest *guest)
{
    moat_status status;

    if (guest->heap != NULL)
        return true;
    status =
        moat_heap_create(&guest->heap, (size_t)guest->options->memory_bytes);
    if (status != MOAT_OK && status != MOAT_E_SYSTEM)
        errno = ENOMEM;
    return status == MOAT_OK;
}

const char *guest_begin(struct guest *guest, const char *file)
{
    struct mapping *text = &guest->capture.text;

    if (getrandom(guest->random, sizeof guest->random, 0) !=
        (ssize_t)sizeof guest->random)
        return "random numbers";
    guest->file = file;
    guest->interpreter = NULL;
    guest->phase = GUEST_OPENING;
    guest->end = GUEST_FINE;
    guest->message = NULL;
    guest->message_bytes = 0;
    if (!make_heap(guest))
        return "memory";
    if (text->start == NULL && !mapping_open(text, guest->capture.capacity))
        return "output";
    guest->cpu_start = 0;
    guest->cpu_start = guest_cpu_seconds(guest);
    return NULL;
}

double guest_cpu_seconds(const struct guest *guest)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - guest->cpu_start;
}

/* A heap that cannot be emptied is not used again. */
static void empty_heap(struct guest *guest, bool known)
{
    moat_status status = known ? moat_heap_clear(guest->heap, HEAP_KEEP_BYTES)
                               : moat_heap_reset(guest->heap);

    if (status == MOAT_OK)
        return;
    moat_heap_destroy(guest->heap);
    guest->heap = NULL;
}

/* A C module may have written anywhere. */
void guest_end(struct guest *guest, bool intact)
{
    struct capture *capture = &guest->capture;
    bool known = intact && guest->options->module_count == 0;

    if (guest->heap != NULL)
        empty_heap(guest, known);
    if (capture->text.start != NULL)
        mapping_clean(&capture->text,
                      known ? capture->bytes : capture->text.bytes);
    capture->bytes = 0;
    capture->dropped = 0;
}

void guest_close(struct guest *guest)
{
    moat_heap_destroy(guest->heap);
    mapping_close(&guest->capture.text);
    source_close(&guest->source);
}

/* The interpreter is made, used and closed on the coroutine's stack. */
static void *guest_main(moat_co *self, void *input)
{
    struct guest *guest = input;
    const struct guest_language *language = guest->options->language;
    const struct {
        enum guest_phase phase;
        enum guest_end (*run)(struct guest *);
    } steps[] = {{GUEST_OPENING, language->open},
                 {GUEST_LOADING, language->load},
                 {GUEST_RUNNING, language->run}};

    (void)self;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        guest->phase = steps[i].phase;
        guest->end = steps[i].run(guest);
        if (guest->end != GUEST_FINE)
            return NULL;
    }
    language->close(guest);
    return NULL;
}

moat_status guest_create(moat_co **co, struct guest *guest)
{
    const struct run_options *options = guest->options;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options how = MOAT_CO_OPTIONS_INIT;

    limits.resume_cpu_ns = options->cpu_ns;
    limits.wall_ns = options->wall_ns;
    how.stack_bytes = (size_t)options->stack_bytes;
    how.flags = options->stack_use ? MOAT_CO_SCRUB_DISCARD : MOAT_CO_SCRUB_ZERO;
    how.user = guest;
    how.name = guest->file;
    how.limits = &limits;
    how.heap = guest->heap;
    how.script = options->language->frames;
    return moat_co_create(co, guest_main, &how);
}
