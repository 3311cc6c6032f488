/*
 * test_kept.c: blocks that outlive their guest, since a variable refers to
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <moat/malloc.h>

#include "guests.h"

/* So many guests end before a search is due for certain. */
#define GUESTS 200

/* Opaque to the compiler. */
static void *volatile bad = (void *)0x10;

static char *of_program;
static __thread char *of_thread;
static pthread_key_t key;
static char **of_host; /* a block of the host's */

static void *take_much(moat_co *self, void *input)
{
    char *block = malloc(100000);

    (void)self;
    (void)input;
    REQUIRE(block != NULL);
    return memset(block, 1, 100000);
}

static void run_others(void)
{
    moat_co *co = guest_with(take_much, QUOTA);

    for (int i = 0; i < GUESTS; i++) {
        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

enum where { PROGRAM, THREAD, KEY, HOST };

/* As a library does that is called for the first time. */
static void *put_text(moat_co *self, void *input)
{
    char *text = strdup("a text of the guest's");

    REQUIRE(text != NULL);
    switch (*(enum where *)input) {
    case PROGRAM:
        of_program = text;
        break;
    case THREAD:
        of_thread = text;
        break;
    case KEY:
        REQUIRE(pthread_setspecific(key, text) == 0);
        break;
    case HOST:
        *of_host = text;
        break;
    }
    (void)self;
    *(volatile int *)bad = 1;
    return input;
}

static char *text_at(enum where where)
{
    switch (where) {
    case PROGRAM:
        return of_program;
    case THREAD:
        return of_thread;
    case KEY:
        return pthread_getspecific(key);
    default:
        return *of_host;
    }
}

static void *use_text(moat_co *self, void *input)
{
    enum where where = *(enum where *)input;

    (void)self;
    if (strcmp(text_at(where), "a text of the guest's") != 0)
        *(volatile int *)bad = 1;
    return input;
}

static void a_block_stays(enum where where)
{
    moat_co *co = guest_with(put_text, QUOTA);

    REQUIRE(pthread_key_create(&key, NULL) == 0);
    of_host = malloc(sizeof *of_host);
    REQUIRE(of_host != NULL);
    EXPECT_EQ(guest_resume(co, &where), MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
    run_others();
    guest_run(use_text, &where);
    free(of_host);
}

static void in_a_variable_of_the_programs(const void *arg)
{
    (void)arg;
    a_block_stays(PROGRAM);
}

static void in_a_variable_of_the_threads(const void *arg)
{
    (void)arg;
    a_block_stays(THREAD);
}

static void in_a_value_of_a_key(const void *arg)
{
    (void)arg;
    a_block_stays(KEY);
}

static void in_a_block_of_the_hosts(const void *arg)
{
    (void)arg;
    a_block_stays(HOST);
}

/* Each guest makes it longer: it moves to that guest's heap. */
static void *append(moat_co *self, void *input)
{
    size_t length = of_program != NULL ? strlen(of_program) : 0;

    (void)self;
    REQUIRE(length == 0 || malloc_usable_size(of_program) > length);
    of_program = realloc(of_program, length + 1001);
    REQUIRE(of_program != NULL);
    memset(of_program + length, 'x', 1000);
    of_program[length + 1000] = '\0';
    if (input != NULL)
        *(volatile int *)bad = 1;
    return input;
}

static void the_next_guests_resize_it(const void *arg)
{
    moat_co *co = guest_with(append, QUOTA);
    size_t heaps;

    (void)arg;
    for (int i = 0; i < GUESTS; i++) {
        (void)guest_resume(co, i % 2 == 0 ? co : NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    EXPECT_EQ(strlen(of_program), 1000 * GUESTS);
    (void)moat_heap_kept(&heaps);
    EXPECT(heaps < GUESTS / 2);
    of_program = realloc(of_program, 1);
    REQUIRE(of_program != NULL);
    EXPECT(!moat_heap_had(of_program));
    free(of_program);
    moat_co_destroy(co);
}

static void *free_text(moat_co *self, void *input)
{
    (void)self;
    free(of_program);
    return input;
}

static void freeing_it_has_no_effect(const void *arg)
{
    enum where where = PROGRAM;
    moat_co *co = guest_with(put_text, QUOTA);

    (void)arg;
    EXPECT_EQ(guest_resume(co, &where), MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    free(of_program);
    guest_run(free_text, NULL);
    EXPECT(strcmp(of_program, "a text of the guest's") == 0);
}

static void it_can_be_switched_off(const void *arg)
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;
    enum where where = PROGRAM;
    moat_co *co = guest_with(put_text, QUOTA);

    (void)arg;
    options.keep_bytes = 0;
    EXPECT_EQ(moat_malloc_configure(&options), MOAT_OK);
    EXPECT_EQ(guest_resume(co, &where), MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    EXPECT_EQ(moat_heap_kept(NULL), 0);
    EXPECT_EQ(moat_heap_kept_block(of_program), 0);
}

/* On a stack of the usual size. */
static void *reset_another(moat_co *self, void *input)
{
    enum where where = PROGRAM;
    moat_co *inner = guest_with(put_text, QUOTA);

    (void)self;
    for (int i = 0; i < GUESTS; i++) {
        EXPECT_EQ(guest_resume(inner, &where), MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_reset(inner), MOAT_OK);
    }
    moat_co_destroy(inner);
    return input;
}

static void a_guest_ends_others(const void *arg)
{
    (void)arg;
    guest_run(reset_another, NULL);
    EXPECT(strcmp(of_program, "a text of the guest's") == 0);
}

static const struct child_case cases[] = {
    CHILD_CASE(in_a_variable_of_the_programs),
    CHILD_CASE(in_a_variable_of_the_threads),
    CHILD_CASE(in_a_value_of_a_key),
    CHILD_CASE(in_a_block_of_the_hosts),
    CHILD_CASE(the_next_guests_resize_it),
    CHILD_CASE(freeing_it_has_no_effect),
    CHILD_CASE(it_can_be_switched_off),
    CHILD_CASE(a_guest_ends_others),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.kept", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
