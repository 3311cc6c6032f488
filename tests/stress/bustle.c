/*
 * bustle.c: bustle [SECONDS] [THREADS] [SEED]: THREADS threads do at random
 * what takes the library's locks, all at the same time: attach and detach, ask
 * about the engine, fork, trim, report a trap, cancel a guest, register code,
 * and start threads that use moat while they end. For ThreadSanitizer most of
 * all.
 *
 * Expects that every call returns what it should, and that at the end the
 * engine can be shut down. Without SEED the clock chooses one, which is
 * printed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"

#define MAX_THREADS 64
#define CHILD_MS    120000

static unsigned long seconds = 2, thread_count = 8, seed;
static int null_device;
static unsigned char *code_pages; /* one for each thread */

struct worker {
    pthread_t thread;
    unsigned number;
    uint64_t random;
    unsigned long counts[16]; /* of each action */
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- Guests ---- */

/* Each thread writes to the same null: no race, as no write is done. */
__attribute__((no_sanitize("thread"))) static void *write_null(moat_co *self,
                                                               void *input)
{
    (void)self;
    *(volatile int *)input = 1;
    return NULL;
}

static void *return_at_once(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void undo(int *undone)
{
    ++*undone;
}

static void *wait_with_cleanup(moat_co *self, void *input)
{
    __attribute__((cleanup(undo))) int undone = 0;

    (void)undone;
    return moat_co_yield(self, input);
}

static moat_co *resumed(moat_entry entry, moat_event_kind kind)
{
    moat_event event;
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, kind);
    return co;
}

/* ---- Actions ---- */

static void attach(struct worker *self)
{
    (void)self;
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
}

static void detach(struct worker *self)
{
    (void)self;
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
}

static void get_info(struct worker *self)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)self;
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT(info.live <= 4 * thread_count);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
}

static void trim(struct worker *self)
{
    (void)self;
    EXPECT_EQ(moat_engine_trim(next_random(&self->random) % 65536, NULL),
              MOAT_OK);
}

static void report(struct worker *self)
{
    moat_co *co = resumed(write_null, MOAT_EVENT_TRAP);

    EXPECT_EQ(moat_co_print_report(co, null_device), MOAT_OK);
    if (self->counts[0] % 4 == 0)
        EXPECT_EQ(moat_co_write_json(co, null_device), MOAT_OK);
    moat_co_destroy(co);
}

static void cancel(struct worker *self)
{
    moat_co *co = resumed(wait_with_cleanup, MOAT_EVENT_YIELD);
    moat_event event;
    moat_status status = moat_co_cancel(co, &event);

    (void)self;
    EXPECT(status == MOAT_OK || status == MOAT_E_UNSUPPORTED);
    moat_co_destroy(co);
}

/* Memory is asked for by many stacks at once. */
static void create_many(struct worker *self)
{
    moat_co *all[16];
    size_t done = 0;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = (size_t)16 << (10 + self->number % 3);
    EXPECT_EQ(moat_co_create_n(all, write_null, &options, NULL, 3, &done),
              MOAT_OK);
    while (done > 0)
        moat_co_destroy(all[--done]);
}

static void register_code(struct worker *self)
{
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id = 0;

    code.start = code_pages + self->number * 4096;
    code.size = 64;
    code.name = "bustle";
    code.unwind = MOAT_CODE_UNWIND_FP;
    EXPECT_EQ(moat_code_register(&code, &id), MOAT_OK);
    EXPECT_EQ(moat_code_unregister(id), MOAT_OK);
}

/* ---- Forks ---- */

static _Noreturn void live_as_a_child(struct worker *self)
{
    get_info(self);
    /* The sanitizers' allocators have locks that a fork does not wait for. So
     * has libgcc 12, once code is registered: nothing is unwound here that
     * another thread may have been unwinding at the fork. */
    if (!UNDER_ASAN && !UNDER_TSAN) {
        moat_co_destroy(resumed(return_at_once, MOAT_EVENT_RETURN));
        trim(self);
        report(self);
    }
    _exit(expect_failures() == 0 ? 0 : CHILD_FAILED);
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
    pid_t child = fork();

    REQUIRE(child >= 0);
    if (child == 0)
        live_as_a_child(self);
    EXPECT_EQ(end_of(child), 0);
}

/* ---- Threads that use moat while they end ---- */

static pthread_key_t last_key;

/* Rounds of destructors are counted down; the last one cannot be told from the
 * others by anybody. */
static void use_at_the_end(void *value)
{
    uintptr_t left = (uintptr_t)value;

    moat_co_destroy(resumed(wait_with_cleanup, MOAT_EVENT_YIELD));
    if (left > 1)
        (void)pthread_setspecific(last_key, (void *)(left - 1));
}

static void *short_life(void *arg)
{
    (void)pthread_setspecific(last_key, arg);
    return NULL;
}

/* ThreadSanitizer forgets a thread in its last round. */
#define MAX_ROUNDS (UNDER_TSAN ? 3u : 4u)

static void spawn(struct worker *self)
{
    uintptr_t rounds = 1 + next_random(&self->random) % MAX_ROUNDS;
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, short_life, (void *)rounds) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

/* ---- The whole run ---- */

static const struct action {
    const char *name;
    void (*run)(struct worker *);
    unsigned one_in; /* as often as that */
} actions[] = {
    {"attach", attach, 1},        {"detach", detach, 1},
    {"get_info", get_info, 1},    {"trim", trim, 2},
    {"report", report, 4},        {"cancel", cancel, 1},
    {"create_n", create_many, 1}, {"register", register_code, 2},
    {"fork", fork_once, 64},      {"spawn", spawn, 16},
};
#define ACTIONS (sizeof actions / sizeof actions[0])

static void step(struct worker *self)
{
    size_t which = next_random(&self->random) % ACTIONS;

    if (next_random(&self->random) % actions[which].one_in != 0)
        return;
    actions[which].run(self);
    self->counts[which]++;
}

static void *work(void *arg)
{
    struct worker *self = arg;
    double end = now() + (double)seconds;

    expect_context("thread %u", self->number);
    while (now() < end && expect_failures() == 0)
        step(self);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

static void run(void)
{
    static struct worker workers[MAX_THREADS];

    for (unsigned i = 0; i < thread_count; i++) {
        workers[i].number = i;
        workers[i].random = seed * 1000003 + i + 1;
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) ==
                0);
    }
    for (unsigned i = 0; i < thread_count; i++)
        EXPECT_EQ(pthread_join(workers[i].thread, NULL), 0);
    for (size_t i = 0; i < ACTIONS; i++) {
        unsigned long count = 0;

        for (unsigned j = 0; j < thread_count; j++)
            count += workers[j].counts[i];
        (void)printf("%s %lu\n", actions[i].name, count);
    }
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static bool read_number(int argc, char **argv, int i, unsigned long most,
                        unsigned long *out)
{
    char *end;

    if (i >= argc)
        return true;
    *out = strtoul(argv[i], &end, 10);
    return end != argv[i] && *end == '\0' && *out >= 1 && *out <= most;
}

int main(int argc, char **argv)
{
    seed = (unsigned long)time(NULL);
    if (argc > 4 || !read_number(argc, argv, 1, 86400, &seconds) ||
        !read_number(argc, argv, 2, MAX_THREADS, &thread_count) ||
        !read_number(argc, argv, 3, UINT32_MAX, &seed)) {
        (void)fprintf(stderr,
                      "usage: bustle [SECONDS] [THREADS] [SEED]\n"
                      "THREADS is 1 to %d\n",
                      MAX_THREADS);
        return 2;
    }
    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    code_pages = mmap(NULL, MAX_THREADS * 4096, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (null_device < 0 || code_pages == MAP_FAILED ||
        pthread_key_create(&last_key, use_at_the_end) != 0)
        return 2;
    (void)printf("bustle %lu %lu %lu\n", seconds, thread_count, seed);
    (void)fflush(stdout);
    run();
    (void)printf("%d failures\n", expect_failures());
    return expect_failures() == 0 ? 0 : 1;
}
