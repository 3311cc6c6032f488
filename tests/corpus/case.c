/*
 * case.c: loads a case and calls its functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "case.h"

#include <alloca.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include "progress.h"

/* The range in which the first frame moves, one phase per repetition. */
#define PHASE_BYTES 8192u

static struct case_functions functions;

static void *load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);

    if (handle == NULL)
        progress_give_up("does not load: ", dlerror());
    *(void **)&functions.setup = dlsym(handle, "hcase_setup");
    *(void **)&functions.run = dlsym(handle, "hcase_run");
    *(void **)&functions.teardown = dlsym(handle, "hcase_teardown");
    if (functions.setup == NULL || functions.run == NULL)
        progress_give_up("no case: hcase_setup or hcase_run is missing", "");
    return handle;
}

void *case_load(const char *path, const struct case_functions *linked)
{
    void *handle;

    progress_step("loading");
    if (linked != NULL) {
        functions = *linked;
        handle = dlopen(NULL, RTLD_NOW);
    } else {
        handle = load(path);
    }
    progress_step("in its set-up");
    if (functions.setup(0) != 0)
        progress_give_up("its set-up fails", "");
    return handle;
}

void *case_enter(moat_co *self, void *input)
{
    volatile char *skipped = alloca((size_t)(uintptr_t)input + 1);
    int result;

    (void)self;
    skipped[0] = 0;
    result = functions.run();
    skipped[0] = 1;
    return (void *)(intptr_t)result;
}

void *case_phase(unsigned repetition, unsigned phases)
{
    uintptr_t phase = repetition % phases * PHASE_BYTES / phases;

    return (void *)(phase & ~(uintptr_t)15);
}

void case_teardown(void)
{
    progress_step("in its tear-down");
    if (functions.teardown != NULL)
        functions.teardown();
}
