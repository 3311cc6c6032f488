/*
 * test_kept.c: moat_heap_keep: memory of ended heaps to which variables refer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"
#include "support/refused.h"

#define MIB   ((size_t)1 << 20)
#define QUOTA (64 * MIB)
#define LIMIT (32 * MIB)

/* So many guests of GUEST_BYTES end before a search is due for certain. */
#define GUESTS      200
#define GUEST_BYTES ((size_t)100000)
/* So many wait at most. */
#define WAITING 120

/* The variables that are searched. */
static void *variables[GUESTS];
static _Thread_local char *of_thread;

static void show(moat_heap_scan scan)
{
    scan(variables, sizeof variables);
    scan(&of_thread, sizeof of_thread);
}

static void keep(size_t limit)
{
    REQUIRE(moat_heap_keep(show, limit) == MOAT_OK);
}

static moat_co *create(moat_entry entry)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    limits.memory_bytes = QUOTA;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static void *resume(moat_co *co, void *input)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    return event.value;
}

static void *take(moat_co *self, size_t bytes)
{
    char *block = moat_heap_alloc(moat_co_heap(self), bytes);

    REQUIRE(block != NULL);
    memset(block, 'x', bytes);
    return block;
}

static void *take_text(moat_co *self, void *input)
{
    char *text = take(self, GUEST_BYTES);

    (void)input;
    memcpy(text, "kept", sizeof "kept");
    return text;
}

/* Runs guests that leave nothing, until memory must have been searched. */
static void run_others(void)
{
    moat_co *co = create(take_text);

    for (int i = 0; i < GUESTS; i++) {
        (void)resume(co, NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static size_t kept(void)
{
    size_t heaps = 0, bytes = moat_heap_kept(&heaps);

    EXPECT((bytes != 0) == (heaps != 0));
    EXPECT_EQ(moat_heap_kept(NULL), bytes);
    return heaps;
}

/* Returns a block of a guest that has been destroyed. A variable gets it
 * before. */
static char *end_with(void *variable)
{
    moat_co *co = create(take_text);
    char *text = resume(co, NULL);

    memcpy(variable, &text, sizeof text);
    moat_co_destroy(co);
    return text;
}

/* ---- What stays, and what goes --------------------------------------------
 */

static void what_a_variable_refers_to_stays(const void *arg)
{
    moat_co *co = create(take_text);
    moat_heap *heap = moat_co_heap(co);
    char *text;

    (void)arg;
    keep(LIMIT);
    text = variables[1] = resume(co, NULL);
    EXPECT_EQ(moat_heap_kept_block(text), 0);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT(moat_co_heap(co) != heap);
    (void)end_with(&variables[2]);
    variables[2] = (char *)variables[2] + 100;
    run_others();
    EXPECT(strcmp(text, "kept") == 0);
    EXPECT(strcmp((char *)variables[2] - 100, "kept") == 0);
    EXPECT(moat_heap_of(text) == NULL && moat_heap_had(text));
    EXPECT(moat_heap_kept_block(text) >= GUEST_BYTES);
    EXPECT_EQ(moat_heap_kept_block(text + 16), 0);
    EXPECT_EQ(moat_heap_kept_block(&text), 0);
    EXPECT(kept() <= WAITING);
    moat_co_destroy(co);
}

static void what_nothing_refers_to_goes(const void *arg)
{
    char *text;

    (void)arg;
    keep(LIMIT);
    text = end_with(&variables[1]);
    run_others();
    EXPECT(moat_heap_kept_block(text) != 0);
    variables[1] = NULL;
    run_others();
    run_others();
    EXPECT(kept() <= WAITING);
}

/* A handle is not a block. */
static void a_heap_that_was_not_used_goes_at_once(const void *arg)
{
    moat_heap *heap = NULL;

    (void)arg;
    keep(LIMIT);
    moat_co_destroy(create(take_text));
    REQUIRE(moat_heap_create(&heap, QUOTA) == MOAT_OK);
    moat_heap_destroy(heap);
    EXPECT_EQ(kept(), 0);
}

static void heaps_of_the_hosts_are_kept_too(const void *arg)
{
    moat_heap *heap = NULL;

    (void)arg;
    keep(LIMIT);
    REQUIRE(moat_heap_create(&heap, QUOTA) == MOAT_OK);
    variables[0] = moat_heap_alloc(heap, 100);
    memcpy(variables[0], "kept", sizeof "kept");
    moat_heap_destroy(heap);
    run_others();
    EXPECT(strcmp(variables[0], "kept") == 0);
    REQUIRE(moat_heap_create(&heap, QUOTA) == MOAT_OK);
    variables[0] = moat_heap_alloc(heap, 100);
    EXPECT_EQ(moat_heap_reset(heap), MOAT_OK);
    EXPECT_EQ(moat_heap_kept_block(variables[0]), 0);
    moat_heap_destroy(heap);
}

static void nothing_is_kept_by_default(const void *arg)
{
    moat_co *co = create(take_text);
    moat_heap *heap = moat_co_heap(co);

    (void)arg;
    variables[0] = resume(co, NULL);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT(moat_co_heap(co) == heap);
    EXPECT_EQ(kept(), 0);
    moat_co_destroy(co);
}

/* ---- By way of other heaps ------------------------------------------------
 */

static void *append_to_list(moat_co *self, void *input)
{
    void **link = take(self, sizeof(void *));

    *link = NULL;
    *(void **)input = link;
    return link;
}

/* Each guest appends a link to what the one before it has left. */
static void a_list_over_many_heaps_stays_whole(const void *arg)
{
    moat_co *co = create(append_to_list);
    void **link = &variables[0];
    size_t count = 0;

    (void)arg;
    keep(LIMIT);
    for (int i = 0; i < 10; i++) {
        link = resume(co, link);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    run_others();
    for (link = variables[0]; link != NULL; link = *link)
        count++;
    EXPECT_EQ(count, 10);
    moat_co_destroy(co);
}

/* One that is still in use has the only reference. */
static void a_heap_in_use_refers_to_one_that_has_ended(const void *arg)
{
    moat_co *co = create(append_to_list);
    char *text;
    void **link;

    (void)arg;
    keep(LIMIT);
    text = end_with(&variables[1]);
    link = resume(co, &variables[0]);
    *link = text;
    variables[1] = NULL;
    run_others();
    EXPECT(strcmp(text, "kept") == 0);
    moat_co_destroy(co);
}

/* A guest may leave pages that cannot be read. */
static void *protect_a_page(moat_co *self, void *input)
{
    char *pages = moat_heap_map(moat_co_heap(self), MIB);

    REQUIRE(pages != NULL);
    memset(pages, 0, MIB);
    REQUIRE(mprotect(pages + MIB / 2, 8192, PROT_NONE) == 0);
    memcpy(pages + MIB / 4, &input, sizeof input);
    return pages;
}

static void pages_that_cannot_be_read_are_passed_over(const void *arg)
{
    char *first, *second;
    moat_co *co = create(protect_a_page);

    (void)arg;
    keep(LIMIT);
    first = end_with(&variables[1]);
    variables[0] = resume(co, first);
    moat_co_destroy(co);
    second = end_with((char *)variables[0] + MIB - 16);
    variables[1] = NULL;
    run_others();
    EXPECT(strcmp(first, "kept") == 0 && strcmp(second, "kept") == 0);
}

/* The newest link leads to the one before. */
static void *append_much(moat_co *self, void *input)
{
    void **link = take(self, GUEST_BYTES);

    *link = input;
    return link;
}

/* ---- The limit ------------------------------------------------------------
 */

static void beyond_the_limit_the_newest_go(const void *arg)
{
    (void)arg;
    keep(4 * MIB);
    for (int i = 0; i < GUESTS; i++)
        (void)end_with(&variables[i]);
    EXPECT(kept() <= WAITING);
    for (int i = 0; i < 10; i++)
        EXPECT(strcmp(variables[i], "kept") == 0);
}

/* What only other heaps refer to goes before that, the oldest first. */
static void beyond_the_limit_the_end_of_a_list_stays(const void *arg)
{
    moat_co *co = create(append_much);
    void **link;

    (void)arg;
    keep(4 * MIB);
    (void)end_with(&variables[1]);
    for (int i = 0; i < GUESTS; i++) {
        link = resume(co, variables[0]);
        variables[0] = link;
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    EXPECT(kept() <= WAITING);
    EXPECT(strcmp(variables[1], "kept") == 0);
    link = variables[0];
    for (int i = 0; i < 10; i++) {
        EXPECT(moat_heap_kept_block(link) != 0);
        link = *link;
    }
    moat_co_destroy(co);
}

/* A large one is searched for at once. */
static void *take_much(moat_co *self, void *input)
{
    (void)take(self, 32 * MIB);
    return input;
}

static void a_large_heap_does_not_wait(const void *arg)
{
    moat_co *co = create(take_much);

    (void)arg;
    keep(LIMIT);
    for (int i = 0; i < 3; i++) {
        (void)resume(co, NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT_EQ(kept(), 0);
    }
    moat_co_destroy(co);
}

/* ---- Threads, forks, the end ----------------------------------------------
 */

static sem_t has_left, looked;
static char *of_other; /* not searched */

static void *leave_and_wait(void *arg)
{
    of_other = end_with(&of_thread);
    REQUIRE(sem_post(&has_left) == 0);
    REQUIRE(sem_wait(&looked) == 0);
    EXPECT(strcmp(of_thread, "kept") == 0);
    run_others();
    EXPECT(strcmp(of_thread, "kept") == 0);
    return arg;
}

static void another_threads_variables_count(const void *arg)
{
    pthread_t thread;
    char *text;

    (void)arg;
    keep(LIMIT);
    REQUIRE(sem_init(&has_left, 0, 0) == 0 && sem_init(&looked, 0, 0) == 0);
    REQUIRE(pthread_create(&thread, NULL, leave_and_wait, NULL) == 0);
    REQUIRE(sem_wait(&has_left) == 0);
    text = of_other;
    of_other = NULL;
    run_others();
    EXPECT(moat_heap_kept_block(text) != 0);
    REQUIRE(sem_post(&looked) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    run_others();
    EXPECT(kept() <= WAITING);
    EXPECT_EQ(moat_heap_kept_block(text), 0);
}

static void a_forks_child_keeps_and_drops(const void *arg)
{
    pid_t child;
    int status = -1;

    (void)arg;
    keep(LIMIT);
    (void)end_with(&variables[0]);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        run_others();
        _exit(strcmp(variables[0], "kept") == 0 && kept() <= WAITING ? 0 : 1);
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

static void the_engines_end_leaves_what_is_referred_to(const void *arg)
{
    char *text;

    (void)arg;
    keep(LIMIT);
    text = end_with(&variables[0]);
    run_others();
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT_EQ(kept(), 1);
    EXPECT(strcmp(text, "kept") == 0);
    variables[0] = NULL;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT_EQ(kept(), 0);
    EXPECT(!moat_heap_had(text));
}

/* ---- Refusals -------------------------------------------------------------
 */

static void without_variables_none_is_kept(const void *arg)
{
    (void)arg;
    INVAL("roots is NULL", moat_heap_keep(NULL, 1));
    EXPECT_EQ(moat_heap_keep(NULL, 0), MOAT_OK);
    EXPECT_EQ(kept(), 0);
}

/* Addresses for a buffer are refused, or its memory. */
static void a_buffer_is_refused_by(__rlimit_resource_t resource)
{
    struct rlimit before, least;
    moat_status status;

    REQUIRE(getrlimit(resource, &before) == 0);
    least = before;
    least.rlim_cur = 4096;
    REQUIRE(setrlimit(resource, &least) == 0);
    status = moat_heap_keep(show, LIMIT);
    REQUIRE(setrlimit(resource, &before) == 0);
    EXPECT_EQ(status, MOAT_E_NOMEM);
    (void)end_with(&variables[0]);
    EXPECT_EQ(kept(), 0);
}

static void without_memory_none_is_kept(const void *arg)
{
    (void)arg;
    a_buffer_is_refused_by(RLIMIT_AS);
    a_buffer_is_refused_by(RLIMIT_DATA);
    keep(LIMIT);
}

static bool forbid_reading(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void variables_that_cannot_be_read(const void *arg)
{
    (void)arg;
    if (!forbid_reading())
        child_leave_out("no filter of system calls can be set");
    REFUSED("process_vm_readv", MOAT_E_UNSUPPORTED,
            moat_heap_keep(show, LIMIT));
    (void)end_with(&variables[0]);
    EXPECT_EQ(kept(), 0);
}

static const struct child_case cases[] = {
    CHILD_CASE(what_a_variable_refers_to_stays),
    CHILD_CASE(what_nothing_refers_to_goes),
    CHILD_CASE(a_heap_that_was_not_used_goes_at_once),
    CHILD_CASE(heaps_of_the_hosts_are_kept_too),
    CHILD_CASE(nothing_is_kept_by_default),
    CHILD_CASE(a_list_over_many_heaps_stays_whole),
    CHILD_CASE(a_heap_in_use_refers_to_one_that_has_ended),
    CHILD_CASE(pages_that_cannot_be_read_are_passed_over),
    CHILD_CASE(beyond_the_limit_the_newest_go),
    CHILD_CASE(beyond_the_limit_the_end_of_a_list_stays),
    CHILD_CASE(a_large_heap_does_not_wait),
    CHILD_CASE(another_threads_variables_count),
    CHILD_CASE(a_forks_child_keeps_and_drops),
    CHILD_CASE(the_engines_end_leaves_what_is_referred_to),
    CHILD_CASE(without_variables_none_is_kept),
    CHILD_CASE(without_memory_none_is_kept),
    CHILD_CASE(variables_that_cannot_be_read),
};

int main(int argc, char **argv)
{
    return child_cases_run("api.kept", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
