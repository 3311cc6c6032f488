/*
 * evidence.c: the report and the core file of a trapped script.
 *
 * A core file holds whatever other people's scripts left on their stacks. Only
 * the user may read it, and no other user may replace it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <moat/backtrace.h>

#include "usage.h"

/* The length of a script's name in a file name, whose limit is 255. */
#define NAME_BYTES 200

static bool refuse(const char *path, const char *why)
{
    return complain("run", "--core-dir: %s: %s", path, why);
}

static bool check(const char *path, int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || faccessat(fd, ".", W_OK, AT_EACCESS) != 0)
        return refuse(path, strerror(errno));
    if (status.st_uid != geteuid())
        return refuse(path, "belongs to another user");
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return refuse(path, "others may write to it");
    return true;
}

bool evidence_open(struct run_options *options)
{
    const char *path = options->core_dir;

    if (path == NULL)
        return true;
    options->core_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (options->core_fd < 0)
        return refuse(path, strerror(errno));
    return check(path, options->core_fd);
}

/* BASENAME.NUMBER.PID.core; the number is the script's among the arguments. */
static void name_file(const struct result *result, char *name, size_t size)
{
    const char *slash = strrchr(result->file, '/');

    snprintf(name, size, "%.*s.%zu.%ld.core", NAME_BYTES,
             slash != NULL ? slash + 1 : result->file, result->number,
             (long)getpid());
}

/* Returns NULL, or the reason of a failure. */
static const char *write_file(int folder, const char *name, const moat_co *co)
{
    int fd = openat(folder, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    moat_status status;
    const char *why;

    if (fd < 0)
        return strerrordesc_np(errno);
    status = moat_co_write_core(co, fd);
    why = explain_status(status);
    if (close(fd) != 0 && status == MOAT_OK) {
        status = MOAT_E_SYSTEM;
        why = strerrordesc_np(errno);
    }
    if (status == MOAT_OK)
        return NULL;
    /* A truncated core is useless. */
    (void)unlinkat(folder, name, 0);
    return why;
}

static void write_core(const struct run_options *options, const moat_co *co,
                       struct result *result)
{
    char name[NAME_BYTES + 56];
    const char *why;

    if (options->core_dir == NULL)
        return;
    name_file(result, name, sizeof name);
    why = write_file(options->core_fd, name, co);
    if (asprintf(&result->core, "%s/%s", options->core_dir, name) < 0)
        result->core = NULL;
    result->core_error = why;
}

static char *load_text(int fd)
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

/* Has the library write a report to a file in memory, and returns its text;
 * NULL if either fails. */
static char *report(const moat_co *co,
                    moat_status (*write_to)(const moat_co *, int))
{
    int fd = memfd_create("moat-report", MFD_CLOEXEC);
    char *loaded = NULL;

    if (fd < 0)
        return NULL;
    if (write_to(co, fd) == MOAT_OK && lseek(fd, 0, SEEK_SET) == 0)
        loaded = load_text(fd);
    close(fd);
    return loaded;
}

void evidence_take(const struct run_options *options, const moat_co *co,
                   struct result *result)
{
    write_core(options, co, result);
    result->report =
        report(co, options->json ? moat_co_write_json : moat_co_print_report);
}
