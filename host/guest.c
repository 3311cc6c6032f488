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

static double thread_cpu_seconds(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

const char *guest_begin(struct guest *guest, const char *file)
{
    struct mapping *text = &guest->capture.text;

    if (getrandom(guest->random, sizeof guest->random, 0) !=
        (ssize_t)sizeof guest->random)
        return "random numbers";
    guest->file = file;
    guest->interpreter = NULL;
    guest->host_sections = 0;
    guest->phase = GUEST_OPENING;
    guest->end = GUEST_FINE;
    guest->message = NULL;
    guest->message_bytes = 0;
    if (!make_heap(guest))
        return "memory";
    if (text->start == NULL && !mapping_open(text, guest->capture.capacity))
        return "output";
    guest->cpu_used = 0;
    guest->cpu_start = thread_cpu_seconds();
    return NULL;
}

double guest_cpu_seconds(const struct guest *guest)
{
    return thread_cpu_seconds() - guest->cpu_start;
}

void guest_enter(struct guest *guest)
{
    if (guest->options->slice_ns != 0)
        guest->cpu_start = thread_cpu_seconds() - guest->cpu_used;
}

void guest_leave(struct guest *guest)
{
    if (guest->options->slice_ns != 0)
        guest->cpu_used = guest_cpu_seconds(guest);
}

void guest_host_enter(struct guest *guest)
{
    moat_notrap_enter();
    guest->host_sections++;
}

void guest_host_leave(struct guest *guest)
{
    guest->host_sections--;
    moat_notrap_leave();
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

bool guest_is_counted(const struct run_options *options)
{
    return options->slice_ns != 0 || options->metrics != NULL;
}

/* A script that is resumed for each slice has limits on all of them. */
static moat_limits limits_of(const struct run_options *options)
{
    moat_limits limits = MOAT_LIMITS_INIT;

    limits.slice_ns = options->slice_ns;
    if (options->slice_ns != 0) {
        limits.total_cpu_ns = options->cpu_ns;
        limits.total_wall_ns = options->wall_ns;
    } else {
        limits.resume_cpu_ns = options->cpu_ns;
        limits.wall_ns = options->wall_ns;
    }
    return limits;
}

/* The depth of a stack's use is that of this script only if the stack was
 * empty. */
static uint64_t flags_of(const struct run_options *options)
{
    uint64_t flags = options->stack_use || options->metrics != NULL
                         ? MOAT_CO_SCRUB_DISCARD
                         : MOAT_CO_SCRUB_ZERO;

    return guest_is_counted(options) ? flags | MOAT_CO_EXACT_USAGE : flags;
}

static moat_syscall_verdict decide(moat_co *co, moat_syscall *call, void *arg)
{
    const struct guest *guest = arg;

    (void)co;
    return guest->host_sections != 0
               ? MOAT_SYSCALL_PERFORM
               : syscalls_decide(&guest->options->syscalls, call);
}

moat_status guest_create(struct guest *guest)
{
    const struct run_options *options = guest->options;
    moat_limits limits = limits_of(options);
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_co_options how = MOAT_CO_OPTIONS_INIT;

    policy.decide = decide;
    policy.arg = guest;
    if (options->syscalls.filtered)
        limits.syscalls = &policy;
    how.stack_bytes = (size_t)options->stack_bytes;
    how.flags = flags_of(options);
    how.user = guest;
    how.name = guest->file;
    how.limits = &limits;
    how.heap = guest->heap;
    how.script = options->language->frames;
    return moat_co_create(&guest->co, guest_main, &how);
}
