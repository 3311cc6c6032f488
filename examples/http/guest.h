/*
 * guest.h: the guests, which parse and answer requests.
 *
 * A guest is a coroutine with limits. One that has answered waits for the next
 * request, of whichever client; one that fails is destroyed, with all that it
 * has. To make a coroutine for each request would be as easy, but a task that
 * makes one, and may itself be stopped at any instruction, blocks signals
 * meanwhile, which takes four system calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_GUEST_H
#define EXAMPLES_HTTP_GUEST_H

#include <stdbool.h>

#include "exchange.h"

enum guest_state {
    GUEST_ENDED,    /* see exchange->request and is_answered       */
    GUEST_GAVE_WAY, /* its slice of time is over: step again       */
    GUEST_SENT      /* it waits for exchange->errand: step again   */
};

struct guest {
    struct guest *next; /* that waits for a request */
    moat_co *co;
    struct exchange *exchange; /* NULL: it waits for one */
};

/* Before the first guest, and after the last. False: there is no memory. */
bool guests_begin(void);
void guests_end(void);

/* Lets a guest parse the input and, if that makes a request whole, answer it.
 * One that fails is replaced by a 500 with the number of its report. */
enum guest_state guest_step(struct exchange *exchange);

/* Ends the exchange's guest, wherever it is. */
void guest_drop(struct exchange *exchange);

#endif
