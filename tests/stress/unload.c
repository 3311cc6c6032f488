/*
 * unload.c: unload [SECONDS] [THREADS] [SEED]: backtraces while their code is
 * loaded and unloaded.
 *
 * Each of THREADS threads opens one of a few libraries, or makes and registers
 * code, and runs a guest through it, which takes its backtrace, names its
 * frames, and may trap. Then the thread closes the library or unregisters the
 * code, before or after it takes the trap's backtrace and reports. The threads
 * exchange frames whose code may be gone by then. Now and then the process
 * forks, and the child does the same once.
 *
 * Expects that nothing crashes or hangs, that a backtrace of present code is
 * complete and has its names, and that traps are reported as events.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../fault/jit.h"
#include "../support/fixture.h"
#include "../support/number.h"

#define MAX_THREADS 64
#define LIBRARIES   3
#define FRAMES      64
#define SHOWN       8
#define CHILD_MS    120000

static unsigned long seconds = 5, seed = 1;
static unsigned thread_count = 4;
static atomic_bool over;
static int sink; /* /dev/null */

/* Delays forks during a dlopen: the child of a fork in the middle of another
 * thread's dlopen would have the dynamic linker's lock held for ever.
 * Preventing this is the host's task. */
static pthread_rwlock_t loading =
    PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

/* Frames that the threads exchange. */
static struct {
    pthread_mutex_t lock;
    moat_frame frames[FRAMES];
    size_t count;
} shown[SHOWN];

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned long walks, traps, loads, stale, forks;
};

/* splitmix64. */
static unsigned choose(struct worker *self, unsigned choices)
{
    uint64_t z = self->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ z >> 31) % choices);
}

/* ---- Frames ---- */

/* Returns how many frames have that name; each must have some description. */
static size_t describe(const moat_frame *frames, size_t count, const char *name)
{
    char text[512];
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        EXPECT_EQ(moat_frame_describe(&frames[i], text, sizeof text), MOAT_OK);
        found += strstr(text, name) != NULL;
    }
    return found;
}

static void show(struct worker *self, const moat_frame *frames, size_t count)
{
    unsigned place = choose(self, SHOWN);

    (void)pthread_mutex_lock(&shown[place].lock);
    /* A root's name belongs to its coroutine, which will be gone, too. */
    shown[place].count = 0;
    for (size_t i = 0; i < count; i++)
        if (!(frames[i].flags & MOAT_FRAME_ROOT))
            shown[place].frames[shown[place].count++] = frames[i];
    (void)pthread_mutex_unlock(&shown[place].lock);
}

static void look(struct worker *self)
{
    moat_frame frames[FRAMES];
    unsigned place = choose(self, SHOWN);
    size_t count = 0;

    if (pthread_mutex_trylock(&shown[place].lock) != 0)
        return;
    count = shown[place].count;
    memcpy(frames, shown[place].frames, count * sizeof *frames);
    (void)pthread_mutex_unlock(&shown[place].lock);
    (void)describe(frames, count, "library");
    self->stale += count;
}

/* Returns whether the walk reached the guest's root without guessing. */
static bool is_whole(const moat_frame *frames, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (frames[i].flags & MOAT_FRAME_ROOT)
            return !(frames[i].flags & MOAT_FRAME_GUESSED);
    return false;
}

/* ---- A guest that runs through code ---- */

struct job {
    struct worker *worker;
    void *(*call)(void *(*fn)(void *), void *arg);
    void (*fault)(void); /* NULL: it does not trap */
    const char *name;    /* of a function in the code */
    moat_frame frames[FRAMES];
    size_t count;
};

static void *take(void *arg)
{
    struct job *job = arg;

    EXPECT_EQ(moat_backtrace(job->frames, FRAMES, &job->count), MOAT_OK);
    EXPECT(is_whole(job->frames, job->count));
    if (choose(job->worker, 8) == 0)
        EXPECT(describe(job->frames, job->count, job->name) > 0);
    job->worker->walks++;
    if (job->fault != NULL)
        job->fault();
    return NULL;
}

static void *guest(moat_co *self, void *input)
{
    struct job *job = moat_co_user(self);

    (void)job->call(take, job);
    return input;
}

static void look_at_trapped(struct job *job, const moat_co *co)
{
    size_t count = 0;

    EXPECT_EQ(moat_co_backtrace(co, job->frames, FRAMES, &count), MOAT_OK);
    /* If the code is gone, only the faulting frame and the root are certain. */
    EXPECT(count >= 2 && job->frames[0].flags & MOAT_FRAME_TRAP);
    EXPECT(job->frames[count - 1].flags & MOAT_FRAME_ROOT);
    job->count = count;
    if (choose(job->worker, 16) == 0) {
        EXPECT_EQ(moat_co_print_report(co, sink), MOAT_OK);
        EXPECT_EQ(moat_co_write_json(co, sink), MOAT_OK);
    }
    job->worker->traps++;
}

static moat_co *run(struct job *job)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = NULL;

    options.user = job;
    options.stack_bytes = (size_t)512 << 10;
    REQUIRE(moat_co_create(&co, guest, &options) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind,
              job->fault != NULL ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    return co;
}

/* ---- Libraries ---- */

static void *open_library(unsigned number)
{
    static const char *const paths[LIBRARIES] = {LIBRARY_0, LIBRARY_1,
                                                 LIBRARY_2};
    void *library;

    (void)pthread_rwlock_rdlock(&loading);
    library = dlopen(paths[number], RTLD_NOW | RTLD_LOCAL);
    (void)pthread_rwlock_unlock(&loading);
    REQUIRE(library != NULL);
    return library;
}

static void close_library(void *library)
{
    (void)pthread_rwlock_rdlock(&loading);
    EXPECT_EQ(dlclose(library), 0);
    (void)pthread_rwlock_unlock(&loading);
}

static void find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    REQUIRE(found != NULL);
    memcpy(function, &found, sizeof found);
}

static void through_a_library(struct worker *self)
{
    struct job job = {.worker = self, .name = "library_call"};
    void *library = open_library(choose(self, LIBRARIES));
    bool traps = choose(self, 2) == 0, first = choose(self, 2) == 0;
    moat_co *co;

    find(library, "library_call", &job.call);
    if (traps)
        find(library, "library_fault", &job.fault);
    co = run(&job);
    if (first)
        close_library(library);
    if (traps)
        look_at_trapped(&job, co);
    if (!first)
        close_library(library);
    moat_co_destroy(co);
    show(self, job.frames, job.count);
    self->loads++;
}

/* ---- Code made at run time ---- */

static void write_null(void)
{
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
}

/* A function call(fn, arg) that calls fn(arg). */
static void through_made_code(struct worker *self)
{
    static const unsigned char code[] = {
        0x55,             /* push %rbp       */
        0x48, 0x89, 0xe5, /* mov %rsp, %rbp  */
        0x48, 0x89, 0xf8, /* mov %rdi, %rax  */
        0x48, 0x89, 0xf7, /* mov %rsi, %rdi  */
        0xff, 0xd0,       /* call *%rax      */
        0x5d, 0xc3,       /* pop %rbp; ret   */
    };
    struct job job = {.worker = self, .name = "made_code"};
    struct jit jit;
    jit_function function;
    bool traps = choose(self, 2) == 0, first = choose(self, 2) == 0;
    moat_co *co;

    jit_begin(&jit);
    jit_bytes(&jit, code, sizeof code);
    function = jit_end(&jit);
    memcpy(&job.call, &function, sizeof function);
    jit_register_unwindable(&jit, "made_code", MOAT_CODE_UNWIND_FP, 0);
    if (traps)
        job.fault = write_null;
    co = run(&job);
    if (first)
        jit_free(&jit);
    if (traps)
        look_at_trapped(&job, co);
    if (!first)
        jit_free(&jit);
    moat_co_destroy(co);
    show(self, job.frames, job.count);
    self->loads++;
}

/* ---- Threads ---- */

static void step(struct worker *self)
{
    if (choose(self, 3) == 0)
        through_made_code(self);
    else
        through_a_library(self);
    if (choose(self, 8) == 0)
        look(self);
}

static int end_of(pid_t child)
{
    const struct timespec moment = {0, 1000000};
    int status;

    for (int i = 0; i < CHILD_MS; i++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return status;
        (void)nanosleep(&moment, NULL);
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    return status;
}

static void fork_once(struct worker *self)
{
    pid_t child;

    (void)pthread_rwlock_wrlock(&loading);
    child = fork();
    if (child == 0) {
        static const pthread_rwlock_t fresh =
            PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

        loading = fresh;
        /* The threads that may have held one do not exist here. */
        for (size_t i = 0; i < SHOWN; i++)
            REQUIRE(pthread_mutex_init(&shown[i].lock, NULL) == 0);
        through_made_code(self);
        through_a_library(self);
        _exit(expect_failures() == 0 ? 0 : CHILD_FAILED);
    }
    (void)pthread_rwlock_unlock(&loading);
    REQUIRE(child > 0);
    EXPECT_EQ(end_of(child), 0);
    self->forks++;
}

/* Under AddressSanitizer a forked child would wait for locks of the allocator
 * whose owners do not exist. */
static void *work(void *arg)
{
    struct worker *self = arg;

    while (!atomic_load(&over)) {
        step(self);
        if (!UNDER_ASAN && choose(self, 300) == 0)
            fork_once(self);
    }
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

static void storm(struct worker *total)
{
    static struct worker workers[MAX_THREADS];
    const struct timespec time = {(time_t)seconds, 0};

    for (unsigned i = 0; i < thread_count; i++) {
        workers[i].random = seed * 1000003 + i;
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) ==
                0);
    }
    (void)nanosleep(&time, NULL);
    atomic_store(&over, true);
    for (unsigned i = 0; i < thread_count; i++) {
        EXPECT_EQ(pthread_join(workers[i].thread, NULL), 0);
        total->walks += workers[i].walks;
        total->traps += workers[i].traps;
        total->loads += workers[i].loads;
        total->stale += workers[i].stale;
        total->forks += workers[i].forks;
    }
}

int main(int argc, char **argv)
{
    struct worker total = {.random = 0};

    if (argc > 1)
        seconds = number_from(argv[1], 86400);
    if (argc > 2)
        thread_count = (unsigned)number_from(argv[2], MAX_THREADS);
    if (argc > 3)
        seed = number_from(argv[3], ULONG_MAX);
    if (argc > 4 || seconds == 0 || thread_count == 0 || seed == 0) {
        (void)fprintf(stderr, "usage: unload [SECONDS] [THREADS] [SEED]\n");
        return 2;
    }
    sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(sink >= 0);
    for (int i = 0; i < SHOWN; i++)
        REQUIRE(pthread_mutex_init(&shown[i].lock, NULL) == 0);
    storm(&total);
    (void)printf("%lu walks, %lu traps, %lu pieces of code gone, %lu old "
                 "frames named, %lu forks, seed %lu; %d failures\n",
                 total.walks, total.traps, total.loads, total.stale,
                 total.forks, seed, expect_failures());
    EXPECT(total.traps > 0 && total.stale > 0);
    return expect_failures() == 0 ? 0 : 1;
}
