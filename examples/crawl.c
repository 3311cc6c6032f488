/*
 * crawl.c: many requests at once, each with a deadline of its own; their
 * answers come together in a channel. One that is late and one whose task
 * crashes cost only their own answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE
#define MS    UINT64_C(1000000)

struct page {
    const char *name;
    uint64_t patience_ms;
    char words[80]; /* the answer */
    const char *failed;
};

static struct page pages[] = {
    {"index", 60000, "", NULL},   {"news", 60000, "", NULL},
    {"asleep", 50, "", NULL},     {"broken", 60000, "", NULL},
    {"no/such", 60000, "", NULL}, {"about", 60000, "", NULL},
};

#define PAGES (sizeof pages / sizeof pages[0])

static char port[8];
static moat_chan *answers; /* struct page *, when it is done */

static void check(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* ---- The crawler ---- */

static void hang_up(const int *fd)
{
    if (*fd >= 0)
        (void)moat_close(*fd);
}

/* Cannot cope with an answer that has no space. */
static void parse(struct page *page, char *answer)
{
    char *space = strchr(answer, ' ');

    *space = '\0';
    snprintf(page->words, sizeof page->words, "%s words", answer);
}

static void *fetch(void *arg)
{
    struct page *page = arg;
    uint64_t deadline = moat_now() + page->patience_ms * MS;
    __attribute__((cleanup(hang_up))) int fd =
        moat_dial_tcp("localhost", port, deadline);
    char answer[64];
    ssize_t got = -1;

    if (fd >= 0 && moat_write(fd, page->name, strlen(page->name), deadline) > 0)
        got = moat_read(fd, answer, sizeof answer - 1, deadline);
    if (got < 0) {
        page->failed = "late";
    } else if (got == 0) {
        page->failed = "not found";
    } else {
        answer[got] = '\0';
        parse(page, answer);
    }
    return NULL;
}

/* Waits for the end of the fetch, whatever it is. */
static void *guard(void *arg)
{
    struct page *page = arg;
    moat_result result;
    moat_task *task;

    check(moat_task_spawn(NULL, fetch, page, NULL, &task) == MOAT_OK, "spawn");
    check(moat_task_join(task, NEVER, &result) == MOAT_OK, "join");
    if (result.kind == MOAT_EVENT_TRAP)
        page->failed = moat_trap_kind_str(result.trap.kind);
    check(moat_chan_send(answers, &page, NEVER) == MOAT_OK, "send");
    return NULL;
}

/* ---- The site ---- */

static void *answer_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char name[64] = "";

    if (moat_read(fd, name, sizeof name - 1, NEVER) > 0) {
        if (strcmp(name, "asleep") == 0)
            (void)!moat_read(fd, name, 1, NEVER); /* until they hang up */
        else if (strcmp(name, "broken") == 0)
            (void)moat_write(fd, "none", 4, NEVER);
        else if (strcmp(name, "no/such") != 0)
            (void)moat_write(fd, "100 and so on", 13, NEVER);
    }
    (void)moat_close(fd);
    return NULL;
}

static void *serve_site(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;

    while ((fd = moat_accept(listener, NEVER)) >= 0)
        check(moat_task_spawn(NULL, answer_one, (void *)(intptr_t)fd, NULL,
                              NULL) == MOAT_OK,
              "moat_task_spawn");
    return NULL;
}

static int open_site(void)
{
    int listener = moat_listen_tcp("localhost", "0", 0);
    struct sockaddr_in6 address; /* the port is where sockaddr_in has it */
    socklen_t length = sizeof address;

    check(listener >= 0, "moat_listen_tcp");
    check(getsockname(listener, (struct sockaddr *)&address, &length) == 0,
          "getsockname");
    snprintf(port, sizeof port, "%d", ntohs(address.sin6_port));
    check(moat_task_spawn(NULL, serve_site, (void *)(intptr_t)listener, NULL,
                          NULL) == MOAT_OK,
          "moat_task_spawn");
    return listener;
}

static void *crawl(void *arg)
{
    int listener = open_site();
    struct page *page;

    check(moat_chan_create(&answers, sizeof page, PAGES) == MOAT_OK, "chan");
    for (size_t i = 0; i < PAGES; i++)
        check(moat_task_spawn(NULL, guard, &pages[i], NULL, NULL) == MOAT_OK,
              "moat_task_spawn");
    for (size_t i = 0; i < PAGES; i++)
        check(moat_chan_recv(answers, &page, NEVER) == MOAT_OK, "recv");
    for (size_t i = 0; i < PAGES; i++)
        printf("%s: %s\n", pages[i].name,
               pages[i].failed != NULL ? pages[i].failed : pages[i].words);
    moat_chan_destroy(answers);
    (void)moat_close(listener);
    return arg;
}

int main(void)
{
    return moat_sched_run(NULL, crawl, NULL, NULL) == MOAT_OK ? 0 : 1;
}
