/*
 * stopped.c: backtraces of coroutines that are not running: suspended, trapped
 * after their resumer is gone, fresh, done, in code that was unmapped; and
 * capacities that are too small.
 *
 * SPDX-License-Identifier: MIT
 */
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unwind/chain.h"

#define FRAMES 128
#define DEPTH  300

void sleeper_bottom(moat_co *self);
void sleeper_call(moat_co *self);
void *sleeper_entry(moat_co *self, void *input);
void faulter_bottom(void);
void *faulter_entry(moat_co *self, void *input);
void resume_and_return(moat_co *co);
void *vanishing_entry(moat_co *self, void *input);
unsigned recurse(moat_co *self, unsigned depth);
void *recurse_entry(moat_co *self, void *input);

static int *volatile nowhere;

FRAME void sleeper_bottom(moat_co *self)
{
    moat_co_yield(self, NULL);
    KEEP_FRAME();
}

FRAME void sleeper_call(moat_co *self)
{
    sleeper_bottom(self);
    KEEP_FRAME();
}

FRAME void *sleeper_entry(moat_co *self, void *input)
{
    sleeper_call(self);
    KEEP_FRAME();
    return input;
}

static const char *const sleeper_names[] = {"sleeper_bottom", "sleeper_call",
                                            "sleeper_entry", NULL};

FRAME void faulter_bottom(void)
{
    *nowhere = 1;
    KEEP_FRAME();
}

FRAME void *faulter_entry(moat_co *self, void *input)
{
    (void)self;
    faulter_bottom();
    KEEP_FRAME();
    return input;
}

static const char *const faulter_names[] = {"faulter_bottom", "faulter_entry",
                                            NULL};

static moat_co *make(moat_entry entry)
{
    moat_co *co = NULL;

    if (!CHECK(moat_co_create(&co, entry, NULL) == MOAT_OK))
        exit(1);
    return co;
}

FRAME void resume_and_return(moat_co *co)
{
    moat_event event;

    CHECK(moat_co_resume(co, NULL, &event) == MOAT_OK);
    KEEP_FRAME();
}

/* Overwrites the remains of earlier calls on the host's stack. */
FRAME static void scribble(void)
{
    volatile unsigned char old[16384];

    for (size_t i = 0; i < sizeof(old); i++)
        old[i] = 0x5a;
    KEEP_FRAME();
}

static size_t count_guest(const moat_frame *frames, size_t count)
{
    size_t guest = 0;

    for (size_t i = 0; i < count; i++)
        if (!chain_is_library(frames[i].pc))
            guest++;
    return guest;
}

/* Its own frames in order, then its root, then no more. */
static void check_own(const char *what, const moat_co *co,
                      const char *const *names, size_t own)
{
    static struct chain chain;
    moat_frame frames[FRAMES];
    size_t count = 0;

    CHECK(moat_co_backtrace(co, frames, FRAMES, &count) == MOAT_OK);
    chain_from_frames(&chain, frames, count, 0);
    CHECK(chain_matches(what, &chain, names));
    CHECK(count_guest(frames, count) == own + 1);
    CHECK(count > 0 && (frames[count - 1].flags & MOAT_FRAME_ROOT));
    for (size_t i = 0; i < count; i++)
        CHECK(frames[i].co == co);
}

static void test_suspended(void)
{
    moat_co *co = make(sleeper_entry);

    resume_and_return(co);
    scribble();
    check_own("suspended", co, sleeper_names, 3);
    moat_co_destroy(co);
}

static void test_resumer_returned(void)
{
    moat_co *co = make(faulter_entry);

    resume_and_return(co);
    scribble();
    CHECK(moat_co_get_state(co) == MOAT_CO_TRAPPED);
    check_own("trapped, resumer returned", co, faulter_names, 2);
    moat_co_destroy(co);
}

FRAME void *vanishing_entry(moat_co *self, void *input)
{
    (void)self;
    resume_and_return(input);
    KEEP_FRAME();
    return NULL;
}

static void test_resumer_destroyed(void)
{
    moat_co *faulter = make(faulter_entry);
    moat_co *resumer = make(vanishing_entry);
    moat_event event;

    CHECK(moat_co_resume(resumer, faulter, &event) == MOAT_OK &&
          event.kind == MOAT_EVENT_RETURN);
    moat_co_destroy(resumer);
    check_own("trapped, resumer destroyed", faulter, faulter_names, 2);
    moat_co_destroy(faulter);
}

static void test_nothing_to_walk(void)
{
    moat_co *co = make(sleeper_entry);
    moat_frame frame;
    size_t count = 7;

    CHECK(moat_co_backtrace(co, &frame, 1, &count) == MOAT_OK && count == 0);
    resume_and_return(co);
    resume_and_return(co);
    CHECK(moat_co_get_state(co) == MOAT_CO_DONE);
    count = 7;
    CHECK(moat_co_backtrace(co, &frame, 1, &count) == MOAT_OK && count == 0);
    CHECK(moat_co_backtrace(NULL, &frame, 1, &count) == MOAT_E_INVAL);
    CHECK(moat_co_backtrace(co, NULL, 1, &count) == MOAT_E_INVAL);
    CHECK(moat_co_backtrace(co, &frame, 1, NULL) == MOAT_E_INVAL);
    CHECK(moat_backtrace(NULL, 1, &count) == MOAT_E_INVAL);
    CHECK(moat_backtrace(&frame, 1, NULL) == MOAT_E_INVAL);
    moat_co_destroy(co);
}

FRAME unsigned recurse(moat_co *self, unsigned depth)
{
    unsigned below;

    if (depth == 0) {
        moat_frame frame;
        size_t count = 0;

        CHECK(moat_co_backtrace(self, &frame, 1, &count) == MOAT_E_STATE);
        moat_co_yield(self, NULL);
        return 0;
    }
    below = recurse(self, depth - 1);
    KEEP_FRAME();
    return below + 1;
}

FRAME void *recurse_entry(moat_co *self, void *input)
{
    recurse(self, DEPTH - 1);
    KEEP_FRAME();
    return input;
}

static void check_capacity(const moat_co *co, size_t capacity)
{
    static moat_frame all[CHAIN_MAX], some[CHAIN_MAX];
    size_t total = 0, count = 0;
    moat_status status;

    CHECK(moat_co_backtrace(co, all, CHAIN_MAX, &total) == MOAT_OK);
    CHECK(count_guest(all, total) == DEPTH + 2);
    memset(some, 0xee, sizeof(some));
    status = moat_co_backtrace(co, some, capacity, &count);
    CHECK(status == (capacity < total ? MOAT_E_FULL : MOAT_OK));
    CHECK(count == (capacity < total ? capacity : total));
    for (size_t i = 0; i < count; i++)
        CHECK(some[i].pc == all[i].pc && some[i].sp == all[i].sp);
    /* Not a byte after the last frame is written. */
    CHECK(*(const unsigned char *)&some[count] == 0xee);
}

static void test_capacity(void)
{
    static const size_t capacities[] = {1,         2,         3,
                                        DEPTH + 1, DEPTH + 2, DEPTH + 9};
    moat_co *co = make(recurse_entry);
    moat_frame frames[3];
    size_t count = 0;

    resume_and_return(co);
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++)
        check_capacity(co, capacities[i]);
    CHECK(moat_backtrace(frames, 1, &count) == MOAT_E_FULL && count == 1);
    CHECK(strcmp(chain_name(frames[0].pc), "?") == 0 ||
          strcmp(chain_name(frames[0].pc), "moat_backtrace") != 0);
    moat_co_destroy(co);
}

/* --- unmapped code -------------------------------------------------------- */

/* Calls its second argument with its first; it has no unwind information. */
static const unsigned char bare_code[] = {
    0x55,             /* push %rbp      */
    0x48, 0x89, 0xe5, /* mov %rsp, %rbp */
    0xff, 0xd6,       /* call *%rsi     */
    0x5d,             /* pop %rbp       */
    0xc3,             /* ret            */
};

#define BARE_BYTES 4096

static void (*bare)(moat_co *self, void (*fn)(moat_co *));

static unsigned asked; /* calls of libunwind */
static uint64_t spins; /* how long each lasts */
static bool inside;    /* a call has not returned */

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The library's calls arrive here: unw_init_local2 is a macro for this name. */
int unw_init_local2(unw_cursor_t *cursor, unw_context_t *context, int flags)
{
    static int (*real)(unw_cursor_t *, unw_context_t *, int);
    int result;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "_ULx86_64_init_local2");
    asked++;
    inside = true;
    for (uint64_t end = now_ns() + spins; now_ns() < end;)
        ;
    result = real(cursor, context, flags);
    inside = false;
    return result;
}

FRAME static void walk_and_yield(moat_co *self)
{
    moat_frame frames[FRAMES];
    size_t count = 0;

    CHECK(moat_backtrace(frames, FRAMES, &count) == MOAT_OK);
    CHECK(asked != 0);
    moat_co_yield(self, NULL);
    KEEP_FRAME();
}

FRAME static void fault(moat_co *self)
{
    (void)self;
    faulter_bottom();
    KEEP_FRAME();
}

FRAME static void *call_by_bare_code(moat_co *self, void *input)
{
    bare(self, input == NULL ? walk_and_yield : fault);
    KEEP_FRAME();
    return input;
}

static void *map_bare_code(void)
{
    void *code = mmap(NULL, BARE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (!CHECK(code != MAP_FAILED))
        exit(1);
    memcpy(code, bare_code, sizeof bare_code);
    *(void **)&bare = code;
    return code;
}

/* Resumes a coroutine and then unmaps the code in which it stopped. */
static void stop_in_bare_code(moat_co *co, void *input)
{
    void *code = map_bare_code();
    moat_event event;

    asked = 0;
    CHECK(moat_co_resume(co, input, &event) == MOAT_OK);
    CHECK(munmap(code, BARE_BYTES) == 0);
}

/* libunwind would read memory that may be unmapped by then, with its lock held
 * and the signals blocked, so that a fault would kill the process. */
static void test_code_gone(void *input, moat_co_state state)
{
    moat_co *co = make(call_by_bare_code);
    moat_frame frames[FRAMES];
    size_t count = 0, root = 0;

    stop_in_bare_code(co, input);
    CHECK(moat_co_get_state(co) == state);
    asked = 0;
    CHECK(moat_co_backtrace(co, frames, FRAMES, &count) == MOAT_OK);
    CHECK(asked == 0);
    while (root < count && !(frames[root].flags & MOAT_FRAME_ROOT))
        root++;
    CHECK(root < count);
    moat_co_destroy(co);
}

/* --- libunwind's locks ------------------------------------------------------
 */

FRAME static void walk_and_loop(moat_co *self)
{
    moat_frame frames[FRAMES];
    size_t count = 0;

    (void)self;
    CHECK(moat_backtrace(frames, FRAMES, &count) == MOAT_OK);
    for (;;)
        KEEP_FRAME();
}

FRAME static void walk_with_little_stack(moat_co *self)
{
    moat_frame frames[FRAMES];
    size_t count = 0;

    (void)self;
    asked = 0;
    CHECK(moat_backtrace(frames, FRAMES, &count) == MOAT_OK);
    CHECK(asked == 0);
    CHECK(count != 0 && frames[count - 1].co == NULL);
    KEEP_FRAME();
}

FRAME static void *call_input_by_bare_code(moat_co *self, void *input)
{
    bare(self, *(void (**)(moat_co *))input);
    KEEP_FRAME();
    return input;
}

static void resume_in_bare_code(const moat_co_options *options,
                                void (*fn)(moat_co *), moat_event *event)
{
    moat_co *co = NULL;

    CHECK(moat_co_create(&co, call_input_by_bare_code, options) == MOAT_OK);
    CHECK(moat_co_resume(co, &fn, event) == MOAT_OK);
    moat_co_destroy(co);
}

static void *fork_one(void *arg)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0)
        _exit(0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    return arg;
}

/* A fork waits for all walks in progress. */
static void fork_elsewhere(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, fork_one, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* A guest is not stopped while libunwind holds them, and libunwind is not
 * called without enough stack. */
static void test_locks(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event = {.kind = MOAT_EVENT_PREEMPT};

    limits.wall_ns = 20000000;
    (void)map_bare_code();
    options.limits = &limits;
    spins = 2 * limits.wall_ns;
    resume_in_bare_code(&options, walk_and_loop, &event);
    CHECK(event.kind == MOAT_EVENT_TRAP);
    CHECK(!inside);
    fork_elsewhere();
    spins = 0;
    options.limits = NULL;
    options.stack_bytes = (size_t)32 << 10;
    resume_in_bare_code(&options, walk_with_little_stack, &event);
    CHECK(event.kind == MOAT_EVENT_RETURN);
}

int main(void)
{
    test_suspended();
    test_resumer_returned();
    test_resumer_destroyed();
    test_nothing_to_walk();
    test_capacity();
    test_code_gone(NULL, MOAT_CO_SUSPENDED);
    test_code_gone(&asked, MOAT_CO_TRAPPED);
    test_locks();
    return chain_result();
}
