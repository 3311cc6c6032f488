/*
 * chan.c: sending and receiving: a channel is a ring of items, and two queues
 * of waiting tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/chan.h"
#include "sched/leave.h"
#include "sched/refuse.h"

static unsigned char *item_at(moat_chan *chan, size_t place)
{
    if (place >= chan->capacity)
        place -= chan->capacity;
    return chan->items + place * chan->item_bytes;
}

static void put(moat_chan *chan, const void *slot)
{
    copy_item(item_at(chan, chan->head + chan->count), slot, chan->item_bytes);
    chan->count++;
}

static void get(moat_chan *chan, void *slot)
{
    copy_item(slot, item_at(chan, chan->head), chan->item_bytes);
    chan->head = chan->head + 1 == chan->capacity ? 0 : chan->head + 1;
    chan->count--;
}

/* False: it would have to wait. */
static inline bool try_send(struct worker *worker, moat_chan *chan,
                            const void *slot)
{
    struct waiter *receiver = first_of(&chan->receivers);

    if (receiver != NULL) {
        copy_item(receiver->slot, slot, chan->item_bytes);
        chan_wake(worker, receiver, MOAT_OK);
        return true;
    }
    if (chan->count == chan->capacity)
        return false;
    put(chan, slot);
    return true;
}

static inline bool try_recv(struct worker *worker, moat_chan *chan, void *slot)
{
    struct waiter *sender = first_of(&chan->senders);

    if (chan->count != 0) {
        get(chan, slot);
        if (sender != NULL)
            put(chan, sender->slot);
    } else if (sender != NULL) {
        copy_item(slot, sender->slot, chan->item_bytes);
    } else {
        return false;
    }
    if (sender != NULL)
        chan_wake(worker, sender, MOAT_OK);
    return true;
}

moat_status moat_chan_step(struct worker *worker, moat_chan *chan, bool send,
                           void *slot)
{
    if (!send)
        return try_recv(worker, chan, slot) ? MOAT_OK : MOAT_E_CLOSED;
    if (chan->closed)
        return MOAT_E_CLOSED;
    (void)try_send(worker, chan, slot);
    return MOAT_OK;
}

bool moat_chan_bind_slowly(const struct worker *worker, moat_chan *chan)
{
    if (!list_empty(&chan->senders) || !list_empty(&chan->receivers))
        return false;
    chan->run = worker->run;
    return true;
}

/* ---- Send and receive --------------------------------------------------- */

static enum verdict send_item(struct worker *worker, struct moat_task *task)
{
    moat_chan *chan = task->wish.of_chan.chan;

    if (!moat_chan_bind(worker, chan))
        return answer(task, MOAT_E_STATE);
    if (MOAT_UNLIKELY(chan->closed))
        return answer(task, MOAT_E_CLOSED);
    if (try_send(worker, chan, task->slot))
        return answer(task, MOAT_OK);
    task->waiter.slot = task->slot;
    return moat_sched_wait(worker, task, &chan->senders, task->deadline, chan);
}

static enum verdict receive_item(struct worker *worker, struct moat_task *task)
{
    moat_chan *chan = task->wish.of_chan.chan;

    if (!moat_chan_bind(worker, chan))
        return answer(task, MOAT_E_STATE);
    if (try_recv(worker, chan, task->slot))
        return answer(task, MOAT_OK);
    if (chan->closed)
        return answer(task, MOAT_E_CLOSED);
    task->waiter.slot = task->slot;
    return moat_sched_wait(worker, task, &chan->receivers, task->deadline,
                           chan);
}

/* ---- On the caller's stack ---------------------------------------------- */

/* Takes the first item of the buffer, which has been copied. */
static inline void step_ring(struct worker *worker, moat_chan *chan)
{
    struct step *step = &worker->step;

    step->chan = chan;
    step->head = chan->head + 1 == chan->capacity ? 0 : chan->head + 1;
    step->count = chan->count - 1;
    step_begin(worker, STEP_RING);
    chan->head = step->head;
    chan->count = step->count;
    step_end(worker);
}

static inline void send_here(struct worker *worker, moat_chan *chan,
                             const void *item)
{
    struct waiter *receiver = first_of(&chan->receivers);

    worker->left--;
    if (receiver != NULL) {
        copy_item(receiver->slot, item, chan->item_bytes);
        step_wake(worker, receiver);
        return;
    }
    copy_item(item_at(chan, chan->head + chan->count), item, chan->item_bytes);
    /* One store, so it has no step. */
    atomic_signal_fence(memory_order_seq_cst);
    chan->count++;
}

static inline void recv_here(struct worker *worker, moat_chan *chan, void *item)
{
    struct waiter *sender = first_of(&chan->senders);
    const void *slot =
        chan->count != 0 ? item_at(chan, chan->head) : sender->slot;

    worker->left--;
    if (item != NULL)
        copy_item(item, slot, chan->item_bytes);
    if (chan->count != 0)
        step_ring(worker, chan);
    else
        step_wake(worker, sender);
}

void moat_chan_here(struct worker *worker, moat_chan *chan, bool send,
                    void *item)
{
    if (send)
        send_here(worker, chan, item);
    else
        recv_here(worker, chan, item);
}

/* Returns whether the task can wait where it is. */
static inline bool waits_here(const struct worker *worker, size_t bytes,
                              uint64_t deadline)
{
    const struct moat_task *task = worker->running;

    return deadline == MOAT_NO_DEADLINE && step_can_hand(worker, task) &&
           (bytes <= ITEM_INLINE || bytes <= task->room_bytes);
}

/* Where the item is while the task waits. */
static inline void *slot_here(struct moat_task *task, size_t bytes)
{
    return bytes <= ITEM_INLINE ? task->small : task->room;
}

/* ---- The calls ---------------------------------------------------------- */

static const struct op sends = {
    .perform = send_item, .words = "sends to channel", .late = MOAT_E_TIMEOUT};
static const struct op receives = {.perform = receive_item,
                                   .words = "receives from channel",
                                   .late = MOAT_E_TIMEOUT};

/* Where the item is while the task waits. */
static bool take_slot(struct moat_task *task, size_t bytes)
{
    task->slot = task->small;
    if (MOAT_LIKELY(bytes <= ITEM_INLINE))
        return true;
    if (!moat_sched_room(task, bytes))
        return false;
    task->slot = task->room;
    return true;
}

static bool may_send(const moat_chan *chan, const void *item)
{
    return is_chan(chan) && (item != NULL || chan->item_bytes == 0);
}

static APART moat_status moat_chan_send_by_worker(moat_chan *chan,
                                                  const void *item,
                                                  uint64_t deadline)
{
    struct moat_task *task = asker();
    size_t bytes;

    if (!may_send(chan, item))
        return is_chan(chan) ? refuse("item is NULL")
                             : refuse_pointer("chan is %x: no channel", chan);
    if (task == NULL)
        return MOAT_E_STATE;
    bytes = chan->item_bytes;
    if (!take_slot(task, bytes))
        return task->status;
    copy_item(task->slot, item, bytes);
    task->wish.of_chan.chan = chan;
    task->deadline = deadline;
    return ask(task, &sends);
}

static APART moat_status moat_chan_recv_by_worker(moat_chan *chan, void *item,
                                                  uint64_t deadline)
{
    struct moat_task *task = asker();
    moat_status status;
    size_t bytes;

    if (!is_chan(chan))
        return refuse_pointer("chan is %x: no channel", chan);
    if (task == NULL)
        return MOAT_E_STATE;
    bytes = chan->item_bytes;
    if (!take_slot(task, bytes))
        return task->status;
    task->wish.of_chan.chan = chan;
    task->deadline = deadline;
    status = ask(task, &receives);
    if (status == MOAT_OK && item != NULL)
        copy_item(item, task->slot, bytes);
    return status;
}

/* The task waits where it is. */

static APART LEAVES_BY_JUMP moat_status moat_chan_send_in_place(
    struct worker *worker, moat_chan *chan, const void *item)
{
    struct moat_task *task = worker->running;
    void *slot = slot_here(task, chan->item_bytes);

    copy_item(slot, item, chan->item_bytes);
    return step_wait(worker, task, &sends, &chan->senders, chan, slot);
}

static APART LEAVES_BY_JUMP moat_status
moat_chan_recv_in_place(struct worker *worker, moat_chan *chan, void *item)
{
    struct moat_task *task = worker->running;
    size_t bytes = chan->item_bytes; /* the channel may be gone then */
    void *slot = slot_here(task, bytes);
    moat_status status =
        step_wait(worker, task, &receives, &chan->receivers, chan, slot);

    if (status == MOAT_OK && item != NULL)
        copy_item(item, slot, bytes);
    return status;
}

moat_status moat_chan_send(moat_chan *chan, const void *item, uint64_t deadline)
{
    struct worker *worker = moat_sched_worker;
    enum here here = HERE_ASKS;

    if (MOAT_LIKELY(step_allowed(worker) && may_send(chan, item)))
        here = chan_here(worker, chan, true);
    if (MOAT_LIKELY(here == HERE_DONE)) {
        send_here(worker, chan, item);
        return MOAT_OK;
    }
    if (here == HERE_WAITS && waits_here(worker, chan->item_bytes, deadline))
        return moat_chan_send_in_place(worker, chan, item);
    return moat_chan_send_by_worker(chan, item, deadline);
}

moat_status moat_chan_recv(moat_chan *chan, void *item, uint64_t deadline)
{
    struct worker *worker = moat_sched_worker;
    enum here here = HERE_ASKS;

    if (MOAT_LIKELY(step_allowed(worker) && is_chan(chan)))
        here = chan_here(worker, chan, false);
    if (MOAT_LIKELY(here == HERE_DONE)) {
        recv_here(worker, chan, item);
        return MOAT_OK;
    }
    if (here == HERE_WAITS && waits_here(worker, chan->item_bytes, deadline))
        return moat_chan_recv_in_place(worker, chan, item);
    return moat_chan_recv_by_worker(chan, item, deadline);
}
