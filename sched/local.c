/*
 * local.c: task-local values.
 *
 * Keys are the process': a slot and a version, which is odd while the key
 * exists. A task has a table of values, by slot. Its own code writes them, in
 * an order that leaves the table whole at each instruction; memory for it comes
 * from the worker. The worker reads it when the task has ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "sched/ask.h"
#include "sched/kinds.h"
#include "sched/local.h"
#include "sched/refuse.h"
#include "sched/structs.h"
#include "sched/text.h"

#define LEAST_ROOM 8

typedef void (*destructor)(void *value);
typedef void *(*inheritor)(void *value);

struct key {
    _Atomic uint32_t version;
    _Atomic(destructor) destroy;
    _Atomic(inheritor) inherit;
};

struct value {
    void *volatile is;
    volatile uint32_t version; /* of the key that it belongs to          */
    volatile uint64_t order;   /* the last one set has the highest       */
};

struct locals {
    uint32_t room;
    volatile uint64_t order; /* the highest */
    struct value values[];
};

static struct key keys[MOAT_MAX_LOCALS];

/* ---- Keys --------------------------------------------------------------- */

static bool exists(uint32_t slot, uint32_t version)
{
    return slot < MOAT_MAX_LOCALS && version % 2 == 1 &&
           atomic_load_explicit(&keys[slot].version, memory_order_acquire) ==
               version;
}

/* The functions of a key are read before it is known that it is still the same
 * key: another thread may delete it and create one in its slot. */
static destructor destructor_of(uint32_t slot, uint32_t version)
{
    destructor found = atomic_load(&keys[slot].destroy);

    return exists(slot, version) ? found : NULL;
}

static inheritor inheritor_of(uint32_t slot, uint32_t version)
{
    inheritor found = atomic_load(&keys[slot].inherit);

    return exists(slot, version) ? found : NULL;
}

static moat_status make_key(moat_local *out, const moat_local_options *options)
{
    for (uint32_t i = 0; i < MOAT_MAX_LOCALS; i++) {
        uint32_t version = atomic_load(&keys[i].version);

        if (version % 2 == 1 || !atomic_compare_exchange_strong(
                                    &keys[i].version, &version, version + 1))
            continue;
        atomic_store(&keys[i].destroy, options->destroy);
        atomic_store(&keys[i].inherit, options->inherit);
        *out = (moat_local){i, version + 1};
        return MOAT_OK;
    }
    return moat_error_note(MOAT_E_FULL, "all %u keys are taken: delete some",
                           MOAT_MAX_LOCALS, 0);
}

/* The task's `room` has its options, and then the key. */
static enum verdict create(struct worker *worker, struct moat_task *task)
{
    const moat_local_options *options = task->room;
    moat_local key = {0, 0};
    moat_status status = make_key(&key, options);

    (void)worker;
    memcpy(task->small, &key, sizeof key);
    return answer(task, status);
}

static const struct op creates = {.perform = create,
                                  .words = "creates a local key"};

moat_status moat_local_create(moat_local *out,
                              const moat_local_options *options)
{
    moat_local_options copy = MOAT_LOCAL_OPTIONS_INIT;
    struct moat_task *task = asker();
    moat_status status = MOAT_OK;

    if (out == NULL)
        return refuse("out is NULL");
    if (options != NULL)
        status = moat_sched_copy_in(&copy, sizeof copy, options, sizeof copy);
    if (status != MOAT_OK)
        return status;
    if (task == NULL)
        return moat_sched_worker != NULL || moat_co_current() != NULL
                   ? MOAT_E_STATE
                   : make_key(out, &copy);
    if (!moat_sched_room(task, sizeof copy))
        return task->status;
    memcpy(task->room, &copy, sizeof copy);
    status = ask(task, &creates);
    if (status == MOAT_OK)
        memcpy(out, task->small, sizeof *out);
    return status;
}

moat_status moat_local_delete(moat_local key)
{
    uint32_t version = key.version;

    if (!exists(key.slot, version))
        return refuse_value("key is %u: it was deleted, or never made",
                            key.slot);
    return atomic_compare_exchange_strong(&keys[key.slot].version, &version,
                                          version + 1)
               ? MOAT_OK
               : refuse_value("key is %u: it was deleted, or never made",
                              key.slot);
}

/* ---- Values ------------------------------------------------------------- */

static struct locals *make_table(uint32_t room)
{
    struct locals *table =
        calloc(1, sizeof *table + room * sizeof(struct value));

    if (table != NULL)
        table->room = room;
    return table;
}

static enum verdict grow(struct worker *worker, struct moat_task *task)
{
    struct locals *old = task->locals, *table;
    uint32_t room = old != NULL ? old->room : LEAST_ROOM;

    (void)worker;
    if (is_host(task))
        return answer(task, MOAT_E_STATE);
    while (room <= task->wish.other.value)
        room *= 2;
    table = make_table(room);
    if (table == NULL)
        return answer(task, MOAT_E_NOMEM);
    if (old != NULL) {
        table->order = old->order;
        for (uint32_t i = 0; i < old->room; i++)
            table->values[i] = old->values[i];
    }
    task->locals = table;
    free(old);
    return answer(task, MOAT_OK);
}

static const struct op grows = {.perform = grow,
                                .words = "makes room for a local value"};

/* A task that is stopped in here has the old value or the new one, or, if the
 * old one was another key's, none. */
static void put(struct locals *table, moat_local key, void *is)
{
    struct value *value = &table->values[key.slot];

    if (value->version != key.version) {
        value->is = NULL;
        value->version = key.version;
    }
    if (value->is == NULL)
        value->order = ++table->order;
    value->is = is;
}

moat_status moat_local_set(moat_local key, void *value)
{
    struct moat_task *task = asker();
    moat_status status;

    if (!exists(key.slot, key.version))
        return refuse_value("key is %u: it was deleted, or never made",
                            key.slot);
    if (task == NULL || is_host(task))
        return MOAT_E_STATE;
    if (task->locals == NULL || key.slot >= task->locals->room) {
        task->wish.other.value = key.slot;
        status = ask(task, &grows);
        if (status != MOAT_OK)
            return status;
    }
    put(task->locals, key, value);
    return MOAT_OK;
}

void *moat_local_get(moat_local key)
{
    const struct worker *worker = moat_sched_worker;
    const struct value *value;

    if (worker == NULL || worker->running == NULL ||
        worker->running->locals == NULL ||
        key.slot >= worker->running->locals->room)
        return NULL;
    value = &worker->running->locals->values[key.slot];
    return value->version == key.version && exists(key.slot, key.version)
               ? value->is
               : NULL;
}

/* ---- The heir ----------------------------------------------------------- */

/* Returns the value set next after that of `order`; NULL: there is none. */
static const struct value *next_set(const struct locals *table, uint64_t order)
{
    const struct value *found = NULL;

    for (uint32_t i = 0; i < table->room; i++) {
        const struct value *value = &table->values[i];

        if (value->is != NULL && value->order > order &&
            (found == NULL || value->order < found->order))
            found = value;
    }
    return found;
}

static bool has_heritage(const struct locals *table)
{
    for (uint32_t i = 0; i < table->room; i++)
        if (table->values[i].is != NULL &&
            inheritor_of(i, table->values[i].version) != NULL)
            return true;
    return false;
}

static enum verdict make_heir(struct worker *worker, struct moat_task *task)
{
    (void)worker;
    task->heir = make_table(task->locals->room);
    return answer(task, task->heir != NULL ? MOAT_OK : MOAT_E_NOMEM);
}

static enum verdict drop_heir(struct worker *worker, struct moat_task *task)
{
    (void)worker;
    free(task->heir);
    task->heir = NULL;
    return answer(task, MOAT_OK);
}

static const struct op makes_heir = {.perform = make_heir,
                                     .words = "makes inherited values"};
static const struct op drops_heir = {
    .perform = drop_heir, .words = "drops inherited values", .is_part = true};

/* The value that was set last, taken out of the table. */
static bool take_last(struct locals *table, void **is, destructor *destroy)
{
    struct value *last = NULL;

    for (uint32_t i = 0; i < table->room; i++)
        if (table->values[i].is != NULL &&
            (last == NULL || table->values[i].order > last->order))
            last = &table->values[i];
    if (last == NULL)
        return false;
    *is = last->is;
    *destroy = destructor_of((uint32_t)(last - table->values), last->version);
    last->is = NULL;
    return true;
}

static void destroy_all(struct locals *table)
{
    destructor destroy;
    void *is;

    while (table != NULL && take_last(table, &is, &destroy))
        if (destroy != NULL)
            destroy(is);
}

struct bequest {
    struct moat_task *task;
    bool begun, complete;
};

/* If an exception leaves `inherit`, too. */
static void end_bequest(const struct bequest *bequest)
{
    if (bequest->begun && !bequest->complete)
        moat_locals_withdraw(bequest->task);
}

moat_status moat_locals_bequeath(struct moat_task *task)
{
    __attribute__((cleanup(end_bequest))) struct bequest bequest = {task, false,
                                                                    false};
    const struct value *value;
    uint64_t order = 0;

    if (is_host(task) || task->locals == NULL || !has_heritage(task->locals))
        return MOAT_OK;
    if (task->heir != NULL) /* `inherit` spawns */
        return MOAT_E_STATE;
    if (ask(task, &makes_heir) != MOAT_OK)
        return task->status;
    bequest.begun = true;
    while ((value = next_set(task->locals, order)) != NULL) {
        moat_local key = {(uint32_t)(value - task->locals->values),
                          value->version};
        inheritor inherit = inheritor_of(key.slot, key.version);
        void *is = value->is;

        order = value->order;
        if (inherit != NULL)
            is = inherit(is);
        if (inherit != NULL && is != NULL && key.slot < task->heir->room)
            put(task->heir, key, is);
    }
    bequest.complete = true;
    return MOAT_OK;
}

void moat_locals_withdraw(struct moat_task *task)
{
    destroy_all(task->heir);
    (void)ask(task, &drops_heir);
}

/* ---- The end of a task -------------------------------------------------- */

static void *destroy_in_coroutine(moat_co *self, void *input)
{
    struct moat_task *task = input;

    (void)self;
    destroy_all(task->heir);
    destroy_all(task->locals);
    return NULL;
}

static bool has_values(const struct locals *table)
{
    return table != NULL && next_set(table, 0) != NULL;
}

static void report_failure(const struct sched *run,
                           const struct moat_task *task, const char *words)
{
    struct text text;

    if (run->report_fd < 0)
        return;
    moat_sched_text_begin(&text);
    moat_sched_text_put(&text, "moat-sched: task %llu",
                        (unsigned long long)task->number);
    if (task->name[0] != '\0')
        moat_sched_text_put(&text, " '%s'", task->name);
    moat_sched_text_put(
        &text, ": the destructor of a local value has failed: %s\n", words);
    (void)moat_sched_text_write(&text, run->report_fd);
    moat_sched_text_free(&text);
}

/* Returns when the coroutine can do no more. */
static void run_destructors(const struct sched *run, struct moat_task *task,
                            moat_co *co)
{
    moat_event event = {MOAT_EVENT_YIELD, NULL, NULL};
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_status status;

    do {
        status = moat_co_resume(co, task, &event);
    } while (
        status == MOAT_OK && event.co == co &&
        (event.kind == MOAT_EVENT_YIELD || event.kind == MOAT_EVENT_PREEMPT));
    if (status != MOAT_OK) {
        report_failure(run, task, moat_status_str(status));
    } else if (event.kind == MOAT_EVENT_TRAP) {
        (void)!moat_co_trap_info(event.co, &trap);
        report_failure(run, task, moat_trap_kind_str(trap.kind));
    } else if (event.kind == MOAT_EVENT_PANIC) {
        report_failure(run, task, "an exception");
        _Unwind_DeleteException(event.value);
    }
}

/* They ask as the host does (ask.c), and see the values that are left. */
static void destroy_values(struct worker *worker, struct moat_task *task)
{
    struct moat_task *running = worker->running, *host = &worker->host;
    moat_co *co = NULL;

    worker->running = host;
    host->locals = task->locals;
    while (has_values(task->heir) || has_values(task->locals)) {
        if (moat_co_create_from(&co, worker->run->kinds->ordinary->spec,
                                destroy_in_coroutine, NULL) != MOAT_OK) {
            (void)destroy_in_coroutine(NULL, task);
            break;
        }
        host->co = co;
        run_destructors(worker->run, task, co);
        host->co = NULL;
        moat_co_destroy(co);
    }
    host->locals = NULL;
    worker->running = running;
}

void moat_locals_end(struct worker *worker, struct moat_task *task)
{
    if (has_values(task->heir) || has_values(task->locals))
        destroy_values(worker, task);
    free(task->heir);
    free(task->locals);
    task->heir = task->locals = NULL;
}
