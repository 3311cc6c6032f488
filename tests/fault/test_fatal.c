/*
 * test_fatal.c: faults that are not a guest's trap end the process by their own
 * signal: the crimes of the table on the host's stack and in a no-trap section.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/fixture.h"
#include "scene.h"

static const char *const culprits[] = {
    "null_write",
    "null_call",
    "kernel_write",
    "not_canonical_read",
    "write_to_text",
    "file_hole_read",
    "own_guard_write",
    "overflow_by_calls",
    "rsp_in_alternate_stack_middle",
    "division_by_zero",
    "sse_division_unmasked",
    "ud2",
    "int3",
    "single_step",
    "hlt",
    "misaligned_with_ac_set",
    "null_write_with_ac_nt_df_set",
    "abort",
    "stack_smash_detected",
    "raise_sigsegv",
    "raise_sigfpe",
    "raise_sigtrap",
};

#define CULPRITS (sizeof(culprits) / sizeof(culprits[0]))

static const struct crime *crime_named(const char *name)
{
    for (size_t i = 0; i < crime_count; i++) {
        if (strcmp(crimes[i].name, name) == 0)
            return &crimes[i];
    }
    (void)fprintf(stderr, "there is no crime %s\n", name);
    exit(2);
}

static void *idle(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return input;
}

/* Everything is armed and one guest is suspended. The target is chosen as if
 * that guest were the criminal. */
static struct scene *armed_scene(const struct crime *crime)
{
    static struct scene scene;
    moat_event event;

    scene.crime = crime;
    REQUIRE(moat_co_create(&scene.bystander, idle, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(scene.bystander, NULL, &event) == MOAT_OK);
    REQUIRE(moat_co_stack_info(scene.bystander, &scene.stack) == MOAT_OK);
    if (crime->prepare != NULL)
        crime->prepare(&scene);
    return &scene;
}

static void on_the_host_stack(const void *arg)
{
    const struct crime *crime = arg;

    (void)crime->body(NULL, armed_scene(crime));
}

/* A guest ran, trapped and was destroyed: no trace of it may remain. */
static void on_the_host_stack_after_a_trap(const void *arg)
{
    const struct crime *crime = arg;
    const struct crime *other = crime_named("null_read");
    struct scene *scene = armed_scene(other);
    moat_co *co = NULL;
    moat_event event;

    REQUIRE(moat_co_create(&co, other->body, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(co, scene, &event) == MOAT_OK);
    REQUIRE(event.kind == MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    (void)crime->body(NULL, armed_scene(crime));
}

static void *in_section(moat_co *self, void *input)
{
    struct scene *scene = input;

    moat_notrap_enter();
    moat_notrap_enter();
    moat_notrap_leave();
    return scene->crime->body(self, scene);
}

static void in_a_notrap_section(const void *arg)
{
    struct scene *scene = armed_scene(arg);
    moat_co *co = NULL;
    moat_event event;

    REQUIRE(moat_co_create(&co, in_section, NULL) == MOAT_OK);
    REQUIRE(moat_co_stack_info(co, &scene->stack) == MOAT_OK);
    if (scene->crime->prepare != NULL)
        scene->crime->prepare(scene);
    EXPECT_EQ(moat_co_resume(co, scene, &event), MOAT_OK);
}

static void *host_thread(void *arg)
{
    on_the_host_stack(arg);
    return NULL;
}

static void on_a_second_host_thread(const void *arg)
{
    pthread_t thread;

    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(pthread_create(&thread, NULL, host_thread,
                           (void *)(uintptr_t)arg) == 0);
    (void)pthread_join(thread, NULL);
}

static void *unattached_thread(void *arg)
{
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return arg;
}

static void on_a_thread_that_never_met_moat(const void *arg)
{
    pthread_t thread;

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(pthread_create(&thread, NULL, unattached_thread, NULL) == 0);
    (void)pthread_join(thread, NULL);
}

static void raise_on_the_host_stack(const void *arg)
{
    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    moat_trap_raise(1);
}

static void raise_in_a_notrap_section(const void *arg)
{
    (void)arg;
    in_a_notrap_section(crime_named("moat_trap_raise"));
}

/* A guest that blocks the signal of its own fault: the kernel ends the process,
 * whatever handler is installed. */
static void *block_and_fault(moat_co *self, void *input)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    return crime_named("null_write")->body(self, input);
}

static void guest_blocks_its_signals(const void *arg)
{
    struct scene *scene = armed_scene(crime_named("null_write"));
    moat_co *co = NULL;
    moat_event event;

    (void)arg;
    REQUIRE(moat_co_create(&co, block_and_fault, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, scene, &event), MOAT_OK);
}

static const struct {
    const char *name;
    void (*body)(const void *arg);
} places[] = {
    {"on the host's stack", on_the_host_stack},
    {"on the host's stack after a trap", on_the_host_stack_after_a_trap},
    {"on a second thread's host stack", on_a_second_host_thread},
    {"in a no-trap section", in_a_notrap_section},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

static const struct child_case singles[] = {
    {"fault on a thread that never met moat", on_a_thread_that_never_met_moat,
     NULL, NULL, SIGSEGV, 0},
    {"moat_trap_raise on the host's stack aborts", raise_on_the_host_stack,
     NULL, NULL, SIGABRT, 0},
    {"moat_trap_raise in a no-trap section aborts", raise_in_a_notrap_section,
     NULL, NULL, SIGABRT, 0},
    {"fault of a guest that blocks the fault's signal",
     guest_blocks_its_signals, NULL, NULL, SIGSEGV, 0},
};

#define SINGLES (sizeof(singles) / sizeof(singles[0]))

static struct child_case make_case(size_t place, const struct crime *crime)
{
    struct child_case test = {NULL,         places[place].body,
                              crime,        scene_cannot_be_played(crime),
                              crime->signo, 0};
    size_t size = strlen(crime->name) + strlen(places[place].name) + 16;
    char *name = malloc(size);

    if (name == NULL)
        exit(2);
    (void)snprintf(name, size, "%s %s is fatal", crime->name,
                   places[place].name);
    test.name = name;
    return test;
}

int main(int argc, char **argv)
{
    static struct child_case cases[PLACES * CULPRITS + SINGLES];
    size_t count = 0;
    int failed;

    for (size_t i = 0; i < PLACES; i++) {
        for (size_t j = 0; j < CULPRITS; j++)
            cases[count++] = make_case(i, crime_named(culprits[j]));
    }
    memcpy(&cases[count], singles, sizeof(singles));
    failed = child_cases_run("faults outside guests stay fatal", cases,
                             count + SINGLES, argc > 1 ? argv[1] : NULL);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)cases[i].name);
    return failed;
}
