/*
 * test_memory.c: unused memory of stacks is released to the system, on demand
 * and by the engine's options.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"

#define PAGE ((size_t)4096)
/* ThreadSanitizer is slow at each mapping. */
#define MANY  (UNDER_TSAN ? 1500 : 5000) /* more than pools and spares hold */
#define CROWD (UNDER_TSAN ? (size_t)1200 : (size_t)3000)
#define DEPTH ((size_t)100 << 10)

static moat_co *all[5000];

static void *use_little(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void *use_much(moat_co *self, void *input)
{
    volatile char used[DEPTH];

    (void)self;
    for (size_t i = 0; i < DEPTH; i += PAGE)
        used[i] = 1;
    return used[0] != 0 ? input : NULL;
}

static void *wait_in_the_middle(moat_co *self, void *input)
{
    volatile char mark[64];

    memset((char *)mark, 0x5a, sizeof mark);
    (void)moat_co_yield(self, input);
    return (void *)(uintptr_t)(mark[0] == 0x5a && mark[63] == 0x5a);
}

static moat_event resume(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    return event;
}

static void make_many(moat_entry entry, const moat_co_options *options,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        REQUIRE(moat_co_create(&all[i], entry, options) == MOAT_OK);
        (void)resume(all[i]);
    }
}

static void destroy_many(size_t count)
{
    for (size_t i = 0; i < count; i++)
        moat_co_destroy(all[i]);
}

static size_t trim(size_t keep)
{
    size_t released = 0;

    EXPECT_EQ(moat_engine_trim(keep, &released), MOAT_OK);
    return released;
}

static moat_stack_info stack_of(const moat_co *co)
{
    moat_stack_info stack = {0};

    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    return stack;
}

/* Returns how many bytes of a stack are resident; 0 also if it is not
 * mapped. */
static size_t resident(const moat_stack_info *stack)
{
    static unsigned char words[4096];
    size_t pages = (stack->base - stack->limit + PAGE - 1) / PAGE, bytes = 0;

    REQUIRE(pages <= sizeof words);
    if (mincore((void *)stack->limit, pages * PAGE, words) != 0)
        return 0;
    for (size_t i = 0; i < pages; i++)
        bytes += (words[i] & 1) * PAGE;
    return bytes;
}

static size_t status_bytes(const char *label)
{
    char line[256];
    size_t kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "re");

    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, label, strlen(label)) == 0)
            kilobytes = strtoul(line + strlen(label), NULL, 10);
    }
    (void)fclose(file);
    return kilobytes << 10;
}

static void start(size_t keep_free, size_t keep_stack)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    options.keep_free_bytes = keep_free;
    options.keep_stack_bytes = keep_stack;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
}

/* ---- On demand ---- */

static void a_trim_of_nothing_is_fine(const void *arg)
{
    (void)arg;
    EXPECT_EQ(trim(0), 0);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    EXPECT_EQ(trim(0), 0);
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
}

static void memory_and_page_tables_go_back(const void *arg)
{
    size_t before, tables, released;

    (void)arg;
    make_many(use_little, NULL, 1);
    destroy_many(1);
    (void)trim(0);
    before = status_bytes("VmRSS:");
    tables = status_bytes("VmPTE:");
    for (int i = 0; i < 3; i++) {
        make_many(use_little, NULL, MANY);
        destroy_many(MANY);
        released = trim(0);
        EXPECT(released >= MANY * PAGE);
        EXPECT(released < 3 * MANY * PAGE);
        EXPECT_EQ(trim(0), 0);
    }
    /* Sanitizers map shadow memory for moat's memory. */
    if (!UNDER_ASAN && !UNDER_TSAN) {
        EXPECT(status_bytes("VmRSS:") < before + MANY * PAGE / 10);
        EXPECT(status_bytes("VmPTE:") < tables + MANY * 648 / 10);
    }
}

static void living_coroutines_keep_theirs(const void *arg)
{
    moat_co *living[3] = {NULL};

    (void)arg;
    for (size_t i = 0; i < 3; i++) {
        make_many(use_little, NULL, MANY / 3);
        REQUIRE(moat_co_create(&living[i], wait_in_the_middle, NULL) ==
                MOAT_OK);
        EXPECT_EQ(resume(living[i]).kind, MOAT_EVENT_YIELD);
        destroy_many(MANY / 3);
    }
    EXPECT(trim(0) > 0);
    for (size_t i = 0; i < 3; i++) {
        moat_event event = resume(living[i]);

        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT(event.value != NULL);
        moat_co_destroy(living[i]);
    }
    EXPECT(trim(0) > 0);
}

static size_t descend(size_t depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    return depth == 0 ? 0 : descend(depth - 1) + (size_t)frame[0];
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    return (void *)descend((size_t)1 << 20);
}

static void guards_hold_after_a_trim(const void *arg)
{
    moat_trap_info info;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        memset(&info, 0, sizeof info);
        info.struct_size = sizeof info;
        make_many(overflow, NULL, 3);
        EXPECT_EQ(moat_co_trap_info(all[2], &info), MOAT_OK);
        EXPECT_EQ(info.kind, MOAT_TRAP_STACK_OVERFLOW);
        destroy_many(3);
        EXPECT(trim(0) > 0);
    }
}

static void so_much_is_kept(const void *arg)
{
    size_t released;

    (void)arg;
    make_many(use_little, NULL, MANY);
    destroy_many(MANY);
    released = trim(1000 * PAGE);
    EXPECT(released > 0);
    EXPECT(released < MANY * PAGE * 2 - 900 * PAGE);
    released = trim(0);
    EXPECT(released >= 900 * PAGE);
}

static void *trim_inside(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_engine_trim(0, input), MOAT_OK);
    return input;
}

static void *trim_at_the_end_of_the_stack(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_engine_trim(0, input), MOAT_E_LIMIT);
    return input;
}

static void a_guest_may_trim_if_it_has_room(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t released = 5;
    moat_event event;
    moat_co *co = NULL;

    (void)arg;
    make_many(use_little, NULL, 10);
    destroy_many(10);
    REQUIRE(moat_co_create(&co, trim_inside, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, &released, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(released >= 9 * PAGE);
    moat_co_destroy(co);
    options.stack_bytes = PAGE;
    released = 5;
    REQUIRE(moat_co_create(&co, trim_at_the_end_of_the_stack, &options) ==
            MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, &released, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(released, 5);
    moat_co_destroy(co);
}

/* ---- While other threads work ---- */

static atomic_bool done;

static void *live_and_die(void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co **crowd = calloc(CROWD, sizeof(moat_co *));

    (void)arg;
    REQUIRE(crowd != NULL);
    options.flags = MOAT_CO_SCRUB_ZERO;
    for (int round = 0; round < (UNDER_TSAN ? 2 : 4); round++) {
        for (size_t i = 0; i < CROWD; i++) {
            REQUIRE(moat_co_create(&crowd[i], wait_in_the_middle,
                                   i % 2 ? &options : NULL) == MOAT_OK);
            EXPECT_EQ(resume(crowd[i]).kind, MOAT_EVENT_YIELD);
        }
        for (size_t i = 0; i < CROWD; i++) {
            moat_event event = resume(crowd[i]);

            EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
            EXPECT(event.value != NULL);
            moat_co_destroy(crowd[i]);
        }
    }
    free(crowd);
    return NULL;
}

static void *trim_on_and_on(void *arg)
{
    size_t total = 0, released;

    (void)arg;
    while (!atomic_load(&done)) {
        EXPECT_EQ(moat_engine_trim(total % 3 * 100 * PAGE, &released), MOAT_OK);
        total += 1 + released;
        (void)usleep(1000);
    }
    return NULL;
}

static void others_create_and_destroy_meanwhile(const void *arg)
{
    pthread_t users[2], trimmers[2];

    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&users[i], NULL, live_and_die, NULL) == 0);
        REQUIRE(pthread_create(&trimmers[i], NULL, trim_on_and_on, NULL) == 0);
    }
    for (size_t i = 0; i < 2; i++)
        REQUIRE(pthread_join(users[i], NULL) == 0);
    atomic_store(&done, true);
    for (size_t i = 0; i < 2; i++)
        REQUIRE(pthread_join(trimmers[i], NULL) == 0);
    (void)trim(0);
    EXPECT_EQ(trim(0), 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void *use_much_and_yield(moat_co *self, void *input)
{
    volatile char used[DEPTH];

    memset((char *)used, 0x5a, sizeof used);
    return moat_co_yield(self, input);
}

static void *leave_one(void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.flags = MOAT_CO_SCRUB_ZERO;
    REQUIRE(moat_co_create(arg, use_much_and_yield, &options) == MOAT_OK);
    (void)resume(*(moat_co **)arg);
    return NULL;
}

/* There is no owner's pool in which the stack could wait. */
static void an_orphans_stack_is_scrubbed_at_once(const void *arg)
{
    moat_stack_info stack;
    moat_co *orphan = NULL, *other = NULL;
    size_t bytes = 0;
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, leave_one, &orphan) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    moat_co_destroy(orphan);
    REQUIRE(moat_co_create(&other, use_little, NULL) == MOAT_OK);
    REQUIRE(other == orphan);
    stack = stack_of(other);
    for (uintptr_t at = stack.limit; at < stack.base - 1024; at++)
        bytes += *(const char *)at == 0x5a;
    EXPECT_EQ(bytes, 0);
}

static void a_forked_child_trims_for_itself(const void *arg)
{
    moat_co *co = NULL;
    int status = 0;
    pid_t child;

    (void)arg;
    make_many(use_little, NULL, 500);
    destroy_many(500);
    REQUIRE(moat_co_create(&co, wait_in_the_middle, NULL) == MOAT_OK);
    (void)resume(co);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        EXPECT(trim(0) > 0);
        EXPECT(resume(co).value != NULL);
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT(trim(0) > 0);
    EXPECT(resume(co).value != NULL);
}

/* ---- By the engine's options ---- */

/* Each stack is freed once. Pools keep their share in addition. */
static void free_stacks_keep_the_configured_bytes(const void *arg)
{
    size_t kept = 100 * PAGE, pooled = 2048 * 2 * PAGE;

    (void)arg;
    start(kept, 0);
    make_many(use_little, NULL, MANY);
    destroy_many(MANY);
    EXPECT(trim(0) <= kept + pooled);
}

static void without_a_policy_free_stacks_keep_all(const void *arg)
{
    (void)arg;
    start(0, 0);
    make_many(use_much, NULL, 200);
    destroy_many(200);
    EXPECT(trim(0) >= 200 * DEPTH);
}

static void a_free_stack_keeps_the_configured_bytes(const void *arg)
{
    moat_stack_info stack;

    (void)arg;
    start(0, 3 * PAGE);
    make_many(use_much, NULL, 200);
    stack = stack_of(all[0]);
    EXPECT(resident(&stack) >= DEPTH);
    destroy_many(200);
    EXPECT(resident(&stack) > 0);
    EXPECT(resident(&stack) <= 3 * PAGE);
    EXPECT(trim(0) <= 200 * 5 * PAGE);
}

static void both_hold_at_once_and_scrubbed_stacks_too(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    (void)arg;
    start(1, PAGE);
    options.flags = MOAT_CO_SCRUB_ZERO;
    options.stack_bytes = DEPTH + 8 * PAGE;
    make_many(use_much, &options, 2000);
    destroy_many(2000);
    EXPECT(trim(0) <= 1100 * 3 * PAGE);
}

static void other_policies_are_refused_later(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    start(PAGE, 5);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_STATE);
    options.keep_free_bytes = PAGE;
    EXPECT_EQ(moat_engine_init(&options), MOAT_E_STATE);
    options.keep_stack_bytes = 5;
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    start(0, 0);
}

/* ---- Methods ---- */

static moat_engine_info get_info(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    return info;
}

static void the_environment_may_want_the_methods_of_old(const void *arg)
{
    (void)arg;
    REQUIRE(setenv("MOAT_PAGES", "old", 1) == 0);
    EXPECT_EQ(get_info().pagemap_scan, 0);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    EXPECT_EQ(get_info().pagemap_scan, 0);
    EXPECT_EQ(get_info().process_madvise, 0);
    make_many(use_little, NULL, 100);
    destroy_many(100);
    EXPECT(trim(0) >= 100 * PAGE);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    REQUIRE(setenv("MOAT_PAGES", "new", 1) == 0);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_E_INVAL);
    REQUIRE(setenv("MOAT_PAGES", "auto", 1) == 0);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
}

static const struct child_case cases[] = {
    CHILD_CASE(a_trim_of_nothing_is_fine),
    CHILD_CASE(memory_and_page_tables_go_back),
    CHILD_CASE(living_coroutines_keep_theirs),
    CHILD_CASE(guards_hold_after_a_trim),
    CHILD_CASE(so_much_is_kept),
    CHILD_CASE(a_guest_may_trim_if_it_has_room),
    CHILD_CASE(others_create_and_destroy_meanwhile),
    CHILD_CASE(an_orphans_stack_is_scrubbed_at_once),
    CHILD_CASE(a_forked_child_trims_for_itself),
    CHILD_CASE(free_stacks_keep_the_configured_bytes),
    CHILD_CASE(without_a_policy_free_stacks_keep_all),
    CHILD_CASE(a_free_stack_keeps_the_configured_bytes),
    CHILD_CASE(both_hold_at_once_and_scrubbed_stacks_too),
    CHILD_CASE(other_policies_are_refused_later),
    CHILD_CASE(the_environment_may_want_the_methods_of_old),
};

int main(int argc, char **argv)
{
    return child_cases_run("memory", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
