/*
 * report.c: moat's reports, kept until they are written in their turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <moat/backtrace.h>

/* A file in memory, at its begin; -1 if that fails. */
static int write_report(const moat_co *co,
                        moat_status (*write_to)(const moat_co *, int))
{
    int fd = memfd_create("moat-report", MFD_CLOEXEC);

    if (fd < 0)
        return -1;
    if (write_to(co, fd) == MOAT_OK && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

static char *read_whole(int fd)
{
    struct stat file;
    char *text;

    if (fstat(fd, &file) != 0)
        return NULL;
    text = calloc(1, (size_t)file.st_size + 1);
    if (text != NULL && read(fd, text, (size_t)file.st_size) == file.st_size)
        return text;
    free(text);
    return NULL;
}

char *report_text(const moat_co *co)
{
    int fd = write_report(co, moat_co_print_report);
    char *text;

    if (fd < 0)
        return NULL;
    text = read_whole(fd);
    close(fd);
    return text;
}

json_t *report_json(const moat_co *co)
{
    int fd = write_report(co, moat_co_write_json);
    json_t *object;

    if (fd < 0)
        return NULL;
    object = json_loadfd(fd, JSON_DISABLE_EOF_CHECK, NULL);
    close(fd);
    return object;
}
