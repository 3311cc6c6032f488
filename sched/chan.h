/*
 * chan.h: one step at a channel, for a task that waits in one or in many.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_CHAN_H
#define SCHED_CHAN_H

#include <string.h>

#include "sched/ask.h"
#include "sched/step.h"
#include "sched/wait.h"

static inline bool is_chan(const moat_chan *chan)
{
    return chan != NULL && chan->magic == CHAN_MAGIC;
}

/* Most items are a word or two. */
static inline void copy_item(void *to, const void *from, size_t bytes)
{
    if (bytes == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (bytes != 0)
        memcpy(to, from, bytes);
}

/* Wakes a task whose case another task has completed. */
static inline void chan_wake(struct worker *worker, struct waiter *waiter,
                             moat_status status)
{
    struct moat_task *task = waiter->task;

    task->wish.select.chosen =
        task->waiter_count == 1 ? 0 : (size_t)(waiter - task->waiters);
    moat_sched_wake(worker, task, status);
}

/* Returns whether a send or a receive need not wait. */
static inline bool chan_ready(const moat_chan *chan, bool send)
{
    if (chan->closed)
        return true;
    return send ? chan->count < chan->capacity || !list_empty(&chan->receivers)
                : chan->count != 0 || !list_empty(&chan->senders);
}

/* Does a send or a receive that need not wait; the item is at `slot`. */
moat_status moat_chan_step(struct worker *worker, moat_chan *chan, bool send,
                           void *slot);

/* How a send or a receive is made on the stack of the task that calls. */
enum here {
    HERE_DONE,  /* moat_chan_here does it                    */
    HERE_WAITS, /* it has to wait                            */
    HERE_ASKS   /* the worker has to do it, or to refuse it  */
};

static inline enum here chan_here(const struct worker *worker,
                                  const moat_chan *chan, bool send)
{
    const struct waiter *other =
        first_of(send ? &chan->receivers : &chan->senders);

    if (MOAT_UNLIKELY(chan->run != worker->run || (send && chan->closed)))
        return HERE_ASKS;
    if (!send && chan->count != 0)
        return other == NULL ? HERE_DONE : HERE_ASKS;
    if (other != NULL)
        return step_can_wake(worker, other->task) ? HERE_DONE : HERE_ASKS;
    if (send && chan->count < chan->capacity)
        return HERE_DONE;
    return chan->closed ? HERE_ASKS : HERE_WAITS;
}

/* Does it, with the program's item. */
void moat_chan_here(struct worker *worker, moat_chan *chan, bool send,
                    void *item);

/* Returns whether tasks of this run may wait at the channel: none of another
 * run does. */
bool moat_chan_bind_slowly(const struct worker *worker, moat_chan *chan);

static inline bool moat_chan_bind(const struct worker *worker, moat_chan *chan)
{
    return MOAT_LIKELY(chan->run == worker->run) ||
           moat_chan_bind_slowly(worker, chan);
}

#endif
