/*
 * reaper.c: ends connections whose client takes too long.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/socket.h>

#include "output.h"
#include "reaper.h"

#define PERIOD UINT64_C(100000000)

static uint64_t time_for(const struct settings *settings, enum phase phase)
{
    switch (phase) {
    case PHASE_IDLE:
        return settings->idle_time;
    case PHASE_HEAD:
        return settings->header_time;
    case PHASE_BODY:
        return settings->body_time;
    default:
        return UINT64_MAX;
    }
}

static void end_read(struct connection *connection)
{
    connection->is_over = true;
    (void)shutdown(connection->fd, SHUT_RD);
}

static void look_at(const struct server *server, struct connection *connection)
{
    uint64_t time = time_for(server->settings, connection->phase);

    if (!connection->is_over && server->now - connection->since > time)
        end_read(connection);
}

void *reap(void *arg)
{
    struct server *server = arg;

    do {
        server->now = moat_now();
        output_set_date();
        for (struct connection *each = server->connections; each != NULL;
             each = each->next)
            look_at(server, each);
    } while (moat_sleep(PERIOD) == MOAT_OK);
    return NULL;
}

void reap_idle(struct server *server)
{
    for (struct connection *each = server->connections; each != NULL;
         each = each->next)
        if (each->phase == PHASE_IDLE && !each->is_over)
            end_read(each);
}
