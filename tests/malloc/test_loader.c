/*
 * test_loader.c: what the dynamic linker takes on a guest's stack outlives the
 * guest: a thread's copy of a library's thread-locals.
 *
 *   malloc_loader PLUGIN
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "guests.h"

static int *(*numbers)(void);

static void *touch(moat_co *self, void *input)
{
    numbers()[1999] = 7;
    EXPECT_EQ(moat_heap_used(moat_co_heap(self)), 0);
    return input;
}

static void thread_locals_outlive_the_guest(const void *arg)
{
    void *plugins[3];

    for (int i = 0; i < 3; i++) {
        plugins[i] = dlopen(arg, RTLD_NOW | RTLD_LOCAL);
        REQUIRE(plugins[i] != NULL);
        *(void **)&numbers = dlsym(plugins[i], "plugin_numbers");
        REQUIRE(numbers != NULL);
        guest_run(touch, NULL);
        EXPECT(!moat_heap_had(numbers()));
        EXPECT_EQ(numbers()[1999], 7);
        EXPECT_EQ(dlclose(plugins[i]), 0);
    }
}

int main(int argc, char **argv)
{
    const struct child_case cases[] = {
        {"thread_locals_outlive_the_guest", thread_locals_outlive_the_guest,
         argv[1], NULL, 0, 0},
    };

    return argc == 2 ? child_cases_run("malloc.loader", cases, 1, NULL) : 2;
}
