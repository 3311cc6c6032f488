/*
 * test_family.c: each function of the family takes memory from where its caller
 * is, and a block goes back to where it came from.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <wchar.h>

#include <moat/malloc.h>

#include "guests.h"

/* ---- Each function ------------------------------------------------------- */

static void *take_malloc(void)
{
    return malloc(100);
}

static void *take_calloc(void)
{
    char *block = calloc(7, 1000);

    for (int i = 0; block != NULL && i < 7000; i++)
        EXPECT(block[i] == 0);
    return block;
}

static void *take_realloc(void)
{
    return realloc(NULL, 100);
}

static void *take_reallocarray(void)
{
    return reallocarray(NULL, 10, 10);
}

static void *aligned(void *block, uintptr_t alignment)
{
    EXPECT((uintptr_t)block % alignment == 0);
    return block;
}

static void *take_memalign(void)
{
    return aligned(memalign(256, 100), 256);
}

/* Another allocator than the C library's is the next one, which does not round
 * up, nor notice what that notices. */
static bool is_another(void)
{
    return getenv("MOAT_TEST_NEXT") != NULL;
}

static void *take_odd_memalign(void)
{
    volatile size_t odd = is_another() ? 128 : 100; /* clang knows memalign */

    return aligned(memalign(odd, 100), 128);
}

static void *take_aligned_alloc(void)
{
    return aligned(aligned_alloc(65536, 65536), 65536);
}

static void *take_posix_memalign(void)
{
    void *block = NULL;

    EXPECT_EQ(posix_memalign(&block, 64, 100), 0);
    EXPECT_EQ(posix_memalign(&block, 3, 100), EINVAL);
    return aligned(block, 64);
}

static void *take_valloc(void)
{
    return aligned(valloc(10), 4096);
}

static void *take_pvalloc(void)
{
    void *block = aligned(pvalloc(4097), 4096);

    EXPECT(malloc_usable_size(block) >= 8192);
    return block;
}

static void *take_strdup(void)
{
    return strdup("some words");
}

static void *take_strndup(void)
{
    return strndup("some words", 4);
}

static void *take_wcsdup(void)
{
    return wcsdup(L"some words");
}

static void *take_asprintf(void)
{
    char *text;

    return asprintf(&text, "%d words", 2) > 0 ? text : NULL;
}

static void *(*const takers[])(void) = {
    take_malloc,   take_calloc,       take_realloc,       take_reallocarray,
    take_memalign, take_odd_memalign, take_aligned_alloc, take_posix_memalign,
    take_valloc,   take_pvalloc,      take_strdup,        take_strndup,
    take_wcsdup,   take_asprintf,
};
#define TAKERS (sizeof takers / sizeof *takers)

/* Takes, fills, resizes and returns with each, in a heap; NULL: the host's. */
static void use_each(moat_heap *heap)
{
    for (size_t i = 0; i < TAKERS; i++) {
        void *block = takers[i]();
        size_t bytes;

        expect_context("function %zu", i);
        REQUIRE(block != NULL);
        EXPECT(moat_heap_of(block) == heap);
        bytes = malloc_usable_size(block);
        EXPECT(bytes >= 5);
        memset(block, 1, bytes);
        block = realloc(block, bytes + 10000);
        REQUIRE(block != NULL);
        EXPECT(moat_heap_of(block) == heap);
        EXPECT(((char *)block)[bytes - 1] == 1);
        errno = 77;
        free(block);
        EXPECT_EQ(errno, 77);
    }
    free(NULL);
    EXPECT_EQ(malloc_usable_size(NULL), 0);
    EXPECT(realloc(malloc(1), 0) == NULL);
}

static void *use_own_heap(moat_co *self, void *input)
{
    use_each(moat_co_heap(self));
    EXPECT_EQ(moat_heap_used(moat_co_heap(self)), 0);
    return input;
}

static void each_function_takes_from_where_it_is_called(const void *arg)
{
    (void)arg;
    use_each(NULL);
    guest_run(use_own_heap, NULL);
    use_each(NULL);
}

static void *ask_for_too_much(moat_co *self, void *input)
{
    volatile size_t most = SIZE_MAX;

    (void)self;
    errno = 0;
    EXPECT(malloc(most - 100) == NULL);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT(calloc(most / 2, 3) == NULL);
    EXPECT(reallocarray(NULL, most / 2, 3) == NULL);
    EXPECT(is_another() || pvalloc(most) == NULL);
    EXPECT(aligned_alloc(most, 1) == NULL);
    return input;
}

static void absurd_sizes_are_refused(const void *arg)
{
    (void)arg;
    (void)ask_for_too_much(NULL, NULL);
    guest_run(ask_for_too_much, NULL);
}

/* ---- Across the border --------------------------------------------------- */

static void *across[TAKERS];

static void *take_each(moat_co *self, void *input)
{
    (void)self;
    for (size_t i = 0; i < TAKERS; i++)
        across[i] = takers[i]();
    return input;
}

static void *return_each(moat_co *self, void *input)
{
    (void)self;
    for (size_t i = 0; i < TAKERS; i++)
        free(across[i]);
    return input;
}

static void *resize_each(moat_co *self, void *input)
{
    moat_heap *heap = self != NULL ? moat_co_heap(self) : NULL;

    for (size_t i = 0; i < TAKERS; i++) {
        size_t bytes = malloc_usable_size(across[i]);

        EXPECT(bytes != 0);
        memset(across[i], (int)i + 1, bytes);
        across[i] = realloc(across[i], bytes + 20000);
        REQUIRE(across[i] != NULL);
        EXPECT(moat_heap_of(across[i]) == heap);
        EXPECT_EQ(((char *)across[i])[bytes - 1], i + 1);
        free(across[i]);
    }
    return input;
}

static size_t hosts_bytes(void)
{
    return mallinfo2().uordblks;
}

static void return_and_resize(int times)
{
    for (int i = 0; i < times; i++) {
        (void)take_each(NULL, NULL);
        guest_run(return_each, NULL);
        (void)take_each(NULL, NULL);
        guest_run(resize_each, NULL);
    }
}

static void a_guest_returns_the_hosts_blocks(const void *arg)
{
    size_t before;

    (void)arg;
    return_and_resize(200); /* fills the caches of both sides */
    before = hosts_bytes();
    return_and_resize(100);
    expect_context("%zu to %zu", before, hosts_bytes());
    EXPECT(hosts_bytes() <= before + 4096);
}

static moat_entry step;

static _Noreturn void *step_for_ever(moat_co *self, void *input)
{
    for (;;) {
        (void)step(self, NULL);
        input = moat_co_yield(self, input);
    }
}

static void let(moat_co *co, moat_entry entry)
{
    step = entry;
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_YIELD);
}

/* A block that the host has freed is reused once the guest needs memory. */
static void *look_for_memory(moat_co *self, void *input)
{
    (void)self;
    free(malloc(100000));
    return input;
}

static void the_host_returns_a_guests_blocks(const void *arg)
{
    moat_co *co = guest_with(step_for_ever, QUOTA);

    (void)arg;
    for (int i = 0; i < 100; i++) {
        let(co, take_each);
        EXPECT(moat_heap_used(moat_co_heap(co)) > 1000);
        if (i % 2 == 0)
            (void)return_each(NULL, NULL);
        else
            (void)resize_each(NULL, NULL);
        let(co, look_for_memory);
        EXPECT_EQ(moat_heap_used(moat_co_heap(co)), 0);
    }
    moat_co_destroy(co);
}

static void *on_another_thread(void *arg)
{
    (void)arg;
    return return_each(NULL, NULL);
}

static void *resize_on_another_thread(void *arg)
{
    (void)arg;
    return resize_each(NULL, NULL);
}

static void in_a_thread(void *(*body)(void *))
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, body, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

static void another_thread_returns_a_guests_blocks(const void *arg)
{
    moat_co *co = guest_with(step_for_ever, QUOTA);

    (void)arg;
    for (int i = 0; i < 20; i++) {
        let(co, take_each);
        in_a_thread(i % 2 == 0 ? on_another_thread : resize_on_another_thread);
        let(co, look_for_memory);
        EXPECT_EQ(moat_heap_used(moat_co_heap(co)), 0);
    }
    moat_co_destroy(co);
}

/* A stranger returns blocks while the guest takes them over. */
#define RACES 20000

static void *_Atomic passed;

static void *return_passed(void *arg)
{
    for (int i = 0; i < RACES;) {
        void *block = atomic_exchange(&passed, NULL);

        if (block == NULL) {
            (void)sched_yield(); /* on one CPU the guest's thread must run */
            continue;
        }
        free(block);
        i++;
    }
    return arg;
}

static void *pass_blocks(moat_co *self, void *input)
{
    for (int i = 0; i < RACES; i++) {
        void *block = malloc(64), *none = NULL;

        REQUIRE(block != NULL);
        while (!atomic_compare_exchange_strong(&passed, &none, block)) {
            none = NULL;
            (void)sched_yield();
        }
    }
    (void)self;
    return input;
}

static void another_thread_returns_blocks_meanwhile(const void *arg)
{
    moat_co *co = guest_with(pass_blocks, (size_t)1 << 20);
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, return_passed, NULL) == 0);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    REQUIRE(pthread_join(thread, NULL) == 0);
    moat_co_destroy(co);
}

/* ---- Guests that have ended ---------------------------------------------- */

static void *take_each_and_trap(moat_co *self, void *input)
{
    (void)take_each(self, input);
    *(volatile int *)NULL = 1; /* NOLINT */
    return input;
}

static void blocks_of_a_trapped_guest(const void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        moat_co *co = guest_with(take_each_and_trap, QUOTA);

        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
        if (i % 2 == 0)
            (void)resize_each(NULL, NULL);
        else
            in_a_thread(on_another_thread);
        moat_co_destroy(co);
    }
}

static void blocks_that_ended_with_their_guest(const void *arg)
{
    moat_co *co;

    (void)arg;
    guest_run(take_each, NULL);
    /* No effect: they are free. Nor for a guest, whose heap lies elsewhere. */
    (void)return_each(NULL, NULL);
    co = guest_with(return_each, QUOTA / 16);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    use_each(NULL);
}

static void resizing_what_has_ended_is_fatal(const void *arg)
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;

    (void)arg;
    options.keep_bytes = 0;
    EXPECT_EQ(moat_malloc_configure(&options), MOAT_OK);
    guest_run(take_each, NULL);
    across[0] = realloc(across[0], 10);
}

/* ---- A guest's bad pointers ---------------------------------------------- */

static char statics[64];

static void *bad_pointer(int which)
{
    static char local_room[64];
    char *block = across[0];

    switch (which) {
    case 0:
        return statics + 16 - (uintptr_t)statics % 16;
    case 1:
        return __builtin_frame_address(0);
    case 2:
        return (void *)16;
    case 3:
        return (void *)(uintptr_t)0x1000000000000000;
    case 4:
        return block + 16; /* in a block of the host's */
    case 5:
        return block + 1;
    case 6:
        free(block); /* twice */
        return block;
    case 7:
        return malloc(100); /* twice, below */
    case 8:
        return (char *)malloc(100) + 16;
    default:
        memset(local_room, 0xff, sizeof local_room);
        return local_room + 32;
    }
}

#define BAD_POINTERS 10

static void *return_bad(moat_co *self, void *input)
{
    int which = (int)(intptr_t)input;
    void *bad = bad_pointer(which);

    if (which == 7)
        free(bad);
    free(bad);
    return self;
}

static void *resize_bad(moat_co *self, void *input)
{
    void *bad = bad_pointer((int)(intptr_t)input);

    if ((intptr_t)input == 7)
        free(bad);
    return realloc(bad, 100000) != NULL ? self : NULL;
}

static void bad_pointers_end_the_guest(const void *arg)
{
    (void)arg;
    for (int i = 0; i < 2 * BAD_POINTERS && !is_another(); i++) {
        moat_co *co =
            guest_with(i < BAD_POINTERS ? return_bad : resize_bad, QUOTA);

        expect_context("pointer %d", i);
        across[0] = malloc(200);
        memset(across[0], 0, 200);
        EXPECT_EQ(guest_resume(co, (void *)(intptr_t)(i % BAD_POINTERS)),
                  MOAT_EVENT_TRAP);
        moat_co_destroy(co);
        use_each(NULL);
    }
}

/* ---- Whose stack it is --------------------------------------------------- */

static void *take_in_host_call(void *arg)
{
    (void)arg;
    return take_each(NULL, NULL);
}

static void *make_host_call(moat_co *self, void *input)
{
    (void)moat_call_on_parent(self, take_in_host_call, NULL);
    return input;
}

static void *host_a_guest(moat_co *self, void *input)
{
    (void)self;
    guest_run(make_host_call, NULL);
    return input;
}

static void host_calls_take_from_the_host(const void *arg)
{
    (void)arg;
    guest_run(make_host_call, NULL);
    for (size_t i = 0; i < TAKERS; i++)
        EXPECT(moat_heap_of(across[i]) == NULL);
    (void)return_each(NULL, NULL);
    /* Also on the stack of a guest. */
    guest_run(host_a_guest, NULL);
    for (size_t i = 0; i < TAKERS; i++)
        EXPECT(!moat_heap_had(across[i]));
    (void)return_each(NULL, NULL);
}

static moat_co *made[200];

static void *make_many(moat_co *self, void *input)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    (void)self;
    for (int i = 0; i < 200; i++) {
        options.name = i % 2 == 0 ? "one" : "another";
        options.stack_bytes = (size_t)(4 + i) << 12;
        REQUIRE(moat_co_create(&made[i], use_own_heap, &options) == MOAT_OK);
        REQUIRE(moat_co_defer(made[i], free, NULL) == MOAT_OK);
    }
    return input;
}

/* Memory that the library keeps must outlive the guest that called it. */
static void moats_own_memory_is_the_hosts(const void *arg)
{
    (void)arg;
    guest_run(make_many, NULL);
    for (int i = 0; i < 200; i++) {
        EXPECT(!moat_heap_had(moat_co_name(made[i])));
        moat_co_destroy(made[i]);
    }
    guest_run(use_own_heap, NULL);
}

/* ---- Heaps that no option asked for -------------------------------------- */

static void *take_one(moat_co *self, void *input)
{
    EXPECT(moat_co_heap(self) == NULL);
    across[0] = malloc(1000);
    EXPECT(moat_heap_of(across[0]) == moat_co_heap(self));
    if (input != NULL)
        *(volatile int *)NULL = 1; /* NOLINT */
    return input;
}

static void a_guest_without_a_heap_gets_one(const void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        moat_co *co = guest_with(take_one, 0);
        void *input = i % 2 == 0 ? NULL : co;

        EXPECT_EQ(guest_resume(co, input),
                  input == NULL ? MOAT_EVENT_RETURN : MOAT_EVENT_TRAP);
        EXPECT(moat_co_heap(co) != NULL);
        moat_co_destroy(co);
        EXPECT(moat_heap_of(across[0]) == NULL);
        EXPECT(moat_heap_had(across[0]));
    }
}

static void *take_and_expect_empty(moat_co *self, void *input)
{
    if (moat_co_heap(self) != NULL)
        EXPECT_EQ(moat_heap_used(moat_co_heap(self)), 0);
    return malloc(1000) != NULL ? self : input;
}

static void a_reset_empties_it(const void *arg)
{
    moat_co *co = guest_with(take_and_expect_empty, 0);

    (void)arg;
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void without_a_quota_the_hosts_is_used(const void *arg)
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;
    moat_co *co = guest_with(take_each, 0);

    (void)arg;
    options.quota_bytes = 0;
    EXPECT_EQ(moat_malloc_configure(&options), MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    (void)resize_each(NULL, NULL);
    options.quota_bytes = SIZE_MAX;
    EXPECT_EQ(moat_malloc_configure(&options), MOAT_E_INVAL);
    options = (moat_malloc_options){0, 4096, MOAT_MALLOC_TRAP, 0};
    EXPECT_EQ(moat_malloc_configure(&options), MOAT_E_INVAL);
    EXPECT_EQ(moat_malloc_configure(NULL), MOAT_E_INVAL);
}

static const struct child_case cases[] = {
    CHILD_CASE(each_function_takes_from_where_it_is_called),
    CHILD_CASE(absurd_sizes_are_refused),
    CHILD_CASE(a_guest_returns_the_hosts_blocks),
    CHILD_CASE(the_host_returns_a_guests_blocks),
    CHILD_CASE(another_thread_returns_a_guests_blocks),
    CHILD_CASE(another_thread_returns_blocks_meanwhile),
    CHILD_CASE(blocks_of_a_trapped_guest),
    CHILD_CASE(blocks_that_ended_with_their_guest),
    {"resizing_what_has_ended_is_fatal", resizing_what_has_ended_is_fatal, NULL,
     NULL, SIGABRT, 0},
    CHILD_CASE(bad_pointers_end_the_guest),
    CHILD_CASE(host_calls_take_from_the_host),
    CHILD_CASE(moats_own_memory_is_the_hosts),
    CHILD_CASE(a_guest_without_a_heap_gets_one),
    CHILD_CASE(a_reset_empties_it),
    CHILD_CASE(without_a_quota_the_hosts_is_used),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.family", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
