/*
 * progress.h: what is done for a client between two waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_PROGRESS_H
#define EXAMPLES_HTTP_PROGRESS_H

#include <stddef.h>

#include "connection.h"

/* The next duty of the connection's task. */
enum need {
    NEED_NOTHING, /* there is more to do at once    */
    NEED_INPUT,   /* wait for the client            */
    NEED_OUTPUT,  /* send what there is             */
    NEED_TURN,    /* let other tasks run            */
    NEED_ERRAND,  /* run that of the guest          */
    NEED_LINGER,  /* hang up on a client that talks */
    NEED_END      /* hang up                        */
};

/* Goes on, with input that has come, until there is something to wait for. */
enum need progress(struct connection *connection, const char *bytes,
                   size_t length);

#endif
