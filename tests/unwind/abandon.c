/*
 * abandon.c: a guest is stopped at each instruction of a function of moat's, by
 * the fault of a handler that interrupts it there, and must leave nothing
 * behind: no lock held, no visit under way, no signal blocked, cancellation as
 * it was.
 *
 *   abandon SCENE COUNT   stops it at COUNT instructions, evenly spread; 0: at
 *                         each
 *   abandon SCENE each    at each, in a child that is forked there, by all
 *                         signals in turn
 *   abandon SCENE signals the same, by each signal at each instruction
 *   abandon SCENE states  the same, by a signal of each class, in each state of
 *                         the library (abandon_forks.c)
 *   abandon locked        signals that come while a lock is held: those that
 *                         can wait do, and a fault in the handler of another
 *                         is the host's
 *
 * The CPU's trap flag steps through the scene; the handler of the steps, on the
 * alternate stack, sends SIGUSR1, whose handler then runs on the guest's stack.
 * Where signals wait it comes later, but before the scene ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "engine/host_call.h"
#include "engine/lock.h"
#include "engine/thread.h"
#include "heap/region.h"
#include "registry/code.h"
#include "registry/grace.h"
#include "registry/ranges.h"
#include "stack/arena.h"
#include "sys/clock.h"
#include "sys/seal.h"
#include "tests/unwind/abandon_forks.h"
#include "tests/unwind/chain.h"
#include "trap/alarm.h"
#include "trap/probe.h"
#include "unwind/symbolise.h"
#include "unwind/walks.h"

/* Ends the rounds early: one leak may fail all checks that follow. */
#define EXPECT(condition) ((void)(failed |= !CHECK(condition)))

#define TRAP_FLAG   0x100
#define STACK_BYTES ((size_t)512 << 10)
#define HANG_S      120

/* How often a thread and a child try what takes each lock. */
#define TRY_EVERY 64

static bool failed, lock_held, forking;
static volatile sig_atomic_t stepping;
static unsigned long steps, target;
static int *volatile nowhere;

/* --- in handlers -----------------------------------------------------------
 */

/* On the host's stack, and in the middle of a switch, a fault is the host's. */
static bool is_guests(void)
{
    const moat_co *co = moat_co_current();

    return co != NULL && moat_co_get_state(co) == MOAT_CO_RUNNING;
}

static uintptr_t cancel_state(void)
{
    int state = PTHREAD_CANCEL_ENABLE;

    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    (void)pthread_setcancelstate(state, NULL);
    return (uintptr_t)state;
}

/* Locks and visits, what a guest has begun, and the sections that are open. */
static struct forks_state state_of_library(void)
{
    const struct co *co = moat_running();

    return (struct forks_state){{
        moat_seal_locks_held(),
        moat_grace_visiting(),
        cancel_state(),
        (uintptr_t)moat_probe,
        moat_probe != NULL && moat_probe->landing.resumer_sp != 0,
        (uintptr_t)moat_host_calls(),
        (uintptr_t)moat_alarm.asides,
        (uintptr_t)co->nointr << 32 | co->notrap,
    }};
}

/* Returns whether to stop the guest here: in a child, if it forks. */
static bool send_here(const ucontext_t *at)
{
    struct forks_state state;

    steps++;
    if (forking) {
        state = state_of_library();
        return forks_step(at, &state);
    }
    if (steps != target)
        return false;
    (void)raise(SIGUSR1); /* blocked until this handler returns */
    return true;
}

static void on_step(int signo, siginfo_t *info, void *context)
{
    ucontext_t *at = context;

    (void)signo;
    (void)info;
    if (stepping && (!is_guests() || !send_here(at)))
        return;
    at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    stepping = 0;
}

static void on_usr1(int signo)
{
    (void)signo;
    *nowhere = 1;
}

/* Replaces moat's handler of SIGTRAP, for which a step is a guest's trap. */
static void handle(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigfillset(&action.sa_mask);
    (void)sigdelset(&action.sa_mask, SIGSEGV);
    EXPECT(sigaction(SIGTRAP, &action, NULL) == 0);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_usr1;
    action.sa_flags = SA_NODEFER;
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
}

/* --- the scenes ------------------------------------------------------------
 */

static moat_co *dead, *child;
static int sink;
static char code_bytes[1 << 14][64];
static size_t next_code;
static moat_code_id registered;

/* A guest may be stopped when its code is registered and before it knows. */
static moat_status register_code(moat_code_id *id)
{
    moat_code code = MOAT_CODE_INIT;

    code.start = code_bytes[next_code++];
    code.size = sizeof code_bytes[0];
    code.name = "registered";
    return moat_code_register(&code, id);
}

static void *do_nothing(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void *yield_for_ever(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *write_to_nowhere(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 1;
    return input;
}

static void scene_walk(void)
{
    moat_frame frames[4];
    size_t count;

    EXPECT(moat_backtrace(frames, 4, &count) == MOAT_E_FULL);
}

static void create_and_destroy(size_t stack_bytes, const char *name)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_bytes = stack_bytes;
    options.name = name;
    EXPECT(moat_co_create(&co, do_nothing, &options) == MOAT_OK);
    moat_co_destroy(co);
}

static void scene_create(void)
{
    create_and_destroy(0, NULL);
}

/* Looks up two classes of stacks, which takes a lock, and asks the heap. */
static void scene_create_named(void)
{
    create_and_destroy((size_t)64 << 10, "named");
    create_and_destroy((size_t)128 << 10, "named");
}

static void scene_trim(void)
{
    create_and_destroy((size_t)64 << 10, NULL);
    EXPECT(moat_engine_trim(0, NULL) == MOAT_OK);
}

static void scene_register(void)
{
    moat_code_id id;

    EXPECT(register_code(&id) == MOAT_OK);
    EXPECT(moat_code_unregister(id) == MOAT_OK);
}

static void scene_heap(void)
{
    moat_heap *heap = NULL;

    EXPECT(moat_heap_create(&heap, (size_t)1 << 20) == MOAT_OK);
    moat_heap_destroy(heap);
}

/* With a spec's first home, spares that are made, taken and put back, and the
 * sweep of what its end leaves. */
static void scene_spec(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_spec *spec = NULL;
    moat_co *co = NULL;

    options.name = "from a spec";
    EXPECT(moat_spec_create(&spec, &options) == MOAT_OK);
    EXPECT(moat_spec_prepare(spec, 2) == MOAT_OK);
    EXPECT(moat_co_create_from(&co, spec, do_nothing, NULL) == MOAT_OK);
    moat_co_destroy(co);
    moat_spec_destroy(spec);
}

/* Static: what a stopped guest leaves of them remains. */
static void scene_batch(void)
{
    static moat_co *cos[3];
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    size_t done = 0;

    options.stack_bytes = (size_t)80 << 10;
    EXPECT(moat_co_create_n(cos, do_nothing, &options, NULL, 3, &done) ==
           MOAT_OK);
    while (done > 0)
        moat_co_destroy(cos[--done]);
}

static void scene_defer(void)
{
    moat_co *co;

    EXPECT(moat_co_create(&co, do_nothing, NULL) == MOAT_OK);
    EXPECT(moat_co_defer(co, (void (*)(void *))(uintptr_t)free, NULL) ==
           MOAT_OK);
    moat_co_destroy(co);
}

static void *add(void *arg)
{
    return (char *)arg + 1;
}

static void scene_host_call(void)
{
    EXPECT(moat_call_on_parent(moat_co_current(), add, NULL) != NULL);
}

/* A child with a limit: what it adds to the limits in force ends with it. */
static void scene_resume_limited(void)
{
    moat_event event;

    EXPECT(moat_co_resume(child, NULL, &event) == MOAT_OK);
}

static void expect_no_limits(void)
{
    EXPECT(moat_alarm.asides == NULL);
}

static void call_and_resume(void *arg)
{
    (void)arg;
    scene_host_call();
    scene_resume_limited();
}

/* The fault ends the call, and the guest goes on. */
static void scene_notrap_call(void)
{
    moat_status status = moat_notrap_call(call_and_resume, NULL, NULL);

    if (status == MOAT_OK)
        return;
    EXPECT(status == MOAT_E_FAULT);
    EXPECT(moat_call_on_parent(moat_co_current(), add, NULL) != NULL);
    expect_no_limits();
    *nowhere = 1;
}

static void scene_co_backtrace(void)
{
    moat_frame frames[4];
    size_t count;

    EXPECT(moat_co_backtrace(dead, frames, 4, &count) == MOAT_E_FULL ||
           forks_ends_a_probe());
}

static void scene_describe(void)
{
    moat_frame frame = {(uintptr_t)add, 0, NULL, MOAT_FRAME_TRAP};
    char line[256];

    EXPECT(moat_frame_describe(&frame, line, sizeof line) == MOAT_OK);
}

static void scene_report(void)
{
    EXPECT(moat_co_print_report(dead, sink) == MOAT_OK);
}

static const struct scene {
    const char *name;
    void (*run)(void);
} scenes[] = {
    {"walk", scene_walk},
    {"create", scene_create},
    {"create_named", scene_create_named},
    {"trim", scene_trim},
    {"register", scene_register},
    {"heap", scene_heap},
    {"spec", scene_spec},
    {"batch", scene_batch},
    {"defer", scene_defer},
    {"host_call", scene_host_call},
    {"resume_limited", scene_resume_limited},
    {"notrap_call", scene_notrap_call},
    {"co_backtrace", scene_co_backtrace},
    {"describe", scene_describe},
    {"report", scene_report},
};

/* The flag stays set on the way out, and the handler clears it. */
static void *play(moat_co *self, void *input)
{
    const struct scene *scene = input;

    (void)self;
    scene->run(); /* once for the caches */
    steps = 0;
    stepping = 1;
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::
                         : "cc", "memory");
    scene->run();
    stepping = 0;
    KEEP_FRAME();
    return input;
}

/* --- what must not be left behind ------------------------------------------
 */

static void expect_free(pthread_mutex_t *lock)
{
    lock_held |= !CHECK(pthread_mutex_trylock(lock) == 0);
    failed |= lock_held;
    (void)pthread_mutex_unlock(lock);
}

/* Creates and destroys take them off lists and count them. */
static void expect_spares_counted(void)
{
    const struct moat_home *home = moat_thread_self()->homes.first;

    for (; home != NULL; home = home->next) {
        const moat_co *spare = home->spare;
        uint64_t count = 0;

        for (; spare != NULL; spare = (const moat_co *)spare->resumer)
            count++;
        EXPECT(count == home->spares);
        EXPECT(home->made >= count || home->spec == NULL);
    }
}

static void expect_nothing_held(const sigset_t *before)
{
    sigset_t mask;
    int state;

    expect_free(&moat_codes_lock);
    expect_free(&moat_arena_lock);
    expect_free(&moat_ranges_lock);
    expect_free(&moat_symbols_lock);
    expect_free(&moat_heap_regions_lock);
    expect_spares_counted();
    EXPECT(!moat_grace_visiting());
    moat_grace_wait(); /* hangs if a visit is left */
    EXPECT(!moat_seal_locks_held());
    EXPECT(moat_host_calls() == NULL);
    expect_no_limits();
    EXPECT(moat_probe == NULL);
    EXPECT(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    EXPECT(memcmp(&mask, before, sizeof(uint64_t)) == 0);
    EXPECT(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state) == 0);
    EXPECT(state == PTHREAD_CANCEL_ENABLE);
}

static void *use_everything(void *arg)
{
    moat_code_id id;

    EXPECT(register_code(&id) == MOAT_OK);
    EXPECT(moat_code_unregister(id) == MOAT_OK);
    create_and_destroy((size_t)96 << 10, "other");
    EXPECT(moat_engine_trim(0, NULL) == MOAT_OK);
    EXPECT(moat_co_print_report(dead, sink) == MOAT_OK || arg != NULL);
    moat_engine_lock();
    moat_engine_unlock();
    moat_walk_begin();
    moat_walk_end();
    return arg;
}

static bool child_can_use_everything(void)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        _exit(use_everything(NULL) != NULL);
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* Here, on another thread, and in a child: a fork takes all locks. */
static void try_everything(void)
{
    pthread_t thread;

    (void)use_everything(NULL);
    EXPECT(pthread_create(&thread, NULL, use_everything, &sink) == 0);
    (void)pthread_join(thread, NULL);
    EXPECT(child_can_use_everything());
}

/* --- the rounds ------------------------------------------------------------
 */

static moat_co *create(moat_entry entry, uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.wall_ns = wall_ns;
    options.stack_bytes = STACK_BYTES;
    options.limits = &limits;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        exit(1);
    return co;
}

/* The interrupted process may be the child of the scene. */
static bool has_stopped(const moat_event *event)
{
    return event->kind == MOAT_EVENT_TRAP ||
           moat_co_get_state(child) == MOAT_CO_TRAPPED;
}

/* Runs the scene; returns how many steps it took. */
static unsigned long run(const struct scene *scene, unsigned long stop_at)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = create(play, 0);

    target = stop_at;
    child = create(yield_for_ever, UINT64_C(3600) * 1000000000);
    (void)alarm(forking ? 0 : HANG_S);
    EXPECT(moat_co_resume(co, (void *)(uintptr_t)scene, &event) == MOAT_OK);
    /* A round may take fewer steps than the one that counted them. */
    EXPECT(has_stopped(&event) ==
           ((stop_at != 0 && steps >= stop_at) || forks_must_stop()));
    moat_co_destroy(co);
    moat_co_destroy(child);
    return steps;
}

/* A child checks what its guest has left, and ends. */
static void check_in_child(const sigset_t *before)
{
    unsigned long number = forks_number();

    if (number == 0)
        return;
    forks_restore_action();
    expect_nothing_held(before);
    if (!lock_held && number % TRY_EVERY == 0)
        try_everything();
    forks_end_child(failed, lock_held);
}

static void run_forking(const struct scene *scene, enum forks_plan plan)
{
    sigset_t before;

    (void)run(scene, 0);
    try_everything(); /* with a second thread the heap begins to lock */
    EXPECT(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    forks_begin(plan);
    forking = true;
    (void)run(scene, 0);
    check_in_child(&before);
    EXPECT(forks_end(scene->name));
}

static void run_all(const struct scene *scene, unsigned long count)
{
    unsigned long all = run(scene, 0), i;
    sigset_t before;

    EXPECT(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    if (count == 0 || count > all)
        count = all;
    for (i = 0; i < count && !failed; i++) {
        (void)run(scene, 1 + i * all / count);
        expect_nothing_held(&before);
        if (i % TRY_EVERY == 0)
            try_everything();
    }
    try_everything();
    printf("%s: stopped at %lu of %lu instructions\n", scene->name, i, all);
}

/* --- with a lock held ------------------------------------------------------
 */

static volatile sig_atomic_t unlocks;

/* The signal is sent, and its handler faults, between the two. */
static void *send_while_locked(moat_co *self, void *input)
{
    (void)self;
    moat_engine_lock();
    (void)raise((int)(intptr_t)input);
    unlocks++;
    moat_engine_unlock();
    return input;
}

static void send(int signo)
{
    moat_co *co = create(send_while_locked, 0);
    struct sigaction action;
    moat_event event;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_usr1;
    action.sa_flags = SA_NODEFER;
    EXPECT(sigaction(signo, &action, NULL) == 0);
    EXPECT(moat_co_resume(co, (void *)(intptr_t)signo, &event) == MOAT_OK);
    EXPECT(event.kind == MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

static int test_locked(void)
{
    sigset_t before;
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        send(SIGTRAP);
        _exit(0);
    }
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    EXPECT(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    send(SIGUSR1);
    EXPECT(unlocks == 1);
    /* For expect_no_limits, which needs the signal of deadlines. */
    moat_co_destroy(create(do_nothing, UINT64_C(3600) * 1000000000));
    expect_nothing_held(&before);
    moat_engine_lock();
    moat_engine_unlock();
    return chain_result();
}

static void run_as_told(const struct scene *scene, const char *how)
{
    if (strcmp(how, "each") == 0)
        run_forking(scene, FORKS_IN_TURN);
    else if (strcmp(how, "signals") == 0)
        run_forking(scene, FORKS_EACH_SIGNAL);
    else if (strcmp(how, "states") == 0)
        run_forking(scene, FORKS_EACH_STATE);
    else
        run_all(scene, strtoul(how, NULL, 10));
}

int main(int argc, char **argv)
{
    moat_event event;

    if (argc == 2 && strcmp(argv[1], "locked") == 0)
        return test_locked();
    if (argc != 3)
        return 2;
    sink = open("/dev/null", O_WRONLY);
    EXPECT(register_code(&registered) == MOAT_OK);
    dead = create(write_to_nowhere, 0);
    EXPECT(moat_co_resume(dead, NULL, &event) == MOAT_OK);
    handle();
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        if (strcmp(argv[1], scenes[i].name) == 0) {
            run_as_told(&scenes[i], argv[2]);
            return chain_result();
        }
    }
    return 2;
}
