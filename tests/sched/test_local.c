/*
 * test_local.c: task-local values: however a task ends, each is destroyed once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/generators.h"
#include "sched/locks.h"

static moat_local first, second;
static moat_task *destroyed_by;

static moat_local key_of(void (*destroy)(void *), void *(*inherit)(void *))
{
    moat_local_options options = MOAT_LOCAL_OPTIONS_INIT;
    moat_local key = {0, 0};

    options.destroy = destroy;
    options.inherit = inherit;
    REQUIRE(moat_local_create(&key, &options) == MOAT_OK);
    return key;
}

static void set(moat_local key, const void *value)
{
    EXPECT_EQ(moat_local_set(key, (void *)(uintptr_t)value), MOAT_OK);
}

/* The value is a letter. */
static void notes(void *value)
{
    note((char)(uintptr_t)value);
}

static void letter(moat_local key, char value)
{
    set(key, (void *)(uintptr_t)value);
}

__attribute__((noinline, no_sanitize("address", "undefined"))) static void
fault(void)
{
    *nowhere = 1;
}

/* ---- Set and get ---- */

static void reads_in_a_body(moat_gen *gen, void *arg)
{
    moat_gen_yield(gen, moat_local_get(*(moat_local *)arg));
}

static void *reads_on_the_host(void *arg)
{
    return moat_local_get(*(moat_local *)arg);
}

static void *has_its_own(void *arg)
{
    char mine[2] = {'m', (char)(uintptr_t)arg};
    moat_gen *gen = make(reads_in_a_body, &first);
    void *item = NULL;

    EXPECT(moat_local_get(first) == NULL);
    set(first, mine);
    for (int i = 0; i < 10; i++) {
        EXPECT(moat_local_get(first) == mine);
        moat_task_yield();
    }
    EXPECT(moat_gen_next(gen, &item));
    EXPECT(item == mine);
    moat_gen_destroy(gen);
    EXPECT(moat_call_on_parent(moat_co_current(), reads_on_the_host, &first) ==
           mine);
    set(first, NULL);
    EXPECT(moat_local_get(first) == NULL);
    return NULL;
}

static void *many_have_their_own(void *arg)
{
    moat_task *tasks[20];

    for (int i = 0; i < 20; i++)
        tasks[i] = spawn(has_its_own, (void *)(uintptr_t)i);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void a_task_has_its_own_value(const void *arg)
{
    (void)arg;
    first = key_of(NULL, NULL);
    (void)run(many_have_their_own);
    EXPECT_EQ(moat_local_delete(first), MOAT_OK);
}

/* ---- Keys come and go ---- */

static void *uses_many(void *arg)
{
    static moat_local keys[MOAT_MAX_LOCALS];
    moat_local more, old;
    size_t count = 0;
    moat_status status;

    do {
        status = moat_local_create(&more, NULL);
        if (status == MOAT_OK)
            keys[count++] = more;
    } while (status == MOAT_OK);
    EXPECT_EQ(status, MOAT_E_FULL);
    EXPECT_STR(moat_error_detail(),
               "MOAT_E_FULL: all 1024 keys are taken: delete some");
    EXPECT_EQ(count, MOAT_MAX_LOCALS);
    for (size_t i = 0; i < count; i++)
        set(keys[i], &keys[i]);
    for (size_t i = 0; i < count; i++)
        EXPECT(moat_local_get(keys[i]) == &keys[i]);
    old = keys[7];
    EXPECT_EQ(moat_local_delete(old), MOAT_OK);
    EXPECT(moat_local_get(old) == NULL);
    EXPECT_EQ(moat_local_delete(old), MOAT_E_INVAL);
    EXPECT_EQ(moat_local_set(old, &old), MOAT_E_INVAL);
    EXPECT_EQ(moat_local_create(&keys[7], NULL), MOAT_OK);
    EXPECT(moat_local_get(keys[7]) == NULL); /* not what the old one had */
    EXPECT(moat_local_get(old) == NULL);
    set(keys[7], &old);
    EXPECT(moat_local_get(keys[7]) == &old);
    for (size_t i = 0; i < count; i++)
        EXPECT_EQ(moat_local_delete(keys[i]), MOAT_OK);
    return arg;
}

static void keys_come_and_go(const void *arg)
{
    (void)arg;
    (void)run(uses_many);
}

/* ---- The end ---- */

static void *sets_two(void *arg)
{
    letter(second, 'b');
    letter(first, 'a');
    if (arg == NULL)
        return NULL;
    if (*(char *)arg == 't')
        fault();
    if (*(char *)arg == 'm')
        moat_trap_raise(3);
    EXPECT_EQ(moat_sleep(NEVER - 1), MOAT_OK);
    return NULL;
}

static void *ends_in_all_ways(void *arg)
{
    moat_task *task;

    EXPECT_EQ(join(spawn(sets_two, NULL)).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, "ab"); /* the last one first, before the join */
    EXPECT_EQ(join(spawn(sets_two, (char[]){'t'})).kind, MOAT_EVENT_TRAP);
    EXPECT_STR(order, "abab");
    EXPECT_EQ(join(spawn(sets_two, (char[]){'m'})).kind, MOAT_EVENT_TRAP);
    EXPECT_STR(order, "ababab");
    task = spawn(sets_two, (char[]){'c'});
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_STR(order, "abababab");
    letter(first, 'z');
    letter(first, 'y'); /* the value before is the program's */
    return arg;
}

static void *deletes_a_key(void *arg)
{
    (void)sets_two(NULL);
    EXPECT_EQ(moat_local_delete(first), MOAT_OK);
    return arg;
}

static void a_value_is_destroyed_however_its_task_ends(const void *arg)
{
    (void)arg;
    first = key_of(notes, NULL);
    second = key_of(notes, NULL);
    (void)run(ends_in_all_ways);
    EXPECT_STR(order, "ababababy");
    memset(order, 0, sizeof order);
    (void)run(deletes_a_key);
    EXPECT_STR(order, "b");
}

/* ---- What a destructor may do ---- */

static moat_chan *closed_at_the_end;

static void waits_and_looks(void *value)
{
    moat_chan *full = NULL;
    moat_local key;
    uint64_t item = 7;

    destroyed_by = moat_task_self();
    EXPECT_STR(value, "second");
    EXPECT(moat_local_get(second) == NULL);
    EXPECT_STR(moat_local_get(first), "first");
    EXPECT_EQ(moat_local_set(second, value), MOAT_E_STATE);
    EXPECT_EQ(moat_chan_send(closed_at_the_end, &item, NEVER), MOAT_OK);
    EXPECT_EQ(moat_chan_create(&full, 8, 0), MOAT_OK);
    EXPECT_EQ(moat_chan_send(full, &item, NEVER), MOAT_E_STATE);
    moat_chan_destroy(full);
    EXPECT_EQ(moat_sleep(MS), MOAT_E_STATE);
    EXPECT_EQ(moat_task_spawn(NULL, has_its_own, NULL, NULL, NULL),
              MOAT_E_STATE);
    EXPECT_EQ(moat_local_create(&key, NULL), MOAT_OK);
    EXPECT_EQ(moat_local_delete(key), MOAT_OK);
    moat_task_yield();
    moat_chan_close(closed_at_the_end);
    note('w');
}

static void *lets_a_destructor_work(void *arg)
{
    set(first, "first");
    set(second, "second");
    return arg;
}

static void *hears_of_a_destructor(void *arg)
{
    moat_task *task;

    closed_at_the_end = chan_of(8, 1);
    task = spawn(lets_a_destructor_work, NULL);
    EXPECT_EQ(recv_number(closed_at_the_end), 7);
    EXPECT_EQ(moat_chan_recv(closed_at_the_end, NULL, NEVER), MOAT_E_CLOSED);
    (void)join(task);
    moat_chan_destroy(closed_at_the_end);
    return arg;
}

static void a_destructor_may_call_but_not_wait(const void *arg)
{
    (void)arg;
    first = key_of(NULL, NULL);
    second = key_of(waits_and_looks, NULL);
    destroyed_by = (moat_task *)1;
    (void)run(hears_of_a_destructor);
    EXPECT_STR(order, "w");
    EXPECT(destroyed_by == NULL);
}

/* ---- A value in the task's own heap ---- */

static void reads_the_heap(void *value)
{
    EXPECT_EQ(*(const uint64_t *)value, 42);
    note('h');
}

static void *allocates_its_value(void *arg)
{
    uint64_t *value =
        moat_heap_alloc(moat_co_heap(moat_co_current()), sizeof *value);

    REQUIRE(value != NULL);
    *value = 42;
    set(first, value);
    if (arg != NULL)
        fault();
    return NULL;
}

static void *has_tasks_with_heaps(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_task *task = NULL;

    limits.memory_bytes = 1 << 20;
    options.limits = &limits;
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(moat_task_spawn(NULL, allocates_its_value,
                                  i == 0 ? NULL : &first, &options, &task),
                  MOAT_OK);
        EXPECT_EQ(join(task).kind,
                  i == 0 ? MOAT_EVENT_RETURN : MOAT_EVENT_TRAP);
    }
    return arg;
}

static void a_value_may_lie_in_the_tasks_heap(const void *arg)
{
    (void)arg;
    first = key_of(reads_the_heap, NULL);
    (void)run(has_tasks_with_heaps);
    EXPECT_STR(order, "hh");
}

/* ---- Destructors that fail ---- */

static void faults(void *value)
{
    (void)value;
    fault();
}

static int descend(volatile char *above)
{
    volatile char here[512];

    here[0] = above[0];
    return above[0] == 0 ? descend(here) + here[0] : 0;
}

static void overflows(void *value)
{
    volatile char here = 0;

    (void)value;
    (void)descend(&here);
}

static moat_local bad[3];

static void *has_bad_values(void *arg)
{
    letter(first, 'a');
    for (int i = 0; i < 3; i++)
        letter(bad[i], 'x');
    letter(second, 'b');
    return arg;
}

static void a_destructor_that_fails_is_reported(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_result result;
    FILE *report = tmpfile();
    char line[200];
    int lines = 0;

    (void)arg;
    REQUIRE(report != NULL);
    first = key_of(notes, NULL);
    bad[0] = key_of(faults, NULL);
    bad[1] = key_of(overflows, NULL);
    bad[2] = key_of(faults, NULL);
    second = key_of(notes, NULL);
    options.report_fd = fileno(report);
    EXPECT_EQ(moat_sched_run(&options, has_bad_values, NULL, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN); /* the task's own end */
    EXPECT_STR(order, "ba");
    rewind(report);
    while (fgets(line, sizeof line, report) != NULL) {
        EXPECT_STR(line,
                   lines == 1
                       ? "moat-sched: task 1: the destructor of a local value "
                         "has failed: stack overflow\n"
                       : "moat-sched: task 1: the destructor of a local value "
                         "has failed: null pointer access\n");
        lines++;
    }
    EXPECT_EQ(lines, 3);
    (void)fclose(report);
}

/* ---- Children ---- */

static int references;

static void *refers(void *value)
{
    references++;
    return value;
}

static void drops(void *value)
{
    (void)value;
    references--;
}

static void *follows(void *value)
{
    return (void *)((uintptr_t)value + 1);
}

static void *is_a_grandchild(void *arg)
{
    EXPECT_STR(moat_local_get(first), "shared");
    EXPECT_EQ((uintptr_t)moat_local_get(second), 'r');
    return arg;
}

static void *is_a_child(void *arg)
{
    EXPECT_STR(moat_local_get(first), "shared");
    EXPECT_EQ((uintptr_t)moat_local_get(second), 'q');
    EXPECT(moat_local_get(bad[0]) == NULL);
    EXPECT_EQ(join(spawn(is_a_grandchild, NULL)).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void *has_children(void *arg)
{
    moat_group *group = group_of(0);
    moat_task *task;

    references = 1;
    set(first, "shared");
    letter(second, 'p');
    letter(bad[0], 'x');
    EXPECT_EQ(join(spawn(is_a_child, NULL)).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(references, 1);
    EXPECT_STR(order, "rq");
    /* One that never runs, and one that is not made. */
    task = spawn(is_a_child, NULL);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(moat_group_cancel(group), MOAT_OK);
    EXPECT_EQ(moat_task_spawn(group, is_a_child, NULL, NULL, NULL),
              MOAT_E_CANCELLED);
    EXPECT_EQ(references, 1);
    EXPECT_STR(order, "rqqq");
    set(bad[0], NULL);
    return arg;
}

static void a_child_inherits(const void *arg)
{
    (void)arg;
    first = key_of(drops, refers);
    second = key_of(notes, follows);
    bad[0] = key_of(faults, NULL);
    (void)run(has_children);
    EXPECT_EQ(references, 0);
    EXPECT_STR(order, "rqqqp");
}

static void *faults_for_the_child(void *value)
{
    fault();
    return value;
}

static void *spawns_for_the_child(void *value)
{
    moat_task *task;

    EXPECT_EQ(moat_task_spawn(NULL, is_a_child, NULL, NULL, &task),
              MOAT_E_STATE);
    return value;
}

static void *bequeaths_badly(void *arg)
{
    letter(first, 'p');
    letter(*(moat_local *)arg, 'x');
    (void)join(spawn(sets_two, NULL));
    return NULL;
}

static void *spawns_bad_parents(void *arg)
{
    EXPECT_EQ(join(spawn(bequeaths_badly, &bad[0])).kind, MOAT_EVENT_TRAP);
    EXPECT_STR(order, "qp"); /* the heir's, and its own */
    memset(order, 0, sizeof order);
    EXPECT_EQ(join(spawn(bequeaths_badly, &bad[1])).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, "bap");
    return arg;
}

static void an_inheritance_may_fail(const void *arg)
{
    (void)arg;
    first = key_of(notes, follows);
    second = key_of(notes, NULL);
    bad[0] = key_of(NULL, faults_for_the_child);
    bad[1] = key_of(NULL, spawns_for_the_child);
    (void)run(spawns_bad_parents);
}

/* ---- Elsewhere ---- */

static void *asks_in_a_coroutine(moat_co *self, void *input)
{
    moat_local key;

    (void)self;
    EXPECT_EQ(moat_local_create(&key, NULL), MOAT_E_STATE);
    EXPECT_EQ(moat_local_set(first, input), MOAT_E_STATE);
    EXPECT(moat_local_get(first) == input);
    return NULL;
}

static void resume_one(void *input)
{
    moat_co *co = NULL;
    moat_event event;

    REQUIRE(moat_co_create(&co, asks_in_a_coroutine, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, input, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void sees_it_at_the_end(void *arg)
{
    EXPECT_STR(moat_local_get(first), "value");
    EXPECT_EQ(moat_local_set(first, arg), MOAT_E_STATE);
}

static void *asks_all_around(void *arg)
{
    set(first, "value");
    resume_one(moat_local_get(first));
    EXPECT_EQ(moat_co_defer(moat_co_current(), sees_it_at_the_end, arg),
              MOAT_OK);
    return arg;
}

static void outside_of_a_task_there_is_none(const void *arg)
{
    const moat_local none = {0, 0};
    moat_local_options options = MOAT_LOCAL_OPTIONS_INIT;

    (void)arg;
    first = key_of(NULL, NULL);
    EXPECT(moat_local_get(first) == NULL);
    EXPECT_EQ(moat_local_set(first, &first), MOAT_E_STATE);
    EXPECT(moat_local_get(none) == NULL);
    EXPECT_EQ(moat_local_set(none, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_local_delete(none), MOAT_E_INVAL);
    EXPECT_EQ(moat_local_delete((moat_local){MOAT_MAX_LOCALS, 1}),
              MOAT_E_INVAL);
    EXPECT_EQ(moat_local_create(NULL, NULL), MOAT_E_INVAL);
    options.struct_size = 0;
    EXPECT_EQ(moat_local_create(&second, &options), MOAT_E_INVAL);
    resume_one(NULL);
    (void)run(asks_all_around);
}

/* ---- Many, on several threads ---- */

static void free_it(void *value)
{
    free(value);
}

static void *copy_it(void *value)
{
    uint64_t *copy = malloc(sizeof *copy);

    REQUIRE(copy != NULL);
    *copy = *(const uint64_t *)value + 1;
    return copy;
}

static void *is_one_of_many(void *arg)
{
    uint64_t depth = *(const uint64_t *)moat_local_get(first);
    moat_local own = key_of(free_it, NULL);

    set(own, malloc(16));
    if (depth < 4) {
        moat_task *left = spawn(is_one_of_many, arg);
        moat_task *right = spawn(is_one_of_many, arg);

        EXPECT_EQ(join(left).kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(join(right).kind, MOAT_EVENT_RETURN);
    }
    EXPECT_EQ(*(const uint64_t *)moat_local_get(first), depth);
    free(moat_local_get(own));
    EXPECT_EQ(moat_local_delete(own), MOAT_OK);
    return NULL;
}

static void *is_the_first(void *arg)
{
    uint64_t zero = 0;

    set(first, copy_it(&zero));
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(join(spawn(is_one_of_many, NULL)).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void threads_share_the_keys(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    (void)arg;
    options.threads = 4;
    first = key_of(free_it, copy_it);
    EXPECT_EQ(moat_sched_run(&options, is_the_first, NULL, NULL), MOAT_OK);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_task_has_its_own_value),
        CHILD_CASE(keys_come_and_go),
        CHILD_CASE(a_value_is_destroyed_however_its_task_ends),
        CHILD_CASE(a_destructor_may_call_but_not_wait),
        CHILD_CASE(a_value_may_lie_in_the_tasks_heap),
        CHILD_CASE(a_destructor_that_fails_is_reported),
        CHILD_CASE(a_child_inherits),
        CHILD_CASE(an_inheritance_may_fail),
        CHILD_CASE(outside_of_a_task_there_is_none),
        CHILD_CASE(threads_share_the_keys),
    };

    return child_cases_run("sched.local", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
