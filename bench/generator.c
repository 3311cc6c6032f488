/*
 * generator.c: generators: an item, an item from the depth of a recursion, and
 * a life with one item, next to a bare resume and yield, and to the generators
 * of C++20, Python and Lua, in one interleaved run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/gen.h>

#include <stdlib.h>

#include "bench/peers.h"

/* ---- The sequences ----
 *
 * Written for both sides at once: `yield` is that of the coroutine or that of
 * the generator.
 */

#define SEQUENCES(prefix, type, yield)                           \
    static inline void prefix##_count(type *self, uintptr_t end) \
    {                                                            \
        for (uintptr_t i = 0; i < end; i++)                      \
            yield(self, (void *)i);                              \
    }                                                            \
    __attribute__((noinline)) static uintptr_t prefix##_walk(    \
        type *self, unsigned depth, uintptr_t key)               \
    {                                                            \
        if (depth == 0)                                          \
            return key;                                          \
        key = prefix##_walk(self, depth - 1, key);               \
        yield(self, (void *)key);                                \
        return prefix##_walk(self, depth - 1, key + 1);          \
    }                                                            \
    static inline void prefix##_walk_for_ever(type *self)        \
    {                                                            \
        for (;;)                                                 \
            (void)prefix##_walk(self, TREE_DEPTH, 0);            \
    }

SEQUENCES(bare, moat_co, (void)moat_co_yield)
SEQUENCES(gen, moat_gen, moat_gen_yield)

/* ---- A bare coroutine ---- */

static void *bare_numbers(moat_co *self, void *end)
{
    bare_count(self, (uintptr_t)end);
    return NULL;
}

static void *bare_tree(moat_co *self, void *input)
{
    bare_walk_for_ever(self);
    return input;
}

static void *bare_one(moat_co *self, void *item)
{
    (void)moat_co_yield(self, item);
    return NULL;
}

static moat_co *make_bare(moat_entry entry)
{
    moat_co *co;

    if (moat_co_create(&co, entry, NULL) != MOAT_OK)
        bench_stop("moat_co_create");
    return co;
}

/* Adds up to `count` items. */
static inline uint64_t add_bare(moat_co *co, void *input, size_t count)
{
    moat_event event;
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (moat_co_resume(co, input, &event) != MOAT_OK ||
            event.kind != MOAT_EVENT_YIELD)
            bench_stop("moat_co_resume");
        sum += (uintptr_t)event.value;
    }
    return sum;
}

static uint64_t run_bare_numbers(size_t count)
{
    moat_co *co = make_bare(bare_numbers);
    uint64_t sum = add_bare(co, (void *)count, count);

    moat_co_destroy(co);
    return sum;
}

static uint64_t run_bare_tree(size_t count)
{
    moat_co *co = make_bare(bare_tree);
    uint64_t sum = add_bare(co, NULL, count);

    moat_co_destroy(co);
    return sum;
}

static uint64_t run_bare_lives(size_t count)
{
    moat_event event;
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        moat_co *co = make_bare(bare_one);

        sum += add_bare(co, (void *)(i + 1), 1);
        if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
            event.kind != MOAT_EVENT_RETURN)
            bench_stop("moat_co_resume");
        moat_co_destroy(co);
    }
    return sum;
}

/* ---- Generators ---- */

static void gen_numbers(moat_gen *gen, void *end)
{
    gen_count(gen, *(const size_t *)end);
}

static void gen_tree(moat_gen *gen, void *arg)
{
    (void)arg;
    gen_walk_for_ever(gen);
}

static void gen_one(moat_gen *gen, void *item)
{
    moat_gen_yield(gen, item);
}

static moat_gen *make_gen(moat_gen_body body, void *arg)
{
    moat_gen *gen;

    if (moat_gen_create(&gen, body, arg, NULL) != MOAT_OK)
        bench_stop("moat_gen_create");
    return gen;
}

static uint64_t run_gen_numbers(size_t count)
{
    moat_gen *gen = make_gen(gen_numbers, &count);
    uint64_t sum = 0;
    void *item;

    while (moat_gen_next(gen, &item))
        sum += (uintptr_t)item;
    moat_gen_destroy(gen);
    return sum;
}

static uint64_t run_gen_tree(size_t count)
{
    moat_gen *gen = make_gen(gen_tree, NULL);
    uint64_t sum = 0;
    void *item;

    for (size_t i = 0; i < count && moat_gen_next(gen, &item); i++)
        sum += (uintptr_t)item;
    moat_gen_destroy(gen);
    return sum;
}

static uint64_t run_gen_lives(size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        moat_gen *gen = make_gen(gen_one, (void *)(i + 1));
        void *item;

        while (moat_gen_next(gen, &item))
            sum += (uintptr_t)item;
        moat_gen_destroy(gen);
    }
    return sum;
}

static uint64_t run_loop_numbers(size_t count)
{
    moat_gen *gen = make_gen(gen_numbers, &count);
    uint64_t sum = 0;

    MOAT_FOR_EACH(item, gen)
    sum += (uintptr_t)item;
    moat_gen_destroy(gen);
    return sum;
}

static uint64_t run_loop_tree(size_t count)
{
    moat_gen *gen = make_gen(gen_tree, NULL);
    uint64_t sum = 0;

    MOAT_FOR_EACH(item, gen)
    {
        sum += (uintptr_t)item;
        if (--count == 0)
            break;
    }
    moat_gen_destroy(gen);
    return sum;
}

static uint64_t run_loop_lives(size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        moat_gen *gen = make_gen(gen_one, (void *)(i + 1));

        MOAT_FOR_EACH(item, gen)
        sum += (uintptr_t)item;
        moat_gen_destroy(gen);
    }
    return sum;
}

/* ---- The table ---- */

static const struct bench_peer own[] = {
    {.name = "moat_co_resume + moat_co_yield",
     .share = 1,
     .bodies = {[CASE_ACCUMULATE] = run_bare_numbers,
                [CASE_TREE] = run_bare_tree,
                [CASE_LIFE] = run_bare_lives}},
    {.name = "moat_gen_next + moat_gen_yield",
     .share = 1,
     .bodies = {[CASE_ACCUMULATE] = run_gen_numbers,
                [CASE_TREE] = run_gen_tree,
                [CASE_LIFE] = run_gen_lives}},
    {.name = "MOAT_FOR_EACH",
     .share = 1,
     .bodies = {[CASE_ACCUMULATE] = run_loop_numbers,
                [CASE_TREE] = run_loop_tree,
                [CASE_LIFE] = run_loop_lives}},
};

extern const struct bench_peer peer_moat_generator; /* moat::generator */
#ifdef BENCH_CXX20
extern const struct bench_peer peer_cxx20;
#endif

static const struct {
    enum bench_case number;
    const char *name;
    double ops;
} cases[] = {{CASE_ACCUMULATE, "an item", 6e4},
             {CASE_TREE, "an item of a tree walk, depth 14", 6e4},
             {CASE_LIFE, "a life with one item", 2e4}};

int main(int argc, char **argv)
{
    struct bench_options options =
        bench_read_options(argc, argv, BENCH_MAX_ROUNDS);
    struct bench_peers peers = {.count = 0};

    bench_open("Generators", &options);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        bench_add_peer(&peers, &own[i]);
    bench_add_peer(&peers, &peer_moat_generator);
#ifdef BENCH_CXX20
    bench_add_peer(&peers, &peer_cxx20);
#endif
#ifdef BENCH_PLUGIN_LUA
    bench_add_plugin(&peers, BENCH_PLUGIN_LUA);
#endif
#ifdef BENCH_PLUGIN_LUAJIT
    bench_add_plugin(&peers, BENCH_PLUGIN_LUAJIT);
#endif
#ifdef BENCH_PLUGIN_PYTHON
    bench_add_plugin(&peers, BENCH_PLUGIN_PYTHON);
#endif
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        bench_run_case(&peers, cases[i].number, cases[i].name,
                       cases[i].ops * options.scale, options.rounds);
    return bench_close(&options);
}
