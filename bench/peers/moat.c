/*
 * moat.c: moat. As in a careful host, the status and the event of each resume
 * are checked.
 *
 * The plug-ins of bench/switch are built from this file too, on the shared
 * library: a program that linked both libraries would mix their symbols.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>

#include <moat/moat.h>

#include "bench/peers/stacks.h"

struct task; /* a moat_co */

static inline void *resume_to(struct task *task, void *input,
                              moat_event_kind kind)
{
    moat_event event;

    if (moat_co_resume((moat_co *)task, input, &event) != MOAT_OK ||
        event.kind != kind)
        abort();
    return event.value;
}

static inline void *resume(struct task *task, void *input)
{
    return resume_to(task, input, MOAT_EVENT_YIELD);
}

static inline void *resume_last(struct task *task, void *input)
{
    return resume_to(task, input, MOAT_EVENT_RETURN);
}

static inline void *yield(struct task *task, void *value)
{
    return moat_co_yield((moat_co *)task, value);
}

static inline void *transfer(struct task *from, struct task *to, void *value)
{
    void *input;

    if (moat_co_switch_to((moat_co *)from, (moat_co *)to, value, &input) !=
        MOAT_OK)
        abort();
    return input;
}

static const moat_co_options task_options = {
    .struct_size = sizeof(moat_co_options), .stack_bytes = TASK_STACK_BYTES};

static inline struct task *make_task(void *(*guest)(struct task *, void *))
{
    moat_co *co;

    /* Casts the type of one pointer parameter; the ABI is the same. */
    if (moat_co_create(&co, (moat_entry)(void (*)(void))guest, &task_options) !=
        MOAT_OK)
        abort();
    return (struct task *)co;
}

static inline void drop_task(struct task *task)
{
    moat_co_destroy((moat_co *)task);
}

/* ---- Lives ---- */

static void *increment(moat_co *self, void *input)
{
    (void)self;
    return (char *)input + 1;
}

static inline __attribute__((always_inline)) uintptr_t
live(uintptr_t number, const moat_co_options *options)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, increment, options) != MOAT_OK ||
        moat_co_resume(co, (void *)number, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        abort();
    moat_co_destroy(co);
    return (uintptr_t)event.value;
}

static inline uintptr_t live_by_default(uintptr_t number, char *stack)
{
    (void)stack;
    return live(number, NULL);
}

static uint64_t run_lives_with(size_t count, uint64_t flags)
{
    moat_co_options options = task_options;
    uint64_t sum = 0;

    options.flags = flags;
    for (size_t i = 0; i < count; i++)
        sum += live(i, &options);
    return sum;
}

/* The pages return to the system after each life; the guard stays. */
static uint64_t run_discarded_lives(size_t count)
{
    return run_lives_with(count, MOAT_CO_SCRUB_DISCARD);
}

/* The options that a host's guests have: a size, a name, a pointer. */
static moat_co_options hosted_options(void)
{
    moat_co_options options = task_options;

    options.name = "guest";
    options.user = &options;
    return options;
}

static moat_spec *make_spec(const moat_co_options *options)
{
    moat_spec *spec;

    if (moat_spec_create(&spec, options) != MOAT_OK)
        abort();
    return spec;
}

static inline __attribute__((always_inline)) uintptr_t
live_from(moat_spec *spec, uintptr_t number)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create_from(&co, spec, increment, &event) != MOAT_OK ||
        moat_co_resume(co, (void *)number, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        abort();
    moat_co_destroy(co);
    return (uintptr_t)event.value;
}

static uint64_t run_prepared_lives(size_t count)
{
    static moat_spec *spec;
    uint64_t sum = 0;

    if (spec == NULL) {
        const moat_co_options options = hosted_options();

        spec = make_spec(&options);
    }
    for (size_t i = 0; i < count; i++)
        sum += live_from(spec, i);
    return sum;
}

/* ---- The peer ---- */

#ifdef BENCH_PLUGIN_NAME
#    define PEER      bench_plugin
#    define PEER_NAME BENCH_PLUGIN_NAME
#else
#    define PEER      peer_moat
#    define PEER_NAME "moat"
#endif
#define PEER_SHARE 1
#ifndef BENCH_MOAT_THREADED
#    define BENCH_MOAT_THREADED false /* on the shared library */
#endif
#define PEER_THREADED     BENCH_MOAT_THREADED
#define PEER_MAX_SET      SIZE_MAX
#define PEER_RESUME_LAST  resume_last
#define PEER_LIFE         live_by_default
#define PEER_NEW_LIVES    run_discarded_lives
#define PEER_HOSTED_LIVES run_prepared_lives
#include "bench/peers/cases.h"

/* ---- Variants ---- */

#ifndef BENCH_PLUGIN_NAME

static uint64_t run_sized_lives(size_t count)
{
    return run_lives_with(count, 0);
}

const struct bench_peer peer_moat_sized = {
    .name = "moat, with options",
    .share = 1,
    .bodies = {[CASE_LIFE] = run_sized_lives}};

static uint64_t run_hosted_lives(size_t count)
{
    const moat_co_options options = hosted_options();
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += live(i, &options);
    return sum;
}

const struct bench_peer peer_moat_hosted = {
    .name = "moat, options at each create",
    .share = 1,
    .bodies = {[CASE_HOSTED] = run_hosted_lives}};

const struct bench_peer peer_moat_prepared = {
    .name = "moat, the same from a spec",
    .share = 1,
    .bodies = {[CASE_LIFE] = run_prepared_lives}};

static uint64_t run_limited_lives(size_t count)
{
    static moat_spec *spec;
    uint64_t sum = 0;

    if (spec == NULL) {
        moat_limits limits = MOAT_LIMITS_INIT;
        moat_co_options options = hosted_options();

        limits.resume_cpu_ns = 100000000;
        limits.wall_ns = 1000000000;
        options.limits = &limits;
        spec = make_spec(&options);
    }
    for (size_t i = 0; i < count; i++)
        sum += live_from(spec, i);
    return sum;
}

const struct bench_peer peer_moat_limited = {
    .name = "moat, from a spec with limits",
    .share = 1,
    .bodies = {
        [CASE_LIFE] = run_limited_lives, [CASE_HOSTED] = run_limited_lives}};

/* The pages stay, and are zeroed for the next life. */
static uint64_t run_zeroed_lives(size_t count)
{
    return run_lives_with(count, MOAT_CO_SCRUB_ZERO);
}

const struct bench_peer peer_moat_zeroed = {
    .name = "moat, zeroed",
    .share = 1,
    .bodies = {[CASE_NEW_LIFE] = run_zeroed_lives}};

#    define BATCH ((size_t)256)

static moat_event events[BATCH];
static void *inputs[BATCH];

static uint64_t resume_batch(moat_co *const *batch, size_t first, size_t count)
{
    uint64_t sum = 0;
    size_t done;

    for (size_t i = 0; i < count; i++)
        inputs[i] = (void *)(first + i);
    if (moat_co_resume_n(batch, inputs, events, count, &done) != MOAT_OK)
        abort();
    for (size_t i = 0; i < count; i++)
        sum += (uintptr_t)events[i].value;
    return sum;
}

static size_t batch_at(size_t first)
{
    return task_count - first < BATCH ? task_count - first : BATCH;
}

/* Collects each batch first, as a scheduler does from its queue. */
static uint64_t run_order_in_batches(const uint32_t *order)
{
    static moat_co *next[BATCH];
    uint64_t sum = 0;

    for (size_t first = 0; first < task_count; first += BATCH) {
        size_t count = batch_at(first);

        for (size_t i = 0; i < count; i++)
            next[i] = (moat_co *)tasks[order[first + i]];
        sum += resume_batch(next, first, count);
    }
    return sum;
}

static uint64_t run_rounds_in_batches(size_t rounds)
{
    uint64_t sum = 0;

    for (size_t round = 0; round < rounds; round++)
        for (size_t first = 0; first < task_count; first += BATCH)
            sum += resume_batch((moat_co *const *)(tasks + first), first,
                                batch_at(first));
    return sum;
}

const struct bench_peer peer_moat_batches = {
    .name = "moat, in batches",
    .share = 1,
    .set = {SIZE_MAX, open_set, run_rounds_in_batches, run_order_in_batches,
            close_set, NULL}};

/* Reads and writes what a resume and a yield do: the record's two lines, and
 * the line of the stack to which the record leads. The values stay the same;
 * `resumer_fp` means nothing while the coroutine is suspended. */
static uintptr_t touch_lines(moat_co *co, uintptr_t number)
{
    volatile uint64_t *state = &co->state;
    volatile uintptr_t *word = &co->resumer_fp, *sp = &co->sp;
    volatile uintptr_t *frame;

    *state = *state;
    *word = number;
    frame = (volatile uintptr_t *)*sp;
    *frame = *frame;
    return number + 1;
}

static uint64_t touch_order(const uint32_t *order)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < task_count; i++)
        sum += touch_lines((moat_co *)tasks[order[i]], i);
    return sum;
}

static uint64_t touch_rounds(size_t rounds)
{
    uint64_t sum = 0;

    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < task_count; i++)
            sum += touch_lines((moat_co *)tasks[i], i);
    return sum;
}

const struct bench_peer peer_moat_lines = {
    .name = "moat, its lines alone",
    .share = 1,
    .set = {SIZE_MAX, open_set, touch_rounds, touch_order, close_set, NULL}};

#endif
