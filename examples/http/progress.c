/*
 * progress.c: what is done for a client between two waits: its input goes to a
 * guest, and what the guest has answered is sent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "progress.h"
#include "guest.h"
#include "server.h"

/* The reply is in the output. */
static enum need follow_answer(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (exchange->request.refusal != 0) {
        connection_enter(connection, PHASE_BUSY);
        return NEED_LINGER;
    }
    if (exchange->closes)
        return NEED_END;
    if (output_is_full(&exchange->output))
        return NEED_OUTPUT;
    exchange_next(exchange);
    return NEED_NOTHING;
}

/* All input is parsed. */
static enum need wait_for_more(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct request *request = &exchange->request;

    if (request->stage == REQUEST_NONE)
        connection_enter(connection, PHASE_IDLE);
    if (request->stage != REQUEST_BODY)
        return NEED_INPUT;
    connection_enter(connection, PHASE_BODY);
    /* The body so far was copied; only the head must stay. */
    input_keep(&exchange->input, request_head_length(request));
    if (request->wants_continue)
        output_put_continue(&exchange->output);
    request->wants_continue = false;
    return NEED_INPUT;
}

static enum need wait_for_guest(struct connection *connection, enum need need)
{
    if (connection->exchange->request.stage == REQUEST_WHOLE)
        connection_enter(connection, PHASE_BUSY);
    return need;
}

static enum need go_on(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (exchange->is_answered)
        return follow_answer(connection);
    if (exchange->guest == NULL && input_is_parsed(&exchange->input))
        return wait_for_more(connection);
    switch (guest_step(exchange)) {
    case GUEST_GAVE_WAY:
        return wait_for_guest(connection, NEED_TURN);
    case GUEST_SENT:
        return wait_for_guest(connection, NEED_ERRAND);
    default:
        return NEED_NOTHING;
    }
}

/* False: there is no memory. */
static bool receive(struct connection *connection, const char *bytes,
                    size_t length)
{
    if (connection->exchange == NULL)
        connection->exchange = exchange_take(connection->server);
    if (connection->exchange == NULL ||
        !input_append(&connection->exchange->input, bytes, length))
        return false;
    if (connection->exchange->request.stage == REQUEST_NONE)
        connection_enter(connection, PHASE_HEAD);
    return true;
}

enum need progress(struct connection *connection, const char *bytes,
                   size_t length)
{
    enum need need = NEED_NOTHING;

    if (length > 0 && !receive(connection, bytes, length))
        return NEED_END;
    while (need == NEED_NOTHING)
        need = go_on(connection);
    if (!output_send(&connection->exchange->output, connection->fd))
        return NEED_END;
    return need;
}
