/*
 * address.h: names of hosts and services, and their addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_IO_ADDRESS_H
#define SCHED_IO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sched/task.h"

#define ADDRESSES  8
#define HOST_BYTES 256
#define PORT_BYTES 64

struct address {
    socklen_t length;
    struct sockaddr_storage bytes;
};

/* The names to look up, and the addresses found. */
struct lookup {
    char host[HOST_BYTES], port[PORT_BYTES];
    bool has_host, has_port, listens;
    size_t count;
    struct address found[ADDRESSES];
};

/* Copies the names in; a bad pointer faults here. False: errno is set. */
bool moat_address_ask(struct lookup *lookup, const char *host, const char *port,
                      bool listens);
/* Looks them up, on any thread; may take long, unless `numeric`: then names are
 * not found. Returns 0 or an errno. */
int moat_address_find(struct lookup *lookup, bool numeric);
/* The same for a task, whose room the lookup is in: names are looked up by a
 * thread of moat_offload. Returns 0 or an errno. */
int moat_address_find_for(struct moat_task *task, uint64_t deadline);

#endif
