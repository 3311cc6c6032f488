/*
 * storm.c: storm [SECONDS] [THREADS] [COROUTINES] [SEED]: each of THREADS
 * threads does random things with its share of COROUTINES coroutines: faults of
 * random kinds at random depths, cancels, resets, renewals, walks, time limits.
 * Now and then the thread forks, and the child continues for a while. Meanwhile
 * a neighbour installs its handlers over the present ones, passes signals on,
 * and removes its handlers again.
 *
 * Expects that every event comes as planned, that memory and descriptors do not
 * grow, and that each thread's signal mask and alternate stack do not change.
 * Without SEED the clock chooses one, which is printed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"
#include "storm_player.h"

#define MAX_THREADS  64
#define GROWTH_BYTES ((size_t)4 << 20)
#define FORK_EVERY   20000
#define CHILD_STEPS  200
#define CHILD_MS     120000

static unsigned long seconds = 5, coroutines = 1000, seed;
static unsigned thread_count = 4;
static pthread_barrier_t warm, done, looked;
static atomic_bool calm; /* stops the neighbour */

struct worker {
    pthread_t thread;
    unsigned number;
    size_t count; /* number of players */
    struct player *players;
    uint64_t random;
    struct tally tally;
    unsigned long forks;
};

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void nap(void)
{
    const struct timespec moment = {0, 1000000};

    (void)nanosleep(&moment, NULL);
}

/* ---- Workers ---- */

static void step(struct worker *self)
{
    player_step(&self->players[storm_random(&self->random) % self->count],
                &self->random, &self->tally);
}

/* Only this thread exists in the child; the others were in any state. */
static _Noreturn void live_as_a_child(struct worker *self)
{
    expect_context("thread %u, child %lu", self->number, self->forks);
    players_are_in_a_child();
    for (int i = 0; i < CHILD_STEPS; i++)
        step(self);
    _exit(expect_failures() == 0 ? 0 : CHILD_FAILED);
}

/* Returns the child's status from waitpid; kills a child that hangs. */
static int end_of(pid_t child)
{
    int status;

    for (int i = 0; i < CHILD_MS; i++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return status;
        nap();
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
    self->forks++;
}

/* The sanitizers' runtimes do not promise that a forked child of several
 * threads works: AddressSanitizer's allocator waits there for a lock whose
 * owner does not exist. */
static void storm_until(struct worker *self, double end)
{
    while (now() < end) {
        for (int i = 0; i < 100; i++)
            step(self);
        if (!UNDER_ASAN && !UNDER_TSAN &&
            storm_random(&self->random) % (FORK_EVERY / 100) == 0)
            fork_once(self);
    }
}

static void *work(void *arg)
{
    struct worker *self = arg;
    struct thread_signals before;
    double start;

    expect_context("thread %u", self->number);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    thread_signals_note(&before);
    for (size_t i = 0; i < self->count; i++)
        player_open(&self->players[i], i == 0);
    start = now();
    storm_until(self, start + (double)seconds / 5);
    (void)pthread_barrier_wait(&warm);
    (void)pthread_barrier_wait(&looked);
    storm_until(self, start + (double)seconds);
    (void)pthread_barrier_wait(&done);
    (void)pthread_barrier_wait(&looked);
    thread_signals_expect_kept(&before);
    for (size_t i = 0; i < self->count; i++)
        player_close(&self->players[i]);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

/* ---- The neighbour ---- */

static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,
                              SIGFPE,  SIGTRAP, SIGABRT};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* The handlers below the neighbour's, always the same ones. */
static struct sigaction below[NSIG];

static void pass_on(int signo, siginfo_t *info, void *context)
{
    below[signo].sa_sigaction(signo, info, context);
}

static void come(int signo)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    EXPECT_EQ(sigaction(signo, &action, NULL), 0);
}

static void *come_and_go(void *arg)
{
    unsigned long *swaps = arg;

    expect_context("neighbour");
    while (!atomic_load(&calm)) {
        for (size_t i = 0; i < SIGNALS; i++)
            come(signals[i]);
        nap();
        for (size_t i = 0; i < SIGNALS; i++)
            EXPECT_EQ(sigaction(signals[i], &below[signals[i]], NULL), 0);
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        *swaps += 1;
        nap();
    }
    return NULL;
}

static void look_below(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        REQUIRE(sigaction(signals[i], NULL, &below[signals[i]]) == 0);
        /* libsigsegv handles page faults only; moat handles the rest. */
        REQUIRE((below[signals[i]].sa_flags & SA_SIGINFO) != 0);
    }
}

/* ---- The whole run ---- */

static void start(struct worker *workers)
{
    for (unsigned i = 0; i < thread_count; i++) {
        workers[i].number = i;
        workers[i].count = (coroutines + i) / thread_count;
        workers[i].players =
            calloc(workers[i].count, sizeof(*workers[i].players));
        workers[i].random = seed * 1000003 + i + 1;
        REQUIRE(workers[i].players != NULL);
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) ==
                0);
    }
}

static void finish(struct worker *workers, struct tally *tally,
                   unsigned long *forks)
{
    for (unsigned i = 0; i < thread_count; i++) {
        EXPECT_EQ(pthread_join(workers[i].thread, NULL), 0);
        free(workers[i].players);
        tally_add(tally, &workers[i].tally);
        *forks += workers[i].forks;
    }
}

static void expect_flat(size_t resident, size_t after)
{
    EXPECT(resident > 0);
    if (UNDER_ASAN || UNDER_TSAN)
        (void)puts("memory growth not checked: a sanitizer's shadow memory "
                   "grows by itself");
    else
        EXPECT(after < resident + GROWTH_BYTES);
    (void)printf("memory: %zu KiB, at the end %zu KiB\n", resident >> 10,
                 after >> 10);
}

/* Expects that an action with a chance of about 1 in `every` steps has
 * happened, if there were so many steps that it must have. */
static void expect_some(unsigned long count, unsigned long every,
                        const struct tally *tally)
{
    if (tally->steps / every > 32)
        EXPECT(count > 0);
}

static void *jump_to(moat_co *self, void *input)
{
    void (*code)(void);

    (void)self;
    memcpy(&code, &input, sizeof code);
    code();
    return NULL;
}

/* At its first step over code without unwind information, libunwind opens a
 * pipe and keeps it. This opens it before descriptors are counted. */
static void walk_over_bare_code(void)
{
    static const unsigned char illegal[] = {0x0f, 0x0b}; /* ud2 */
    moat_frame frames[16];
    moat_event event;
    size_t count;
    moat_co *co = NULL;
    void *code = mmap(NULL, sizeof illegal, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(code != MAP_FAILED);
    memcpy(code, illegal, sizeof illegal);
    REQUIRE(moat_co_create(&co, jump_to, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(co, code, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    (void)moat_co_backtrace(co, frames, 16, &count);
    moat_co_destroy(co);
    REQUIRE(munmap(code, sizeof illegal) == 0);
}

static void run(void)
{
    static struct worker workers[MAX_THREADS];
    struct tally tally = {0};
    unsigned long forks = 0, swaps = 0;
    size_t resident, after;
    int descriptors;
    pthread_t neighbour;

    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    walk_over_bare_code();
    look_below();
    REQUIRE(pthread_create(&neighbour, NULL, come_and_go, &swaps) == 0);
    start(workers);
    (void)pthread_barrier_wait(&warm);
    resident = resident_bytes();
    descriptors = descriptors_open();
    (void)pthread_barrier_wait(&looked);
    (void)pthread_barrier_wait(&done);
    after = resident_bytes();
    EXPECT_EQ(descriptors_open(), descriptors);
    (void)pthread_barrier_wait(&looked);
    finish(workers, &tally, &forks);
    atomic_store(&calm, true);
    EXPECT_EQ(pthread_join(neighbour, NULL), 0);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    expect_flat(resident, after);
    (void)printf("%lu steps: %lu yields, %lu returns, %lu traps, %lu nested, "
                 "%lu deadlines,\n%lu cancels, %lu resets, %lu renewals, "
                 "%lu walks; %lu forks, %lu handler swaps\n",
                 tally.steps, tally.yields, tally.returns, tally.traps,
                 tally.nested, tally.deadlines, tally.cancels, tally.resets,
                 tally.renewals, tally.walks, forks, swaps);
    EXPECT(tally.traps > 0);
    EXPECT(tally.cancels > 0);
    expect_some(tally.nested, 128, &tally);
    expect_some(tally.walks, 1024, &tally);
    if (!UNDER_TSAN)
        expect_some(tally.deadlines, 4096, &tally);
    if (!UNDER_ASAN && !UNDER_TSAN)
        expect_some(forks, FORK_EVERY, &tally);
    EXPECT(swaps > 0);
}

/* Reads argument i, if present. Returns false if it is not a whole number from
 * 1 to most. */
static bool read_number(int argc, char **argv, int i, unsigned long most,
                        unsigned long *out)
{
    char *end;

    if (i >= argc)
        return true;
    errno = 0;
    *out = strtoul(argv[i], &end, 10);
    return errno == 0 && end != argv[i] && *end == '\0' && argv[i][0] != '-' &&
           *out >= 1 && *out <= most;
}

int main(int argc, char **argv)
{
    unsigned long threads = thread_count;

    seed = (unsigned long)time(NULL);
    if (argc > 5 || !read_number(argc, argv, 1, 86400, &seconds) ||
        !read_number(argc, argv, 2, MAX_THREADS, &threads) ||
        !read_number(argc, argv, 3, 1000000, &coroutines) ||
        !read_number(argc, argv, 4, UINT32_MAX, &seed) ||
        coroutines < threads) {
        (void)fprintf(stderr,
                      "usage: storm [SECONDS] [THREADS] [COROUTINES] [SEED]\n"
                      "THREADS is 1 to %d, COROUTINES at least THREADS\n",
                      MAX_THREADS);
        return 2;
    }
    thread_count = (unsigned)threads;
    if (pthread_barrier_init(&warm, NULL, thread_count + 1) != 0 ||
        pthread_barrier_init(&looked, NULL, thread_count + 1) != 0 ||
        pthread_barrier_init(&done, NULL, thread_count + 1) != 0)
        return 2;
    (void)printf("storm %lu %u %lu %lu\n", seconds, thread_count, coroutines,
                 seed);
    (void)fflush(stdout);
    run();
    (void)printf("%d failures\n", expect_failures());
    return expect_failures() == 0 ? 0 : 1;
}
