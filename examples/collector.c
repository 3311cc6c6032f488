/*
 * collector.c: guests whose memory the Boehm collector manages.
 *
 * Shows: moat_visit_roots and moat_stack_at in a host of a conservative
 * collector: objects that only a suspended or trapped guest knows, a collection
 * on a guest's stack, and one that stops other threads, which run guests, at
 * any instruction.
 * Run: build/debug/examples/collector
 * Prints: which objects were kept, and which were freed
 * (expected/collector.txt).
 * Try: leave out the moat_visit_roots in push_roots. Then objects are freed
 * that guests still use.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* REG_RSP */
#define GC_THREADS  /* gc.h wraps pthread_create, which registers threads */

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <gc/gc.h>
#include <gc/gc_mark.h>
#include <moat/moat.h>

/* --- the collector and moat ----------------------------------------------- */

#define MAX_THREADS 8
#define RED_ZONE    128 /* bytes below the stack pointer that may be in use */

/*
 * A thread that the collector scans.
 *
 * The collector scans each thread from its stack pointer up to a "stack
 * bottom", and takes that for the end of the host's stack. A thread that runs a
 * guest is on another stack, so the bottom is set anew in each collection.
 */
static struct gc_thread {
    void *handle; /* the collector's; NULL: the entry is free           */
    uintptr_t host_base; /* the end of the host's stack */
    /* While it is stopped: the stack pointer that was interrupted (0: it is
     * not), and that of the signal handler. */
    uintptr_t sp, handler_sp;
} threads[MAX_THREADS];
static __thread struct gc_thread *this_thread;

static void (*push_other_roots)(void);
static struct sigaction suspend;

static uintptr_t base_of(uintptr_t sp, uintptr_t host_base)
{
    moat_stack_info stack;

    return moat_stack_at(sp, &stack) == MOAT_OK ? stack.base : host_base;
}

static void push(void *begin, void *end, void *unused)
{
    (void)unused;
    GC_push_all_eager(begin, end);
}

static void set_bottom(const struct gc_thread *thread, uintptr_t base)
{
    struct GC_stack_base bottom = {(void *)base};

    GC_set_stackbottom(thread->handle, &bottom);
}

/* A stopped thread is in on_suspend, on its alternate stack; what it was
 * interrupted on is pushed here. One that is not stopped and not the caller is
 * blocked in a call of the collector's, on the host's stack. */
static void push_thread(const struct gc_thread *thread)
{
    uintptr_t base = thread->host_base;

    if (thread == this_thread) {
        base = base_of((uintptr_t)__builtin_frame_address(0), base);
    } else if (thread->sp != 0) {
        push((void *)((thread->sp - RED_ZONE) & ~(uintptr_t)7),
             (void *)base_of(thread->sp, base), NULL);
        base = base_of(thread->handler_sp, base);
    }
    set_bottom(thread, base);
}

/* The collector calls it with all other threads stopped. */
static void GC_CALLBACK push_roots(void)
{
    for (size_t i = 0; i < MAX_THREADS; i++)
        if (threads[i].handle != NULL)
            push_thread(&threads[i]);
    (void)moat_visit_roots(push, NULL);
    push_other_roots();
}

/* In front of the collector's handler. It runs on the alternate stack, since a
 * guest's may have no room left; the interrupted registers are there, too. */
static void on_suspend(int signo, siginfo_t *info, void *context)
{
    const ucontext_t *interrupted = context;
    struct gc_thread *thread = this_thread;

    if (thread != NULL) {
        thread->handler_sp = (uintptr_t)__builtin_frame_address(0);
        thread->sp = (uintptr_t)interrupted->uc_mcontext.gregs[REG_RSP];
    }
    suspend.sa_sigaction(signo, info, context);
    if (thread != NULL)
        thread->sp = 0;
}

/* With the collector's lock, so that no collection comes in between: a thread
 * is known here if it has an alternate stack. */
static void *add_thread(void *thread)
{
    for (size_t i = 0; i < MAX_THREADS && this_thread == NULL; i++)
        if (threads[i].handle == NULL)
            this_thread = &threads[i];
    if (this_thread == NULL || moat_thread_attach() != MOAT_OK)
        exit(1);
    *this_thread = *(struct gc_thread *)thread;
    return NULL;
}

/* For a thread that the collector knows already. */
static void prepare_thread(void)
{
    struct GC_stack_base bottom;
    struct gc_thread thread = {GC_get_my_stackbottom(&bottom), 0, 0, 0};

    thread.host_base = (uintptr_t)bottom.mem_base;
    (void)GC_call_with_alloc_lock(add_thread, &thread);
}

/* From here on the bottom stays what it is. */
static void *remove_thread(void *unused)
{
    if (moat_thread_detach() != MOAT_OK)
        exit(1);
    set_bottom(this_thread, this_thread->host_base);
    this_thread->handle = NULL;
    this_thread = NULL;
    return unused;
}

/* Before the end of a thread, whose guests are destroyed. */
static void leave_thread(void)
{
    (void)GC_call_with_alloc_lock(remove_thread, NULL);
}

static void prepare_process(void)
{
    struct sigaction action;

    GC_INIT();
    GC_allow_register_threads();
    push_other_roots = GC_get_push_other_roots();
    GC_set_push_other_roots(push_roots);
    (void)sigaction(GC_get_suspend_signal(), NULL, &suspend);
    action = suspend;
    action.sa_sigaction = on_suspend;
    action.sa_flags |= SA_ONSTACK | SA_SIGINFO;
    (void)sigaction(GC_get_suspend_signal(), &action, NULL);
    prepare_thread();
}

/* --- objects -------------------------------------------------------------- */

#define NODES 100

struct node {
    struct node *next;
    long value;
    long room[30];
};

static void *make_node(void *next)
{
    struct node *node = GC_MALLOC(sizeof *node);

    if (node == NULL)
        abort();
    node->next = next;
    return node;
}

/* The collector holds its lock while it allocates. A guest that trapped or was
 * stopped there would keep it, so it allocates on its parent's stack. */
static struct node *guest_list(moat_co *self, long count)
{
    struct node *list = NULL;

    for (long i = 1; i <= count; i++) {
        list = moat_call_on_parent(self, make_node, list);
        list->value = i;
    }
    return list;
}

/* -1: a node was freed and its memory used again. */
static long sum_of(const struct node *list, long count)
{
    long sum = 0;

    for (long i = count; i > 0; i--, list = list->next) {
        if (list == NULL || list->value != i)
            return -1;
        sum += list->value;
    }
    return sum;
}

/* Counts live nodes without keeping them: links that the collector clears. */
static void **watch(struct node *list)
{
    void **links = GC_MALLOC_ATOMIC(NODES * sizeof *links);

    if (links == NULL)
        abort();
    for (int i = 0; i < NODES; i++, list = list->next) {
        links[i] = list;
        (void)GC_general_register_disappearing_link(&links[i], list);
    }
    return links;
}

/* A conservative collector may keep a few by accident. */
static const char *fate(void **links)
{
    int live = 0;

    for (int i = 0; i < NODES; i++)
        live += links[i] != NULL;
    return live == NODES ? "kept" : live < NODES / 10 ? "freed" : "lost";
}

/* Frees what can be freed, and uses its memory again. */
static void collect(void)
{
    GC_gcollect();
    for (int i = 0; i < 2000; i++)
        memset(GC_MALLOC(sizeof(struct node)), 0x55, sizeof(struct node));
}

/* --- the guests ----------------------------------------------------------- */

/* Yields links to its list, which nothing else knows. */
static void *keep_a_list(moat_co *self, void *input)
{
    struct node *list = guest_list(self, NODES);

    (void)input;
    (void)moat_co_yield(self, watch(list));
    return (void *)sum_of(list, NODES);
}

static int *volatile nowhere;

static void *trap_with_a_list(moat_co *self, void *input)
{
    struct node *list = guest_list(self, NODES);

    *(void ***)input = watch(list);
    *nowhere = 1;
    return list;
}

/* Collects on its own stack. No limit may stop it there. */
static void *collect_here(moat_co *self, void *input)
{
    struct node *list = guest_list(self, NODES);

    (void)input;
    moat_notrap_enter();
    collect();
    moat_notrap_leave();
    return (void *)sum_of(list, NODES);
}

static moat_co *create(moat_entry entry)
{
    moat_co *co;

    if (moat_co_create(&co, entry, NULL) != MOAT_OK)
        exit(1);
    return co;
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event;

    if (moat_co_resume(co, input, &event) != MOAT_OK)
        exit(1);
    return event;
}

/* The functions are not inlined, so that main's frame holds no list. */
#define STEP static __attribute__((noinline))

STEP void suspended_guest(void)
{
    moat_co *co = create(keep_a_list);
    void **links = resume(co, NULL).value;

    collect();
    printf("suspended guest: %s", fate(links));
    printf(", sum %ld\n", (long)resume(co, NULL).value);
    moat_co_destroy(co);
}

STEP void trapped_guest(void)
{
    moat_co *co = create(trap_with_a_list);
    void **links = NULL;

    (void)resume(co, &links);
    collect();
    printf("trapped guest: %s", fate(links));
    moat_co_destroy(co);
    collect();
    printf(", destroyed: %s\n", fate(links));
}

/* A guest collects while the host's list is on a stack that waits. */
STEP void running_guest(void)
{
    moat_co *co = create(collect_here);
    struct node *list = NULL;
    long guests;

    for (long i = 1; i <= NODES; i++) {
        list = make_node(list);
        list->value = i;
    }
    guests = (long)resume(co, NULL).value;
    printf("collection in a guest: its sum %ld, its host's %ld\n", guests,
           sum_of(list, NODES));
    moat_co_destroy(co);
}

/* --- threads -------------------------------------------------------------- */

#define WORKERS 3
#define GUESTS  8
#define TURNS   300

static volatile int working = WORKERS;

/* Makes a list longer at each turn, and checks it. */
static void *grow(moat_co *self, void *input)
{
    struct node *list = NULL;
    long count = 0;

    for (;;) {
        list = moat_call_on_parent(self, make_node, list);
        list->value = ++count;
        if (sum_of(list, count) < 0)
            return NULL;
        input = moat_co_yield(self, input);
    }
}

static void *worker(void *intact)
{
    moat_co *co[GUESTS];

    prepare_thread();
    for (int i = 0; i < GUESTS; i++)
        co[i] = create(grow);
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < GUESTS; i++)
            *(bool *)intact &= resume(co[i], co).kind == MOAT_EVENT_YIELD;
    for (int i = 0; i < GUESTS; i++)
        moat_co_destroy(co[i]);
    leave_thread();
    (void)__atomic_sub_fetch(&working, 1, __ATOMIC_RELEASE);
    return NULL;
}

STEP void guests_of_threads(void)
{
    pthread_t ids[WORKERS];
    bool intact[WORKERS] = {true, true, true};
    int lists = 0;

    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&ids[i], NULL, worker, &intact[i]) != 0)
            exit(1);
    do
        collect();
    while (__atomic_load_n(&working, __ATOMIC_ACQUIRE) != 0);
    for (int i = 0; i < WORKERS; i++) {
        (void)pthread_join(ids[i], NULL);
        lists += intact[i] ? GUESTS : 0;
    }
    printf("threads: %d of %d lists intact\n", lists, WORKERS * GUESTS);
}

int main(void)
{
    prepare_process();
    suspended_guest();
    trapped_guest();
    running_guest();
    guests_of_threads();
    return 0;
}
