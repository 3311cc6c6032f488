/*
 * chan.h: channels between tasks. <moat/sched.h> includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_CHAN_H
#define MOAT_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/export.h>
#include <moat/status.h>

typedef struct moat_chan moat_chan;

/** One of the alternatives of moat_select. */
typedef struct moat_select_case {
    /* NULL: the case is never chosen. */
    moat_chan *chan;
    /* Whether it sends; otherwise it receives. */
    bool send;
    /* The item to send, or where to store one. NULL: see moat_chan_recv. */
    void *item;
} moat_select_case;

MOAT_BEGIN_DECLS

/**
 * Creates a channel.
 *
 * It may be created before a run, and used in several runs, but only in one at
 * a time.
 *
 * @param[out] out    the channel; written only on MOAT_OK
 * @param item_bytes  size of an item; 0 is allowed
 * @param capacity    items that it can hold; 0: unbuffered, so that a send
 *                    waits for a receiver
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  out is NULL, or the sizes are too large
 *         MOAT_E_STATE  the caller is a coroutine inside a task
 *         MOAT_E_NOMEM  no memory
 *
 * Ownership:     the caller's, until moat_chan_destroy
 * Thread-safety: any
 * Signal-safety: no
 * Legal in:      a task, or the host
 */
MOAT_API MOAT_NODISCARD moat_status moat_chan_create(moat_chan **out,
                                                     size_t item_bytes,
                                                     size_t capacity);

/**
 * Sends an item to a waiting receiver or into the buffer, or waits for either.
 *
 * Waiting senders and receivers are served first come, first served. The
 * calling task copies the item before it waits, so a bad pointer is the
 * caller's fault.
 *
 * @param chan      not NULL
 * @param item      the channel's item_bytes; NULL only if those are 0
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK when a receiver or the buffer has it; or
 *         MOAT_E_CLOSED     the channel is closed, or was during the wait
 *         MOAT_E_INVAL      chan is not a channel; item is NULL
 *         MOAT_E_STATE      the caller is not a task; tasks of another run wait
 *                           at the channel
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one
 *         MOAT_E_NOMEM      no memory for the deadline or a copy of the item
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call; no allocation for items up to 16 bytes
 * See also:      moat_chan_recv, moat_select
 */
MOAT_API MOAT_NODISCARD moat_status moat_chan_send(moat_chan *chan,
                                                   const void *item,
                                                   uint64_t deadline);

/**
 * Receives an item from the buffer or a waiting sender, or waits for one.
 *
 * Items left in a closed channel can still be received.
 *
 * @param chan       not NULL
 * @param[out] item  the channel's item_bytes; written only on MOAT_OK. NULL:
 *                   the item is dropped
 * @param deadline   on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK, or
 *         MOAT_E_CLOSED     the channel is closed, and nothing is left in it
 *         MOAT_E_INVAL      chan is not a channel
 *         MOAT_E_STATE      the caller is not a task; tasks of another run wait
 *                           at the channel
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one
 *         MOAT_E_NOMEM      no memory for the deadline or a copy of the item
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          no system call; no allocation for items up to 16 bytes
 * See also:      moat_chan_send, moat_select
 */
MOAT_API MOAT_NODISCARD moat_status moat_chan_recv(moat_chan *chan, void *item,
                                                   uint64_t deadline);

/**
 * Closes a channel. Tasks that wait at it get MOAT_E_CLOSED.
 *
 * @param chan  NULL is allowed; closed already: no effect
 *
 * Ownership:     unchanged
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host, while
 *                no task waits at it
 */
MOAT_API void moat_chan_close(moat_chan *chan);

/**
 * Closes a channel and frees it, with the items in it.
 *
 * @param chan  NULL is allowed
 *
 * Ownership:     ends the caller's
 * Thread-safety: a task, or the run's thread
 * Signal-safety: no
 * Legal in:      a task; moat_co_defer; moat_call_on_parent; the host, while
 *                no task waits at it
 */
MOAT_API void moat_chan_destroy(moat_chan *chan);

/**
 * Sends or receives at one of many channels.
 *
 * Of the cases that need not wait, one is chosen at random, all with the same
 * probability. A case whose channel is closed need not wait: if it is chosen,
 * the result is MOAT_E_CLOSED. If all have to wait, the first that can go on is
 * chosen.
 *
 * @param cases        array of `count`
 * @param count        1 to 65,536
 * @param deadline     on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 * @param[out] chosen  the index of the case; NULL is allowed. Written only on
 *                     MOAT_OK and MOAT_E_CLOSED
 *
 * @return MOAT_OK, or
 *         MOAT_E_CLOSED     the chosen channel is closed
 *         MOAT_E_INVAL      cases is NULL, count is out of range, a channel is
 *                           not one, or an item to send is NULL
 *         MOAT_E_STATE      the caller is not a task; tasks of another run wait
 *                           at a channel
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_DEADLOCK   every task waits, and nothing can wake one
 *         MOAT_E_NOMEM      no memory
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * Cost:          a step per case; no allocation after a task's first
 */
MOAT_API MOAT_NODISCARD moat_status moat_select(const moat_select_case *cases,
                                                size_t count, uint64_t deadline,
                                                size_t *chosen);

MOAT_END_DECLS

#endif
