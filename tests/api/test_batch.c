/*
 * test_batch.c: many resumes in one call, many coroutines created in one call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define MANY ((size_t)100) /* more than are prefetched */

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *end_at_two(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return input;
}

static void *fault(moat_co *self, void *input)
{
    (void)self;
    *(volatile int *)input = 1;
    return NULL;
}

static void *spin(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        __asm__ volatile("pause");
    return input;
}

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static void create_all(moat_co **cos, size_t count, moat_entry entry)
{
    for (size_t i = 0; i < count; i++)
        cos[i] = create(entry);
}

static void destroy_all(moat_co **cos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        moat_co_destroy(cos[i]);
}

static void each_has_its_value_and_event(const void *arg)
{
    static moat_co *cos[MANY];
    static void *inputs[MANY];
    static moat_event events[MANY];
    size_t done;

    (void)arg;
    create_all(cos, MANY, echo);
    for (size_t count = 0; count <= MANY; count += 9) {
        for (size_t i = 0; i < MANY; i++)
            inputs[i] = &inputs[(i + count) % MANY];
        memset(events, 0, sizeof events);
        done = MANY + 1;
        EXPECT_EQ(moat_co_resume_n(cos, inputs, events, count, &done), MOAT_OK);
        EXPECT_EQ(done, count);
        for (size_t i = 0; i < MANY; i++) {
            expect_context("%zu of %zu", i, count);
            EXPECT_EQ(events[i].kind, i < count ? MOAT_EVENT_YIELD : 0);
            EXPECT(events[i].value == (i < count ? inputs[i] : NULL));
            EXPECT(events[i].co == (i < count ? cos[i] : NULL));
        }
    }
    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, MANY, &done), MOAT_OK);
    EXPECT(events[MANY - 1].value == NULL);
    destroy_all(cos, MANY);
}

static void ends_and_traps_do_not_stop_it(const void *arg)
{
    moat_co *cos[3] = {create(end_at_two), create(fault), create(echo)};
    moat_event events[3];
    size_t done;

    (void)arg;
    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, 3, &done), MOAT_OK);
    EXPECT_EQ(events[0].kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(events[1].kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(events[2].kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, 1, &done), MOAT_OK);
    EXPECT_EQ(events[0].kind, MOAT_EVENT_RETURN);
    destroy_all(cos, 3);
}

static void it_stops_at_what_cannot_be_resumed(const void *arg)
{
    moat_co *cos[5];
    moat_event events[5] = {{.kind = MOAT_EVENT_PANIC}};
    size_t done = 9;

    (void)arg;
    create_all(cos, 5, echo);
    moat_co_destroy(cos[2]);
    cos[2] = create(fault);
    EXPECT_EQ(moat_co_resume(cos[2], NULL, &events[2]), MOAT_OK);
    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, 5, &done), MOAT_E_STATE);
    EXPECT_EQ(done, 2);
    EXPECT_EQ(moat_co_get_state(cos[1]), MOAT_CO_SUSPENDED);
    EXPECT_EQ(moat_co_get_state(cos[3]), MOAT_CO_FRESH);
    /* Continue after it. */
    EXPECT_EQ(moat_co_resume_n(cos + 3, NULL, events + 3, 2, &done), MOAT_OK);
    EXPECT_EQ(done, 2);
    moat_co_destroy(cos[4]);
    cos[4] = NULL;
    EXPECT_EQ(moat_co_resume_n(cos + 3, NULL, events + 3, 2, &done),
              MOAT_E_INVAL);
    EXPECT_EQ(done, 1);
    destroy_all(cos, 4);
}

static void missing_arguments_are_refused(const void *arg)
{
    moat_co *co = create(echo);
    moat_event event;
    size_t done = 9;

    (void)arg;
    EXPECT_EQ(moat_co_resume_n(NULL, NULL, &event, 1, &done), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_resume_n(&co, NULL, NULL, 1, &done), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_resume_n(&co, NULL, &event, 1, NULL), MOAT_E_INVAL);
    EXPECT_EQ(done, 9);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    moat_co_destroy(co);
}

struct victim {
    moat_co *co;
};

static void *destroy_another(moat_co *self, void *input)
{
    struct victim *victim = input;

    (void)self;
    moat_co_destroy(victim->co);
    return NULL;
}

/* A later coroutine of the list may be destroyed before its turn. */
static void one_may_destroy_a_later_one(const void *arg)
{
    moat_co *cos[2] = {create(destroy_another), create(echo)};
    struct victim victim = {cos[1]};
    void *inputs[2] = {&victim, NULL};
    moat_event events[2];
    size_t done;

    (void)arg;
    EXPECT_EQ(moat_co_resume_n(cos, inputs, events, 2, &done), MOAT_E_STATE);
    EXPECT_EQ(done, 1);
    EXPECT_EQ(events[0].kind, MOAT_EVENT_RETURN);
    moat_co_destroy(cos[0]);
}

static void *resume_from_elsewhere(void *arg)
{
    moat_event event;
    size_t done = 9;

    EXPECT_EQ(moat_co_resume_n(arg, NULL, &event, 1, &done), MOAT_E_THREAD);
    EXPECT_EQ(done, 0);
    return NULL;
}

static void another_threads_are_refused(const void *arg)
{
    moat_co *co = create(echo);
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, resume_from_elsewhere, &co) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    moat_co_destroy(co);
}

#define PAGE ((size_t)4096)

/* Nothing is prefetched beyond the end of the array. */
static void nothing_behind_the_array_is_read(const void *arg)
{
    static moat_event events[MANY];
    char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_co **cos;
    size_t done;

    (void)arg;
    REQUIRE(page != MAP_FAILED);
    REQUIRE(mprotect(page + PAGE, PAGE, PROT_NONE) == 0);
    cos = (moat_co **)(void *)(page + PAGE) - MANY;
    create_all(cos, MANY, echo);
    for (size_t count = 1; count <= MANY; count++) {
        EXPECT_EQ(
            moat_co_resume_n(cos + MANY - count, NULL, events, count, &done),
            MOAT_OK);
        EXPECT_EQ(done, count);
    }
    destroy_all(cos, MANY);
    EXPECT_EQ(munmap(page, 2 * PAGE), 0);
}

/* --- creating many in one call -------------------------------------------- */

/* More than one chunk of a call, than the first arenas hold, than a thread
 * keeps, and than stacks of the largest size fit into 47 bits of addresses. */
#define CROWD ((size_t)2100)

static void *tell_user(moat_co *self, void *input)
{
    (void)input;
    (void)moat_co_yield(self, moat_co_user(self));
    return self;
}

/* Expects each handle to be unique and its guest to run. */
static void expect_whole(moat_co **cos, void *const *users, size_t count)
{
    static moat_event events[CROWD];
    size_t done;

    for (size_t i = 0; i < count; i++) {
        expect_context("%zu of %zu", i, count);
        REQUIRE(cos[i] != NULL);
        EXPECT_EQ(moat_co_get_state(cos[i]), MOAT_CO_FRESH);
    }
    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, count, &done), MOAT_OK);
    for (size_t i = 0; i < count; i++) {
        expect_context("%zu of %zu", i, count);
        EXPECT_EQ(events[i].kind, MOAT_EVENT_YIELD);
        EXPECT(events[i].value == (users != NULL ? users[i] : NULL));
    }
    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, count, &done), MOAT_OK);
    for (size_t i = 0; i < count; i++) {
        expect_context("%zu of %zu", i, count);
        EXPECT_EQ(events[i].kind, MOAT_EVENT_RETURN);
        EXPECT(events[i].value == cos[i]);
    }
}

static size_t live(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    return info.live;
}

static void as_many_are_made_as_asked_for(const void *arg)
{
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 200, CROWD};
    static moat_co *cos[CROWD];
    static void *users[CROWD];

    (void)arg;
    for (size_t i = 0; i < CROWD; i++)
        users[i] = &users[CROWD - i - 1];
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        void *const *given = i % 2 != 0 ? users : NULL;
        size_t done = CROWD + 1, count = counts[i];

        memset(cos, 0, sizeof cos);
        EXPECT_EQ(moat_co_create_n(cos, tell_user, NULL, given, count, &done),
                  MOAT_OK);
        EXPECT_EQ(done, count);
        EXPECT_EQ(live(), count);
        EXPECT(count == CROWD || cos[count] == NULL);
        expect_whole(cos, given, count);
        destroy_all(cos, count);
        EXPECT_EQ(live(), 0);
    }
}

static void all_have_the_options(const void *arg)
{
    static moat_co *cos[MANY];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    char name[] = "one of many";
    moat_stack_info info;
    size_t done;

    (void)arg;
    options.stack_bytes = (size_t)80 << 10;
    options.guard_bytes = (size_t)12 << 10;
    options.user = name;
    options.name = name;
    EXPECT_EQ(moat_co_create_n(cos, echo, &options, NULL, MANY, &done),
              MOAT_OK);
    name[0] = '\0';
    for (size_t i = 0; i < MANY; i++) {
        expect_context("%zu", i);
        EXPECT_STR(moat_co_name(cos[i]), "one of many");
        EXPECT(moat_co_user(cos[i]) == name);
        EXPECT_EQ(moat_co_stack_info(cos[i], &info), MOAT_OK);
        EXPECT(info.base - info.limit >= options.stack_bytes);
        EXPECT(info.limit - info.guard >= options.guard_bytes);
    }
    destroy_all(cos, MANY);
}

static void all_have_the_limits(const void *arg)
{
    moat_co *cos[3];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    size_t done;

    (void)arg;
    limits.wall_ns = 1000000;
    options.limits = &limits;
    EXPECT_EQ(moat_co_create_n(cos, spin, &options, NULL, 3, &done), MOAT_OK);
    EXPECT_EQ(done, 3);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_EQ(moat_co_resume(cos[i], NULL, &event), MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    }
    destroy_all(cos, 3);
}

/* Writes into the guard, right below the stack. */
static void *write_below(moat_co *self, void *input)
{
    moat_stack_info info;

    (void)self;
    if (moat_stack_bounds(&info) != MOAT_OK)
        return NULL;
    ((volatile char *)info.limit)[0] = 1;
    ((volatile char *)info.limit)[-1] = 1;
    return input;
}

static void each_has_its_guard(const void *arg)
{
    static moat_co *cos[CROWD];
    static moat_event events[CROWD];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t done;

    (void)arg;
    options.stack_bytes = (size_t)16 << 10;
    EXPECT_EQ(moat_co_create_n(cos, write_below, &options, NULL, CROWD, &done),
              MOAT_OK);
    EXPECT_EQ(moat_co_resume_n(cos, NULL, events, CROWD, &done), MOAT_OK);
    for (size_t i = 0; i < CROWD; i++) {
        moat_trap_info info = MOAT_TRAP_INFO_INIT;

        expect_context("%zu", i);
        EXPECT_EQ(events[i].kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_trap_info(cos[i], &info), MOAT_OK);
        EXPECT_EQ(info.kind, MOAT_TRAP_STACK_OVERFLOW);
    }
    destroy_all(cos, CROWD);
}

static int compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (moat_co *const *)a;
    uintptr_t y = (uintptr_t) * (moat_co *const *)b;

    return (x > y) - (x < y);
}

static void finish_and_destroy(moat_co **cos, size_t count)
{
    static moat_event events[CROWD];
    size_t done;

    for (int i = 0; i < 2; i++)
        EXPECT_EQ(moat_co_resume_n(cos, NULL, events, count, &done), MOAT_OK);
    destroy_all(cos, count);
}

/* Stacks come from wherever destroy has put them: the thread's spares, its
 * pool, the lists of all threads. */
static void used_stacks_are_taken_first(const void *arg)
{
    static moat_co *before[CROWD], *after[CROWD];
    static const moat_co_options plain = MOAT_CO_OPTIONS_INIT;
    size_t done;

    (void)arg;
    for (int with_options = 0; with_options < 2; with_options++) {
        const moat_co_options *options = with_options ? &plain : NULL;
        /* Coroutines with options do not become spares. */
        size_t count = with_options ? MANY : CROWD;

        EXPECT_EQ(
            moat_co_create_n(before, tell_user, options, NULL, count, &done),
            MOAT_OK);
        if (with_options)
            destroy_all(before, count);
        else
            finish_and_destroy(before, count);
        EXPECT_EQ(
            moat_co_create_n(after, tell_user, options, NULL, count, &done),
            MOAT_OK);
        qsort(before, count, sizeof *before, compare);
        qsort(after, count, sizeof *after, compare);
        EXPECT(memcmp(before, after, count * sizeof *before) == 0);
        finish_and_destroy(after, count);
    }
}

static void bad_orders_are_refused(const void *arg)
{
    moat_co *const untouched = (moat_co *)(uintptr_t)0x5150;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *cos[2] = {untouched, untouched};
    size_t done = 9;

    (void)arg;
    EXPECT_EQ(moat_co_create_n(NULL, echo, NULL, NULL, 1, &done), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_create_n(cos, NULL, NULL, NULL, 1, &done), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_create_n(cos, echo, NULL, NULL, 1, NULL), MOAT_E_INVAL);
    EXPECT_EQ(done, 9);
    options.flags = UINT64_C(1) << 40;
    EXPECT_EQ(moat_co_create_n(cos, echo, &options, NULL, 2, &done),
              MOAT_E_INVAL);
    EXPECT_EQ(done, 0);
    options.flags = 0;
    limits.slice_ns = 1;
    options.limits = &limits;
    done = 9;
    EXPECT_EQ(moat_co_create_n(cos, echo, &options, NULL, 2, &done),
              MOAT_E_INVAL);
    EXPECT_EQ(done, 0);
    EXPECT_EQ(moat_co_create_n(cos, echo, &options, NULL, 0, &done),
              MOAT_E_INVAL);
    EXPECT(cos[0] == untouched && cos[1] == untouched);
    EXPECT_EQ(live(), 0);
}

/* The coroutines that were created remain, as many as *done counts. */
static void without_address_space_the_first_ones_stay(const void *arg)
{
    static moat_co *cos[CROWD];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t done = 0, all;

    (void)arg;
    options.stack_bytes = (size_t)64 << 30;
    EXPECT_EQ(moat_co_create_n(cos, tell_user, &options, NULL, CROWD, &done),
              MOAT_E_NOMEM);
    EXPECT(done < CROWD);
    EXPECT(cos[done] == NULL);
    EXPECT_EQ(live(), done);
    expect_whole(cos, NULL, done);
    all = done;
    /* Those that are destroyed are available to the next call. */
    destroy_all(cos, all / 2);
    EXPECT_EQ(moat_co_create_n(cos, tell_user, &options, NULL, CROWD, &done),
              MOAT_E_NOMEM);
    EXPECT_EQ(done, all / 2);
    expect_whole(cos, NULL, done);
    destroy_all(cos, all);
    EXPECT_EQ(live(), 0);
}

/* Returns the number in a file of /proc; 0 if it cannot be read. */
static size_t read_number(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t number = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%zu", &number) != 1)
        number = 0;
    (void)fclose(file);
    return number;
}

/* A PROT_NONE guard costs two mappings. */
static void without_mappings_the_first_ones_stay(const void *arg)
{
    size_t most = read_number("/proc/sys/vm/max_map_count");
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t done = 0;
    moat_co **cos;

    (void)arg;
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    if (info.guard != MOAT_GUARD_MPROTECT || most == 0 || most > 100000)
        return;
    cos = calloc(most, sizeof *cos);
    REQUIRE(cos != NULL);
    options.stack_bytes = 4096;
    EXPECT_EQ(moat_co_create_n(cos, echo, &options, NULL, most, &done),
              MOAT_E_GUARD_LIMIT);
    EXPECT(done > 64 && done < most / 2);
    EXPECT(cos[done - 1] != NULL && cos[done] == NULL);
    EXPECT_EQ(live(), done);
    destroy_all(cos, done);
    EXPECT_EQ(live(), 0);
    free(cos);
}

/* Guests can create many, too. */
static void *make_many(moat_co *self, void *input)
{
    static moat_co *cos[MANY];
    size_t done = 0;

    EXPECT_EQ(moat_co_create_n(cos, tell_user, NULL, NULL, MANY, &done),
              MOAT_OK);
    EXPECT_EQ(done, MANY);
    expect_whole(cos, NULL, MANY);
    destroy_all(cos, MANY);
    (void)input;
    return self;
}

/* The guest's array ends at this address, in the middle of the call. */
static char *edge;

static void *make_beyond(moat_co *self, void *input)
{
    size_t done;

    (void)self;
    EXPECT(moat_co_create_n((moat_co **)(void *)edge - 2, echo, NULL, NULL, 64,
                            &done) != MOAT_OK);
    return input;
}

static void *make_users_beyond(moat_co *self, void *input)
{
    static moat_co *cos[64];
    size_t done;

    (void)self;
    EXPECT(moat_co_create_n(cos, echo, NULL, (void **)(void *)edge - 2, 64,
                            &done) != MOAT_OK);
    return input;
}

static void *make_with_a_bad_name(moat_co *self, void *input)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    (void)self;
    options.name = edge - 1;
    EXPECT(moat_co_create(&co, echo, &options) != MOAT_OK);
    return input;
}

static size_t mapped_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;

    REQUIRE(file != NULL);
    REQUIRE(fscanf(file, "%zu", &pages) == 1);
    (void)fclose(file);
    return pages * PAGE;
}

static void trap_often(moat_entry entry)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    for (int i = 0; i < 500; i++) {
        REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
        REQUIRE(event.kind == MOAT_EVENT_TRAP);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
}

static void a_guests_bad_memory_costs_no_stacks(const void *arg)
{
    const moat_entry entries[] = {make_beyond, make_users_beyond,
                                  make_with_a_bad_name};

    (void)arg;
    edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(edge != MAP_FAILED);
    edge += PAGE;
    edge[-1] = 'n';
    REQUIRE(mprotect(edge, PAGE, PROT_NONE) == 0);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        size_t before;

        expect_context("case %zu", i);
        trap_often(entries[i]);
        before = mapped_bytes();
        trap_often(entries[i]);
        EXPECT(mapped_bytes() <= before + ((size_t)8 << 20));
    }
    EXPECT_EQ(live(), 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void a_guest_makes_many(const void *arg)
{
    moat_co *co = create(make_many);
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    (void)arg;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
    EXPECT_EQ(live(), 0);
}

static void *make_and_destroy(void *arg)
{
    moat_co *cos[MANY];
    size_t done;

    (void)arg;
    for (int i = 0; i < 50; i++) {
        EXPECT_EQ(moat_co_create_n(cos, echo, NULL, NULL, MANY, &done),
                  MOAT_OK);
        destroy_all(cos, MANY);
    }
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

static void threads_make_many_at_the_same_time(const void *arg)
{
    pthread_t threads[3];

    (void)arg;
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, make_and_destroy, NULL) == 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    EXPECT_EQ(live(), 0);
}

#if UNDER_ASAN || UNDER_TSAN
#    define NEEDS_ADDRESSES "the sanitizer needs the address space"
#else
#    define NEEDS_ADDRESSES NULL
#endif

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(each_has_its_value_and_event),
        CHILD_CASE(ends_and_traps_do_not_stop_it),
        CHILD_CASE(it_stops_at_what_cannot_be_resumed),
        CHILD_CASE(missing_arguments_are_refused),
        CHILD_CASE(one_may_destroy_a_later_one),
        CHILD_CASE(nothing_behind_the_array_is_read),
        CHILD_CASE(another_threads_are_refused),
        CHILD_CASE(as_many_are_made_as_asked_for),
        CHILD_CASE(all_have_the_options),
        CHILD_CASE(all_have_the_limits),
        CHILD_CASE(each_has_its_guard),
        CHILD_CASE(used_stacks_are_taken_first),
        CHILD_CASE(bad_orders_are_refused),
        {"without_address_space_the_first_ones_stay",
         without_address_space_the_first_ones_stay, NULL, NEEDS_ADDRESSES, 0,
         0},
        CHILD_CASE(without_mappings_the_first_ones_stay),
        CHILD_CASE(a_guest_makes_many),
        {"a_guests_bad_memory_costs_no_stacks",
         a_guests_bad_memory_costs_no_stacks, NULL, NEEDS_ADDRESSES, 0, 0},
        CHILD_CASE(threads_make_many_at_the_same_time),
    };

    return child_cases_run("batch", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
