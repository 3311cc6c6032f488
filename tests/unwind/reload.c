/*
 * reload.c: a library is closed, and another build of it is loaded at its
 * addresses. Walks must use the new library's unwind information, and frames
 * must have its names.
 *
 *   reload FIRST SECOND   the two libraries, linked for one address
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <string.h>

#include "tests/unwind/chain.h"

#define ROUNDS 20

static moat_frame frames[64];
static size_t count;
static uintptr_t outer_start;

static void *middle; /* in the library that is loaded */

FRAME static void inner(void)
{
    if (moat_backtrace(frames, 64, &count) != MOAT_OK)
        count = 0;
    KEEP_FRAME();
}

FRAME static void outer(void (*call)(void (*)(void)))
{
    outer_start = (uintptr_t)__builtin_return_address(0);
    call(inner);
    KEEP_FRAME();
}

/* inner, the library, outer, main. The last frame alone proves nothing: a lost
 * walk would find it by the frame pointer. */
static bool is_right(void)
{
    return count >= 4 && frames[1].pc - (uintptr_t)middle < 16 &&
           frames[2].pc - (uintptr_t)outer < 256 && frames[3].pc == outer_start;
}

static const char *const names[] = {"reload_24", "reload_40"};

static bool is_named(const char *name)
{
    char line[512];

    return moat_frame_describe(&frames[1], line, sizeof line) == MOAT_OK &&
           strncmp(line, name, strlen(name)) == 0;
}

int main(int argc, char **argv)
{
    void *first = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: reload FIRST SECOND\n");
        return 2;
    }
    for (int i = 0; i < ROUNDS; i++) {
        void *library = dlopen(argv[1 + i % 2], RTLD_NOW | RTLD_LOCAL);
        void (*call)(void (*)(void));

        middle = library != NULL ? dlsym(library, names[i % 2]) : NULL;
        if (!CHECK(middle != NULL))
            break;
        if (first == NULL)
            first = middle;
        CHECK(middle == first);
        memcpy(&call, &middle, sizeof call);
        outer(call);
        CHECK(is_right());
        outer(call);
        CHECK(is_right());
        CHECK(is_named(names[i % 2]));
        CHECK(is_named(names[i % 2]));
        CHECK(dlclose(library) == 0);
    }
    return chain_result();
}
