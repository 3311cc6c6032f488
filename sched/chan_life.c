/*
 * chan_life.c: how channels are made, closed and destroyed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "sched/chan.h"
#include "sched/refuse.h"

/* More than there is; 65536 items of a select do not wrap. */
#define MOST_BYTES ((size_t)1 << 47)

static moat_status make(moat_chan **out, size_t item_bytes, size_t capacity)
{
    moat_chan *chan;
    size_t bytes;

    if (__builtin_mul_overflow(item_bytes, capacity, &bytes) ||
        bytes > MOST_BYTES || item_bytes > MOST_BYTES)
        return moat_error_note(MOAT_E_INVAL,
                               "item_bytes is %u, capacity %u: together at "
                               "most 128 TiB",
                               item_bytes, capacity);
    chan = malloc(sizeof *chan + bytes);
    if (chan == NULL)
        return MOAT_E_NOMEM;
    *chan = (moat_chan){
        .magic = CHAN_MAGIC, .item_bytes = item_bytes, .capacity = capacity};
    list_init(&chan->senders);
    list_init(&chan->receivers);
    *out = chan;
    return MOAT_OK;
}

static enum verdict create(struct worker *worker, struct moat_task *task)
{
    (void)worker;
    return answer(task,
                  make(&task->wish.of_chan.chan, task->wish.of_chan.item_bytes,
                       task->wish.of_chan.capacity));
}

static void wake_closed(struct worker *worker, struct link *queue)
{
    while (!list_empty(queue))
        chan_wake(worker, first_of(queue), MOAT_E_CLOSED);
}

static enum verdict close_chan(struct worker *worker, struct moat_task *task)
{
    moat_chan *chan = task->wish.of_chan.chan;

    chan->closed = true;
    wake_closed(worker, &chan->senders);
    wake_closed(worker, &chan->receivers);
    return answer(task, MOAT_OK);
}

static enum verdict destroy(struct worker *worker, struct moat_task *task)
{
    moat_chan *chan = task->wish.of_chan.chan;

    (void)close_chan(worker, task);
    chan->magic = 0;
    free(chan);
    return answer(task, MOAT_OK);
}

static const struct op creates = {.perform = create,
                                  .words = "creates a channel"};
static const struct op closes = {.perform = close_chan,
                                 .words = "closes channel"};
static const struct op destroys = {.perform = destroy,
                                   .words = "destroys channel"};

/* The host's own code, of a thread without a run: a coroutine could be stopped
 * inside malloc. */
static bool is_outside(void)
{
    return moat_sched_worker == NULL && moat_co_current() == NULL;
}

moat_status moat_chan_create(moat_chan **out, size_t item_bytes,
                             size_t capacity)
{
    struct moat_task *task = asker();
    moat_status status;

    if (out == NULL)
        return refuse("out is NULL");
    if (task == NULL)
        return is_outside() ? make(out, item_bytes, capacity) : MOAT_E_STATE;
    task->wish.of_chan.item_bytes = item_bytes;
    task->wish.of_chan.capacity = capacity;
    status = ask(task, &creates);
    if (status == MOAT_OK)
        *out = task->wish.of_chan.chan;
    return status;
}

void moat_chan_close(moat_chan *chan)
{
    struct moat_task *task = asker();

    if (!is_chan(chan))
        return;
    if (task == NULL) {
        if (moat_sched_worker == NULL)
            chan->closed = true;
        return;
    }
    task->wish.of_chan.chan = chan;
    (void)ask(task, &closes);
}

void moat_chan_destroy(moat_chan *chan)
{
    struct moat_task *task = asker();

    if (!is_chan(chan))
        return;
    if (task == NULL) {
        if (is_outside())
            free(chan);
        return;
    }
    task->wish.of_chan.chan = chan;
    (void)ask(task, &destroys);
}
