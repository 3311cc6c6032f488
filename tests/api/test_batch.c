/*
 * test_batch.c: many resumes in one call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define MANY ((size_t)100) /* more than are fetched ahead */

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
    /* On behind it. */
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

/* The list may name what is gone when its turn comes. */
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

/* What is fetched ahead ends where the array ends. */
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
    };

    return child_cases_run("batch", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
