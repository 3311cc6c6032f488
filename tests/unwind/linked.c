/*
 * linked.c: three coroutines deep, each resumed from its own function: every
 * unwinder finds every frame from the innermost to main.
 *
 *   linked walk   runs each walker from the innermost function
 *   linked trap   the innermost function faults; moat_co_backtrace
 *
 * gdb-linked.sh runs the second under gdb, which stops at the signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unwind/chain.h"

#define FRAMES 128

/* Looked up by dladdr, so not static. */
void inner_bottom(void);
void inner_call(void);
void *inner_entry(moat_co *self, void *input);
void middle_bottom(moat_co *inner);
void middle_call(moat_co *inner);
void *middle_entry(moat_co *self, void *input);
void outer_call(moat_co *middle);
void *outer_entry(moat_co *self, void *input);
void host_call(moat_co *outer);

/* The out-of-line resume has a frame while its guest runs, unless it leaves the
 * work to the slow path by a tail call, as it does under a sanitizer. */
#if defined(MOAT_NO_INLINE) && !UNDER_ASAN
#    define RESUME "moat_co_resume",
#else
#    define RESUME
#endif

/* clang-format off */
#define INNER "inner_bottom", "inner_call", "inner_entry", "*",
#define OUTER "middle_bottom", "middle_call", "middle_entry", "*", RESUME      \
              "outer_call", "outer_entry", "*", RESUME "host_call", "main", NULL
/* clang-format on */

static const char *const expected[] = {INNER RESUME OUTER};

/* The innermost resume has returned the event. */
static const char *const expected_trap[] = {INNER OUTER};

static enum { MODE_WALK, MODE_TRAP } mode;
static int *volatile nowhere;
static moat_co *inner_co, *middle_co, *outer_co;

static void walk_all(void)
{
    static struct chain chain;

    for (const struct chain_walker *w = chain_walkers; w->name != NULL; w++) {
        chain.count = 0;
        w->walk(&chain);
        CHECK(chain_matches(w->name, &chain, expected));
    }
}

FRAME void inner_bottom(void)
{
    if (mode == MODE_WALK)
        walk_all();
    else
        *nowhere = 1;
    KEEP_FRAME();
}

FRAME void inner_call(void)
{
    inner_bottom();
    KEEP_FRAME();
}

FRAME void *inner_entry(moat_co *self, void *input)
{
    (void)self;
    inner_call();
    KEEP_FRAME();
    return input;
}

/* The border between two segments is the root of the callee. */
static void check_segments(const moat_frame *frames, size_t count)
{
    const moat_co *order[] = {inner_co, middle_co, outer_co, NULL};
    size_t segment = 0;

    for (size_t i = 0; i < count; i++) {
        if (segment < 3)
            CHECK(frames[i].co == order[segment]);
        else
            CHECK(frames[i].co == NULL);
        if (frames[i].flags & MOAT_FRAME_ROOT)
            segment++;
        CHECK((frames[i].flags & MOAT_FRAME_GUESSED) == 0);
        CHECK(!!(frames[i].flags & MOAT_FRAME_TRAP) == (i == 0));
        CHECK(i == 0 || frames[i].co != frames[i - 1].co ||
              frames[i].sp >= frames[i - 1].sp);
    }
    CHECK(segment == 3);
}

static void check_descriptions(const moat_frame *frames, size_t count)
{
    char line[512];

    for (size_t i = 0, f = 0; f < count && expected_trap[i] != NULL; i++, f++) {
        while (f + 1 < count && chain_is_library(frames[f].pc))
            f++;
        CHECK(moat_frame_describe(&frames[f], line, sizeof(line)) == MOAT_OK);
        if (strcmp(expected_trap[i], "*") == 0)
            CHECK(strcmp(line, "[coroutine 'inner']") == 0 ||
                  strcmp(line, "[coroutine 'middle']") == 0 ||
                  strcmp(line, "[coroutine 'outer']") == 0);
        else
            CHECK(strncmp(line, expected_trap[i], strlen(expected_trap[i])) ==
                  0);
    }
}

static void check_trap(moat_co *co)
{
    static struct chain chain;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_frame frames[FRAMES];
    size_t count = 0;

    CHECK(moat_co_backtrace(co, frames, FRAMES, &count) == MOAT_OK);
    CHECK(moat_co_trap_info(co, &info) == MOAT_OK);
    CHECK(count > 0 && frames[0].pc == info.pc && frames[0].sp == info.sp);
    chain_from_frames(&chain, frames, count, 0);
    CHECK(chain_matches("moat_co_backtrace", &chain, expected_trap));
    check_segments(frames, count);
    check_descriptions(frames, count);
}

FRAME void middle_bottom(moat_co *inner)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    CHECK(moat_co_resume(inner, NULL, &event) == MOAT_OK);
    if (mode == MODE_WALK) {
        CHECK(event.kind == MOAT_EVENT_RETURN);
    } else {
        CHECK(event.kind == MOAT_EVENT_TRAP);
        check_trap(inner);
    }
    KEEP_FRAME();
}

FRAME void middle_call(moat_co *inner)
{
    middle_bottom(inner);
    KEEP_FRAME();
}

FRAME void *middle_entry(moat_co *self, void *input)
{
    (void)self;
    middle_call(inner_co);
    KEEP_FRAME();
    return input;
}

FRAME void outer_call(moat_co *middle)
{
    moat_event event;

    CHECK(moat_co_resume(middle, NULL, &event) == MOAT_OK &&
          event.kind == MOAT_EVENT_RETURN);
    KEEP_FRAME();
}

FRAME void *outer_entry(moat_co *self, void *input)
{
    (void)self;
    outer_call(middle_co);
    KEEP_FRAME();
    return input;
}

FRAME void host_call(moat_co *outer)
{
    moat_event event;

    CHECK(moat_co_resume(outer, NULL, &event) == MOAT_OK &&
          event.kind == MOAT_EVENT_RETURN);
    KEEP_FRAME();
}

static moat_co *make(const char *name, moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = name;
    if (!CHECK(moat_co_create(&co, entry, &options) == MOAT_OK))
        exit(1);
    return co;
}

int main(int argc, char **argv)
{
    mode = argc == 2 && strcmp(argv[1], "walk") == 0 ? MODE_WALK : MODE_TRAP;
    inner_co = make("inner", inner_entry);
    middle_co = make("middle", middle_entry);
    outer_co = make("outer", outer_entry);
    host_call(outer_co);
    moat_co_destroy(inner_co);
    moat_co_destroy(middle_co);
    moat_co_destroy(outer_co);
    return chain_result();
}
