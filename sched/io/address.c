/*
 * address.c: names of hosts and services, looked up by getaddrinfo(3).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "sched/ask.h"
#include "sched/io/address.h"
#include "sched/io/descriptors.h"
#include "sched/io/job.h"

static bool copy_name(char *to, size_t room, const char *name)
{
    size_t length = name != NULL ? strnlen(name, room) : 0;

    if (length == room)
        return false;
    if (length != 0)
        memcpy(to, name, length);
    to[length] = '\0';
    return true;
}

bool moat_address_ask(struct lookup *lookup, const char *host, const char *port,
                      bool listens)
{
    lookup->has_host = host != NULL;
    lookup->has_port = port != NULL;
    lookup->listens = listens;
    lookup->count = 0;
    errno = EINVAL;
    return copy_name(lookup->host, sizeof lookup->host, host) &&
           copy_name(lookup->port, sizeof lookup->port, port) &&
           (port != NULL || (host != NULL && !listens));
}

/* ---- Look up ------------------------------------------------------------ */

static void keep(struct lookup *lookup, const struct addrinfo *info)
{
    for (; info != NULL && lookup->count < ADDRESSES; info = info->ai_next) {
        struct address *address = &lookup->found[lookup->count];

        if (info->ai_addrlen > sizeof address->bytes)
            continue;
        address->length = info->ai_addrlen;
        memcpy(&address->bytes, info->ai_addr, info->ai_addrlen);
        lookup->count++;
    }
}

static int errno_of(int error)
{
    switch (error) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return EAGAIN;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_SYSTEM:
        return errno != 0 ? errno : EIO;
    default:
        return ENOENT;
    }
}

int moat_address_find(struct lookup *lookup, bool numeric)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int error;

    if (numeric)
        hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    if (lookup->listens)
        hints.ai_flags |= AI_PASSIVE;
    error = getaddrinfo(lookup->has_host ? lookup->host : NULL,
                        lookup->has_port ? lookup->port : NULL, &hints, &found);
    if (error != 0)
        return errno_of(error);
    keep(lookup, found);
    freeaddrinfo(found);
    return lookup->count != 0 ? 0 : ENOENT;
}

/* ---- For a task ---------------------------------------------------------- */

/* A job has the lookup in memory of its own: the task may be gone before it. */
struct lookup_job {
    struct job job;
    struct lookup lookup;
    int error;
};

static void run(struct job *job)
{
    struct lookup_job *self = (struct lookup_job *)job;

    self->error = moat_address_find(&self->lookup, false);
}

static void deliver(struct job *job, struct moat_task *task)
{
    const struct lookup_job *self = (const struct lookup_job *)job;

    memcpy(task->room, &self->lookup, sizeof self->lookup);
    task->wish.of_fd.error = self->error;
}

static void drop(struct job *job)
{
    free(job);
}

static const struct job_kind lookups = {run, deliver, drop};

static enum verdict read_numbers(struct worker *worker, struct moat_task *task)
{
    (void)worker;
    task->wish.of_fd.error = moat_address_find(task->room, true);
    return answer(task, MOAT_OK);
}

static enum verdict look_up(struct worker *worker, struct moat_task *task)
{
    struct lookup_job *job = calloc(1, sizeof *job);

    if (job == NULL)
        return answer(task, MOAT_E_NOMEM);
    job->job.kind = &lookups;
    memcpy(&job->lookup, task->room, sizeof job->lookup);
    return moat_job_start(worker, task, &job->job);
}

static const struct op reads_numbers = {
    .perform = read_numbers, .words = "reads an address", .is_part = true};
static const struct op looks_up = {.perform = look_up,
                                   .words = "looks up a name by job",
                                   .late = MOAT_E_TIMEOUT,
                                   .from_outside = true,
                                   .leaves = moat_job_leave};

int moat_address_find_for(struct moat_task *task, uint64_t deadline)
{
    moat_status status = ask(task, &reads_numbers);

    if (status != MOAT_OK || task->wish.of_fd.error != ENOENT)
        return task->wish.of_fd.error;
    task->deadline = deadline;
    status = ask(task, &looks_up);
    if (status != MOAT_OK)
        return moat_descriptor_errno(status);
    return task->wish.of_fd.error;
}
