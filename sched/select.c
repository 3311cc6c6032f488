/*
 * select.c: one of many channels.
 *
 * The cases are written into the task's room, a waiter each and then the items.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/chan.h"
#include "sched/refuse.h"

#define MOST_CASES 65536
#define ALIGNMENT  16

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* A number below `bound`; xorshift, for fairness only. */
static size_t random_below(struct worker *worker, size_t bound)
{
    uint64_t x = worker->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    worker->random = x;
    return (size_t)(((x >> 32) * bound) >> 32);
}

static bool case_ready(const struct waiter *waiter)
{
    return waiter->chan != NULL && chan_ready(waiter->chan, waiter->send);
}

/* Returns the index of a random case that need not wait; `count`: there is
 * none. */
static size_t choose(struct worker *worker, const struct waiter *cases,
                     size_t count)
{
    size_t ready = 0, pick;

    for (size_t i = 0; i < count; i++)
        ready += case_ready(&cases[i]);
    if (ready == 0)
        return count;
    pick = ready == 1 ? 0 : random_below(worker, ready);
    for (size_t i = 0; i < count; i++)
        if (case_ready(&cases[i]) && pick-- == 0)
            return i;
    return count;
}

static bool bind_all(struct worker *worker, const struct waiter *cases,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cases[i].chan != NULL && !moat_chan_bind(worker, cases[i].chan))
            return false;
    return true;
}

static void link_all(struct moat_task *task, struct waiter *cases, size_t count)
{
    task->waiters = cases;
    task->waiter_count = count;
    for (size_t i = 0; i < count; i++) {
        moat_chan *chan = cases[i].chan;

        cases[i].task = task;
        list_init(&cases[i].link);
        if (chan != NULL)
            list_append(cases[i].send ? &chan->senders : &chan->receivers,
                        &cases[i].link);
    }
}

static enum verdict select_one(struct worker *worker, struct moat_task *task)
{
    struct waiter *cases = task->room;
    size_t count = task->wish.select.count;
    size_t chosen;
    enum verdict verdict;

    if (!bind_all(worker, cases, count))
        return answer(task, MOAT_E_STATE);
    chosen = choose(worker, cases, count);
    if (chosen < count) {
        task->wish.select.chosen = chosen;
        return answer(task,
                      moat_chan_step(worker, cases[chosen].chan,
                                     cases[chosen].send, cases[chosen].slot));
    }
    if (moat_sched_may_wait(worker, task, task->deadline, cases, &verdict))
        link_all(task, cases, count);
    return verdict;
}

static const struct op selects = {.perform = select_one,
                                  .words = "selects among channels",
                                  .late = MOAT_E_TIMEOUT};

/* ---- On the caller's stack ---------------------------------------------- */

/* Bytes for the cases and their items; 0: a case is wrong. */
static size_t bytes_of(const moat_select_case *cases, size_t count)
{
    size_t bytes = count * sizeof(struct waiter);

    bytes = rounded(bytes);
    for (size_t i = 0; i < count; i++) {
        const moat_chan *chan = cases[i].chan;

        if (chan == NULL)
            continue;
        if (!is_chan(chan) ||
            (cases[i].send && cases[i].item == NULL && chan->item_bytes != 0))
            return 0;
        bytes += rounded(chan->item_bytes);
    }
    return bytes;
}

static void write_cases(struct moat_task *task, const moat_select_case *cases,
                        size_t count)
{
    struct waiter *waiters = task->room;
    unsigned char *slot =
        (unsigned char *)task->room + rounded(count * sizeof *waiters);

    for (size_t i = 0; i < count; i++) {
        moat_chan *chan = cases[i].chan;

        waiters[i].chan = chan;
        waiters[i].send = cases[i].send;
        waiters[i].slot = slot;
        waiters[i].bytes = 0;
        if (chan == NULL)
            continue;
        waiters[i].bytes = chan->item_bytes;
        if (cases[i].send)
            copy_item(slot, cases[i].item, chan->item_bytes);
        slot += rounded(chan->item_bytes);
    }
}

/* The channel may be gone by now. */
static void read_case(const struct moat_task *task,
                      const moat_select_case *cases)
{
    size_t chosen = task->wish.select.chosen;
    const struct waiter *waiter = (const struct waiter *)task->room + chosen;

    if (!waiter->send && cases[chosen].item != NULL)
        copy_item(cases[chosen].item, waiter->slot, waiter->bytes);
}

static bool case_done_here(const struct worker *worker,
                           const moat_select_case *one)
{
    return one->chan != NULL &&
           chan_here(worker, one->chan, one->send) == HERE_DONE;
}

/* Does a random one of the cases that need not wait, on the caller's stack.
 * Returns its index; `count`: the worker has to be asked, be it for a single
 * case, since it makes the choice then. */
static size_t choose_here(struct worker *worker, const moat_select_case *cases,
                          size_t count)
{
    size_t ready = 0, pick, at = count;

    for (size_t i = 0; i < count; i++) {
        enum here here = HERE_WAITS;

        if (cases[i].chan != NULL)
            here = chan_here(worker, cases[i].chan, cases[i].send);
        if (here == HERE_ASKS)
            return count;
        if (here == HERE_DONE && ready++ == 0)
            at = i;
    }
    if (ready == 0)
        return count;
    pick = ready == 1 ? 0 : random_below(worker, ready);
    for (; pick != 0; pick -= case_done_here(worker, &cases[at]))
        at++;
    moat_chan_here(worker, cases[at].chan, cases[at].send, cases[at].item);
    return at;
}

moat_status moat_select(const moat_select_case *cases, size_t count,
                        uint64_t deadline, size_t *chosen)
{
    struct worker *worker = moat_sched_worker;
    struct moat_task *task = asker();
    moat_status status;
    size_t bytes;

    if (cases == NULL || count == 0 || count > MOST_CASES)
        return cases == NULL
                   ? refuse("cases is NULL")
                   : refuse_value("count is %u: it must be 1 to 65536", count);
    bytes = bytes_of(cases, count);
    if (bytes == 0)
        return refuse("cases: a chan is no channel, or an item is NULL");
    if (task == NULL)
        return MOAT_E_STATE;
    if (step_allowed(worker)) {
        size_t done = choose_here(worker, cases, count);

        if (done < count) {
            if (chosen != NULL)
                *chosen = done;
            return MOAT_OK;
        }
    }
    if (!moat_sched_room(task, bytes))
        return task->status;
    write_cases(task, cases, count);
    task->wish.select.count = count;
    task->deadline = deadline;
    status = ask(task, &selects);
    if (status == MOAT_OK)
        read_case(task, cases);
    if (chosen != NULL && (status == MOAT_OK || status == MOAT_E_CLOSED))
        *chosen = task->wish.select.chosen;
    return status;
}
