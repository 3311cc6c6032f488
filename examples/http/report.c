/*
 * report.c: reports of handlers that failed: a line on standard error, and a
 * file, if there is a folder for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "host_call.h"
#include "report.h"

/* A handler that always fails must not fill the disk. */
#define MAX_FILES 1000

#define ID_BYTES   64
#define LINE_BYTES 2048
#define MAX_FRAMES 64

static const char *folder;
static unsigned reports;
static time_t begun;

void reports_begin(const char *name)
{
    folder = name;
    begun = time(NULL);
}

struct report {
    const struct exchange *exchange;
    const moat_co *guest; /* NULL: it is not the handler's code that failed */
    const char *words;    /* NULL: it has trapped                          */
    char id[ID_BYTES];
};

/* ---- Text ---------------------------------------------------------------- */

/* Bytes that a client or a script has chosen must not steer a terminal. */
static size_t escape(char *to, size_t room, struct span text)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 0;

    for (size_t i = 0; i < text.length && length + 5 < room; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (byte >= ' ' && byte < 0x7f && byte != '\\') {
            to[length++] = (char)byte;
            continue;
        }
        to[length++] = '\\';
        to[length++] = 'x';
        to[length++] = digits[byte >> 4];
        to[length++] = digits[byte & 15];
    }
    to[length] = '\0';
    return length;
}

/* The last trap that was described. A handler with a bug fails again and again
 * at the same instruction; to find the function's name and line takes longer
 * than all the rest of a trap. */
static struct {
    moat_trap_kind kind;
    uintptr_t pc, address;
    char text[LINE_BYTES / 2];
} last;

static bool is_last(const moat_trap_info *trap)
{
    return trap->kind == last.kind && trap->kind != MOAT_TRAP_DEADLINE &&
           trap->pc == last.pc && trap->address == last.address;
}

/* Returns the trap's line in `last`. */
static const char *describe_trap(const moat_co *guest)
{
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(guest, &trap) != MOAT_OK || is_last(&trap))
        return last.text;
    last.kind = trap.kind;
    last.pc = trap.pc;
    last.address = trap.address;
    (void)!moat_co_format_report(guest, MOAT_REPORT_LINE, last.text,
                                 sizeof last.text, NULL);
    return last.text;
}

static void compose_line(const struct report *report, char *line)
{
    const struct request *request = &report->exchange->request;
    const char *words = report->words;
    size_t length = (size_t)snprintf(line, LINE_BYTES, "report %s: %s ",
                                     report->id, request_method(request));

    length += escape(line + length, 512, request_url(request));
    length += (size_t)snprintf(line + length, LINE_BYTES - length, ": ");
    if (words == NULL)
        snprintf(line + length, LINE_BYTES - 1 - length, "%s",
                 describe_trap(report->guest));
    else
        (void)escape(line + length, LINE_BYTES - 1 - length,
                     (struct span){words, strlen(words)});
    strcat(line, "\n");
}

/* ---- The log and the file ------------------------------------------------ */

/* Where a handler was that has not trapped. */
static void write_frames(const moat_co *guest, int fd)
{
    static moat_described_frame frames[MAX_FRAMES];
    size_t count = 0;

    (void)!moat_co_describe(guest, frames, MAX_FRAMES, &count);
    for (size_t i = 0; i < count; i++)
        dprintf(fd, "  %s %s at %s:%d\n", frames[i].module, frames[i].function,
                frames[i].source, frames[i].line);
}

static void write_file(const struct report *report, const char *line)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%s/%s.txt", folder, report->id);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, strlen(line)) < 0)
        perror(path);
    else if (report->words == NULL)
        (void)!moat_co_print_report(report->guest, fd);
    else if (report->guest != NULL)
        write_frames(report->guest, fd);
    if (fd >= 0)
        close(fd);
}

/* A report needs more stack than a task has. */
static void *write_report(void *arg)
{
    struct report *report = arg;
    char line[LINE_BYTES];

    compose_line(report, line);
    (void)!write(STDERR_FILENO, line, strlen(line));
    if (folder != NULL && reports <= MAX_FILES)
        write_file(report, line);
    return NULL;
}

static void make(struct exchange *exchange, const moat_co *guest,
                 const char *words)
{
    struct report report = {exchange, guest, words, ""};
    char text[ID_BYTES + 16];

    reports++;
    snprintf(report.id, sizeof report.id, "%lx-%d-%u", (unsigned long)begun,
             (int)getpid(), reports);
    (void)host_call(write_report, &report);
    snprintf(text, sizeof text, "report %s", report.id);
    reply_line(&exchange->reply, 500, text);
    request_fail(&exchange->request);
    exchange_answer(exchange);
}

void report_trap(struct exchange *exchange)
{
    make(exchange, exchange->guest->co, NULL);
}

void report_stop(struct exchange *exchange, const char *words)
{
    make(exchange, exchange->guest->co, words);
}

void report_words(struct exchange *exchange, const char *words)
{
    make(exchange, NULL, words);
}
