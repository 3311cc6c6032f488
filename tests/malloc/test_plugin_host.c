/*
 * test_plugin_host.c: a host of plugins outlives what they do, a thousand
 * times, and nothing is left locked.
 *
 *     malloc_plugin_host PLUGIN [TIMES]
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <moat/malloc.h>
#include <moat/moat.h>

#include "support/fixture.h"

static const char *plugin;
static unsigned times = 20;

static int (*run_in_plugin)(const char *crime, jmp_buf *out);
static jmp_buf outside;

/* ANY: it goes unnoticed within the guest's own heap, or traps. */
#define ANY  (-1)
#define TRAP MOAT_EVENT_TRAP

static const struct {
    const char *name;
    int event;
    int kind;
} crimes[] = {
    {"double free", TRAP, MOAT_TRAP_ABORT},
    {"heap overflow, free", ANY, 0},
    {"endless malloc", TRAP, MOAT_TRAP_MEMORY_LIMIT},
    {"exit", TRAP, MOAT_TRAP_EXIT},
    {"raise(SIGTERM)", TRAP, MOAT_TRAP_SIGNAL},
    {"faulting thread", TRAP, MOAT_TRAP_THREAD},
    {"fork", TRAP, MOAT_TRAP_PROCESS},
    {"longjmp out", TRAP, MOAT_TRAP_JUMP},
    {"throw", MOAT_EVENT_PANIC, 0},
};

/* ---- What must work after each ---- */

static void *use_all(void *arg)
{
    time_t now = time(NULL);
    char *block = malloc(5000);
    FILE *file = fopen("/dev/null", "w");

    REQUIRE(block != NULL && file != NULL);
    memset(block, 1, 5000);
    free(block);
    EXPECT(fprintf(file, "%d %s\n", 1, "text") == 7);
    EXPECT_EQ(fclose(file), 0);
    EXPECT(printf("%s", "") == 0);
    EXPECT(dlsym(RTLD_DEFAULT, "getpid") != NULL);
    EXPECT(localtime(&now) != NULL);
    return arg;
}

static void use_all_everywhere(void)
{
    pthread_t other;

    (void)use_all(NULL);
    REQUIRE(pthread_create(&other, NULL, use_all, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
}

/* ---- The host ---- */

static void load(void)
{
    void *handle = dlopen(plugin, RTLD_LAZY), *found;

    REQUIRE(handle != NULL);
    found = dlsym(handle, "plugin_run");
    REQUIRE(found != NULL);
    memcpy(&run_in_plugin, &found, sizeof run_in_plugin);
}

static void *call_plugin(moat_co *self, void *input)
{
    (void)self;
    (void)run_in_plugin(input, &outside);
    return input;
}

static void commit(size_t i)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co;

    limits.memory_bytes = (size_t)4 << 20;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, call_plugin, &options) == MOAT_OK);
    if (setjmp(outside) != 0)
        expect_true(false, "no longjmp comes out", __FILE__, __LINE__);
    REQUIRE(moat_co_resume(co, (void *)crimes[i].name, &event) == MOAT_OK);
    if (crimes[i].event != ANY)
        EXPECT_EQ(event.kind, crimes[i].event);
    if (crimes[i].event == TRAP) {
        EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
        EXPECT_EQ(info.kind, crimes[i].kind);
    }
    moat_co_destroy(co);
    use_all_everywhere();
}

static void it_outlives(const void *arg)
{
    size_t i = *(const size_t *)arg;

    load();
    for (unsigned j = 0; j < times; j++) {
        expect_context("%s, call %u", crimes[i].name, j);
        commit(i);
    }
}

#define COUNT (sizeof crimes / sizeof crimes[0])

int main(int argc, char **argv)
{
    static struct child_case cases[COUNT];
    static size_t numbers[COUNT];

    if (argc < 2)
        return 2;
    plugin = argv[1];
    if (argc > 2)
        times = (unsigned)strtoul(argv[2], NULL, 10);
    for (size_t i = 0; i < COUNT; i++) {
        numbers[i] = i;
        cases[i] = (struct child_case){crimes[i].name, it_outlives, &numbers[i],
                                       NULL,           0,           0};
    }
    return child_cases_run("malloc.plugin_host", cases, COUNT, NULL);
}
