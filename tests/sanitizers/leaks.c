/*
 * leaks.c: memory that coroutines own, at the exit of a process with
 * LeakSanitizer.
 *
 *   leaks CASE    `leaks` alone lists the cases
 *
 * In a case of the first list all memory is owned, and nothing may be reported.
 * In one of the second list it is lost, and must be. The host allocates it: not
 * every build of LeakSanitizer reports what is allocated on a stack that it
 * does not know.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <moat/moat.h>

void __lsan_register_root_region(const void *p, size_t size);
void __lsan_unregister_root_region(const void *p, size_t size);
int __lsan_do_recoverable_leak_check(void);

#define NOINLINE __attribute__((noinline))
#define MANY     3000

/* Owned by no global variable: handles are kept inverted. */
static uintptr_t handles[MANY];

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "leaks: %s\n", what);
    _exit(99);
}

static moat_co *handle(int number)
{
    return (moat_co *)~handles[number];
}

NOINLINE static void *make(void)
{
    char *made = malloc(1234);

    require(made != NULL, "malloc");
    memset(made, 'x', 1234);
    return made;
}

/* Pointers that dead frames of the host have left. */
NOINLINE static void scrub(void)
{
    volatile char junk[65536];

    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = 0;
}

NOINLINE static void create(int number, moat_entry entry,
                            const moat_co_options *options)
{
    moat_co *co;

    require(moat_co_create(&co, entry, options) == MOAT_OK, "create");
    handles[number] = ~(uintptr_t)co;
}

NOINLINE static void resume_with(int number, void *input, moat_event_kind kind)
{
    moat_event event;

    require(moat_co_resume(handle(number), input, &event) == MOAT_OK, "resume");
    require(event.kind == kind, "event");
}

/* Gives it memory that the host keeps no pointer to. */
NOINLINE static void give(int number, moat_event_kind kind)
{
    resume_with(number, make(), kind);
}

/* ---- Owned ---- */

static void *own(moat_co *self, void *input)
{
    char *mine = input;

    (void)moat_co_yield(self, NULL);
    free(mine);
    return NULL;
}

/* The address is on a fake stack, if there are any. */
static void *own_by_a_struct(moat_co *self, void *input)
{
    struct {
        char room[64];
        void *volatile mine;
    } local;

    local.mine = input;
    (void)moat_co_yield(self, (void *)((uintptr_t)&local & 0));
    free(local.mine);
    return NULL;
}

static void suspended(void)
{
    create(0, own, NULL);
    give(0, MOAT_EVENT_YIELD);
}

static void suspended_struct(void)
{
    create(0, own_by_a_struct, NULL);
    give(0, MOAT_EVENT_YIELD);
}

static void many(void)
{
    for (int i = 0; i < MANY; i++) {
        create(i, own, NULL);
        give(i, MOAT_EVENT_YIELD);
    }
}

static void large_stack(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = (size_t)64 << 20;
    options.guard_bytes = (size_t)1 << 20;
    create(0, own, &options);
    give(0, MOAT_EVENT_YIELD);
}

static int *volatile nowhere;

static void *trap(moat_co *self, void *input)
{
    char *mine = input;

    *nowhere = 1;
    free(mine);
    return self;
}

static void trapped(void)
{
    create(0, trap, NULL);
    give(0, MOAT_EVENT_TRAP);
}

static void *switch_away(moat_co *self, void *input)
{
    char *mine = input;
    void *back;

    require(moat_co_switch_to(self, handle(1), NULL, &back) == MOAT_OK,
            "switch_to");
    free(mine);
    return NULL;
}

static void transferred(void)
{
    create(0, switch_away, NULL);
    create(1, own, NULL);
    give(0, MOAT_EVENT_YIELD);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Memory that the library itself has allocated. */
static void named(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.name = "a name that is copied";
    options.user = make();
    create(0, own, &options);
    require(moat_co_defer(handle(0), nothing, make()) == MOAT_OK, "defer");
    options.user = NULL;
    give(0, MOAT_EVENT_YIELD);
}

static void *exit_here(moat_co *self, void *input)
{
    char *mine = input;

    scrub();
    exit(0);
    (void)self;
    free(mine);
    return NULL;
}

static void *resume_inner(moat_co *self, void *input)
{
    char *mine = input;

    give(1, MOAT_EVENT_RETURN);
    free(mine);
    return self;
}

/* The innermost guest, its resumer and the host own something. */
static void exit_in_a_guest(void)
{
    char *mine = make();

    create(0, resume_inner, NULL);
    create(1, exit_here, NULL);
    give(0, MOAT_EVENT_RETURN);
    free(mine);
}

static void *exit_now(void *arg)
{
    scrub();
    exit(0);
    return arg;
}

static void *exit_by_host_call(moat_co *self, void *input)
{
    char *mine = input;

    (void)moat_call_on_parent(self, exit_now, NULL);
    free(mine);
    return NULL;
}

static void exit_in_a_host_call(void)
{
    create(0, exit_by_host_call, NULL);
    give(0, MOAT_EVENT_RETURN);
}

static pthread_barrier_t barrier;

static void *suspend(void *unused)
{
    suspended();
    return unused;
}

static void *suspend_and_wait(void *unused)
{
    (void)suspend(unused);
    (void)pthread_barrier_wait(&barrier);
    while (unused == NULL)
        pause();
    return unused;
}

static void of_a_thread(void)
{
    pthread_t thread;

    require(pthread_barrier_init(&barrier, NULL, 2) == 0 &&
                pthread_create(&thread, NULL, suspend_and_wait, NULL) == 0,
            "thread");
    (void)pthread_barrier_wait(&barrier);
}

static void of_an_ended_thread(void)
{
    pthread_t thread;

    require(pthread_create(&thread, NULL, suspend, NULL) == 0 &&
                pthread_join(thread, NULL) == 0,
            "thread");
}

static void *wait_in_guest(moat_co *self, void *input)
{
    char *mine = input;

    (void)pthread_barrier_wait(&barrier);
    while (self != NULL)
        pause();
    free(mine);
    return NULL;
}

static void *run_and_wait(void *unused)
{
    char *mine = make();

    create(0, wait_in_guest, NULL);
    give(0, MOAT_EVENT_RETURN);
    free(mine);
    return unused;
}

/* Its guest runs, and its host waits, while main exits. */
static void of_a_running_thread(void)
{
    pthread_t thread;

    require(pthread_barrier_init(&barrier, NULL, 2) == 0 &&
                pthread_create(&thread, NULL, run_and_wait, NULL) == 0,
            "thread");
    (void)pthread_barrier_wait(&barrier);
}

/* A check before the exit, which the program asks for: docs/sanitizers.md. */
static void add(void *begin, void *end, void *unused)
{
    (void)unused;
    __lsan_register_root_region(begin, (size_t)((char *)end - (char *)begin));
}

static void take_back(void *begin, void *end, void *unused)
{
    (void)unused;
    __lsan_unregister_root_region(begin, (size_t)((char *)end - (char *)begin));
}

NOINLINE static int check_now(void)
{
    int found;

    scrub();
    require(moat_visit_roots(add, NULL) == MOAT_OK, "visit_roots");
    found = __lsan_do_recoverable_leak_check();
    require(moat_visit_roots(take_back, NULL) == MOAT_OK, "visit_roots");
    return found;
}

static void checked_before_the_exit(void)
{
    suspended();
    require(check_now() == 0, "a leak was found where there is none");
}

static void named_and_checked(void)
{
    named();
    require(check_now() == 0, "a leak was found where there is none");
}

/* ---- Lost ---- */

static void lost_by_the_host(void)
{
    create(0, own, NULL);
    give(0, MOAT_EVENT_YIELD);
    (void)make();
}

/* Not by its entry's input: the frame of moat's that called it may keep that.
 */
NOINLINE static void lose_the_next(moat_co *self)
{
    char *volatile mine = moat_co_yield(self, NULL);

    mine[0] = 'y';
}

/* Where what is called later does not reach, with holes in its frames. */
NOINLINE static void lose_far_below(moat_co *self)
{
    char room[16384];

    __asm__ volatile("" : : "r"(room) : "memory");
    lose_the_next(self);
    __asm__ volatile("" : : "r"(room) : "memory");
}

static void *lose(moat_co *self, void *input)
{
    lose_far_below(self);
    return moat_co_yield(self, input);
}

static void lost_by_a_suspended_one(void)
{
    create(0, lose, NULL);
    resume_with(0, NULL, MOAT_EVENT_YIELD);
    give(0, MOAT_EVENT_YIELD);
}

/* Its stack still holds the pointer. */
static void owned_by_a_destroyed_one(void)
{
    create(0, own, NULL);
    give(0, MOAT_EVENT_YIELD);
    moat_co_destroy(handle(0));
}

static void owned_by_a_reset_one(void)
{
    create(0, own, NULL);
    give(0, MOAT_EVENT_YIELD);
    require(moat_co_reset(handle(0)) == MOAT_OK, "reset");
}

static void *just_return(moat_co *self, void *input)
{
    char *volatile mine = input;

    (void)self;
    return mine != NULL ? NULL : self;
}

static void owned_by_one_that_returned(void)
{
    create(0, just_return, NULL);
    give(0, MOAT_EVENT_RETURN);
}

static void lost_and_checked_before_the_exit(void)
{
    lost_by_a_suspended_one();
    require(check_now() != 0, "a leak was not found");
}

/* ---- */

static const struct {
    const char *kind, *name;
    void (*run)(void);
} cases[] = {
    {"owned", "suspended", suspended},
    {"owned", "suspended_struct", suspended_struct},
    {"owned", "many", many},
    {"owned", "large_stack", large_stack},
    {"owned", "trapped", trapped},
    {"owned", "transferred", transferred},
    {"owned", "named", named},
    {"owned", "exit_in_a_guest", exit_in_a_guest},
    {"owned", "exit_in_a_host_call", exit_in_a_host_call},
    {"owned", "of_a_thread", of_a_thread},
    {"owned", "of_an_ended_thread", of_an_ended_thread},
    {"owned", "of_a_running_thread", of_a_running_thread},
    {"owned", "checked_before_the_exit", checked_before_the_exit},
    {"owned", "named_and_checked", named_and_checked},
    {"lost", "lost_by_the_host", lost_by_the_host},
    {"lost", "lost_by_a_suspended_one", lost_by_a_suspended_one},
    {"lost", "owned_by_a_destroyed_one", owned_by_a_destroyed_one},
    {"lost", "owned_by_a_reset_one", owned_by_a_reset_one},
    {"lost", "owned_by_one_that_returned", owned_by_one_that_returned},
    {"lost", "lost_and_checked_before_the_exit",
     lost_and_checked_before_the_exit},
};
#define CASES (sizeof cases / sizeof *cases)

int main(int argc, char **argv)
{
    for (size_t i = 0; i < CASES; i++) {
        if (argc < 2)
            printf("%s %s\n", cases[i].kind, cases[i].name);
        else if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            scrub();
            return 0;
        }
    }
    return argc < 2 ? 0 : 2;
}
