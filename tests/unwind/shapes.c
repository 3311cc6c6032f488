/*
 * shapes.c: stacks of random shapes, for which shapes.py compares moat's frames
 * with gdb's.
 *
 *   shapes FIRST COUNT REPORT    seeds FIRST to FIRST + COUNT - 1; each trap's
 *                                report goes to the file REPORT
 *
 * A shape is a pile of frames of many kinds: inline, out-of-line and slow
 * resumes of coroutines that grow the pile further; coroutines that are left
 * suspended; transfers; host calls on the resumer's stack. It ends in a stop,
 * where moat_backtrace is called, or in a trap, after which the resumer takes
 * the coroutine's backtrace and report. Either way shapes_stop is called then:
 * gdb has a breakpoint there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unwind/shapes.h"

#define MAX_FRAMES 2048
#define MAX_DEPTH  8

/* Read by gdb. */
extern moat_frame shapes_frames[MAX_FRAMES];
extern uint64_t shapes_count, shapes_seed, shapes_kind;
moat_frame shapes_frames[MAX_FRAMES];
uint64_t shapes_count, shapes_seed;
uint64_t shapes_kind; /* 1: ended in a stop; 2: in a trap */

void shapes_stop(void);
void shapes_walk(void);

static int report;
static int *volatile nowhere;

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    printf("seed %lu: %s\n", (unsigned long)shapes_seed, what);
    exit(1);
}

/* splitmix64. */
unsigned shape_choose(struct shape *shape, unsigned choices)
{
    uint64_t z = shape->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ z >> 31) % choices);
}

/* --- the end ----------------------------------------------------------------
 */

FRAME void shapes_stop(void)
{
    KEEP_FRAME();
}

FRAME void shapes_walk(void)
{
    size_t count = 0;

    require(moat_backtrace(shapes_frames, MAX_FRAMES, &count) == MOAT_OK,
            "moat_backtrace");
    shapes_count = count;
    shapes_kind = 1;
    shapes_stop();
    KEEP_FRAME();
}

FRAME static void trap(struct shape *shape)
{
    void (*volatile nothing)(void) = NULL;

    switch (shape_choose(shape, 4)) {
    case 0:
        *nowhere = 1;
        break;
    case 1:
        __asm__ volatile("ud2");
        break;
    case 2:
        abort();
    default:
        nothing();
    }
    KEEP_FRAME();
}

static void end(struct shape *shape)
{
    if (shape->traps && shape->depth > 0 && !shape->in_service)
        trap(shape);
    else
        shapes_walk();
    KEEP_FRAME();
}

/* Called by the function that resumed. */
FRAME static void note_trap(const moat_co *co)
{
    size_t count = 0;

    require(moat_co_backtrace(co, shapes_frames, MAX_FRAMES, &count) == MOAT_OK,
            "moat_co_backtrace");
    require(ftruncate(report, 0) == 0 && lseek(report, 0, SEEK_SET) == 0 &&
                moat_co_write_json(co, report) == MOAT_OK,
            "the report");
    shapes_count = count;
    shapes_kind = 2;
    shapes_stop();
}

/* --- coroutines -------------------------------------------------------------
 */

static moat_co *make(struct shape *shape, moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.wall_ns = UINT64_C(3600000000000);
    options.user = shape;
    if (shape_choose(shape, 4) == 0)
        options.limits = &limits;
    require(shape->count < 64, "too many coroutines");
    require(moat_co_create(&co, entry, &options) == MOAT_OK, "no coroutine");
    shape->made[shape->count++] = co;
    return co;
}

static void *grow_on(moat_co *self, void *input)
{
    struct shape *shape = moat_co_user(self);

    shape->self = self;
    shape->in_service = false;
    shape_grow(shape);
    return input;
}

static void *wait_then_grow_on(moat_co *self, void *input)
{
    input = moat_co_yield(self, input);
    return grow_on(self, input);
}

FRAME static void wait_below(moat_co *self, unsigned depth)
{
    if (depth > 0)
        wait_below(self, depth - 1);
    else
        (void)moat_co_yield(self, NULL);
    KEEP_FRAME();
}

static void *wait_deep(moat_co *self, void *input)
{
    wait_below(self, 3);
    return input;
}

/* Rarely a fresh one, for which the switch is slow. */
static moat_co *make_started(struct shape *shape)
{
    moat_event event;
    bool fresh = shape_choose(shape, 3) == 0;
    moat_co *co = make(shape, fresh ? grow_on : wait_then_grow_on);

    if (!fresh)
        require(moat_co_resume(co, NULL, &event) == MOAT_OK, "a first resume");
    return co;
}

/* The state of a resumer, restored when it continues. */
struct place {
    moat_co *self;
    bool in_service;
};

static struct place leave(struct shape *shape)
{
    const struct place place = {shape->self, shape->in_service};

    shape->depth++;
    return place;
}

static void come_back(struct shape *shape, struct place place)
{
    shape->depth--;
    shape->self = place.self;
    shape->in_service = place.in_service;
}

FRAME static void resume_inline(struct shape *shape)
{
    moat_co *co = make_started(shape);
    struct place place = leave(shape);
    moat_event event;

    require(moat_co_resume(co, NULL, &event) == MOAT_OK, "a resume");
    if (event.kind == MOAT_EVENT_TRAP)
        note_trap(event.co);
    come_back(shape, place);
    KEEP_FRAME();
}

FRAME static void resume_outline(struct shape *shape)
{
    moat_co *co = make_started(shape);
    struct place place = leave(shape);

    require(shape_resume_outline(co, note_trap) == MOAT_OK, "a resume");
    come_back(shape, place);
    KEEP_FRAME();
}

FRAME static void leave_one_aside(struct shape *shape)
{
    moat_co *co = make(shape, wait_deep);
    moat_event event;

    require(moat_co_resume(co, NULL, &event) == MOAT_OK &&
                event.kind == MOAT_EVENT_YIELD,
            "one aside");
    shape_grow(shape);
    KEEP_FRAME();
}

/* The coroutine that switches away is never resumed. */
FRAME static void hand_over(struct shape *shape)
{
    moat_co *other = make_started(shape);
    void *input;

    require(moat_co_switch_to(shape->self, other, NULL, &input) == MOAT_OK,
            "a switch");
    KEEP_FRAME();
}

FRAME static void *serve(void *arg)
{
    struct shape *shape = arg;

    shape->self = NULL;
    shape->in_service = shape->depth > 1;
    shape->depth--;
    shape_grow(shape);
    shape->depth++;
    KEEP_FRAME();
    return arg;
}

FRAME static void call_service(struct shape *shape)
{
    struct place place = {shape->self, shape->in_service};

    (void)moat_call_on_parent(shape->self, serve, shape);
    shape->self = place.self;
    shape->in_service = place.in_service;
    KEEP_FRAME();
}

/* --- growing ----------------------------------------------------------------
 */

static void grow_by_frame(struct shape *shape)
{
    shape_frames[shape_choose(shape, SHAPE_FRAMES)](shape);
    KEEP_FRAME();
}

void shape_grow(struct shape *shape)
{
    unsigned choice = shape_choose(shape, 16);

    if (shape->steps == 0) {
        end(shape);
        return;
    }
    shape->steps--;
    if (choice < 4 && shape->depth < MAX_DEPTH)
        resume_inline(shape);
    else if (choice == 4 && shape->depth < MAX_DEPTH)
        leave_one_aside(shape);
    else if (choice < 7 && shape->self != NULL)
        hand_over(shape);
    else if (choice == 7 && shape->self != NULL)
        call_service(shape);
    else if (choice == 8 && shape->depth < MAX_DEPTH)
        resume_outline(shape);
    else
        grow_by_frame(shape);
    KEEP_FRAME();
}

FRAME static void run(uint64_t seed)
{
    struct shape shape = {.random = seed};

    shapes_seed = seed;
    shapes_kind = 0;
    shape.steps = 1 + shape_choose(&shape, 40);
    shape.traps = shape_choose(&shape, 2) == 0;
    shape_grow(&shape);
    /* Reset, not unwound: the C library's frames would be left half
     * finished. */
    while (shape.count > 0) {
        moat_co *co = shape.made[--shape.count];

        require(moat_co_reset(co) == MOAT_OK, "a reset");
        moat_co_destroy(co);
    }
}

int main(int argc, char **argv)
{
    unsigned long first, count;

    if (argc != 4) {
        fprintf(stderr, "usage: shapes FIRST COUNT REPORT\n");
        return 2;
    }
    first = strtoul(argv[1], NULL, 10);
    count = strtoul(argv[2], NULL, 10);
    report = open(argv[3], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    require(report >= 0, argv[3]);
    for (unsigned long seed = first; seed < first + count; seed++)
        run(seed);
    return 0;
}
