/*
 * core_files.c: --core-dir: a core file for each script that is trapped.
 *
 * Such a file holds what the scripts of others left on their stacks: nobody but
 * the user may read it, or put something else in its place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <moat/backtrace.h>

/* Of a script's name; a file's has 255 bytes at most. */
#define NAME_BYTES 200

static bool complain(const char *path, const char *why)
{
    fprintf(stderr, "moat: run: --core-dir: %s: %s\n", path, why);
    return false;
}

static bool check(const char *path, int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || faccessat(fd, ".", W_OK, AT_EACCESS) != 0)
        return complain(path, strerror(errno));
    if (status.st_uid != geteuid())
        return complain(path, "belongs to another user");
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return complain(path, "others may write to it");
    return true;
}

bool core_files_open(struct run_options *options)
{
    const char *path = options->core_dir;

    if (path == NULL)
        return true;
    options->core_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (options->core_fd < 0)
        return complain(path, strerror(errno));
    /* A core that is too large for the user's limit is an error of its write,
     * not the end of the command. */
    (void)signal(SIGXFSZ, SIG_IGN);
    return check(path, options->core_fd);
}

/* The script's base name, its number among the arguments, the process. */
static void name_file(const struct result *result, char *name, size_t size)
{
    const char *slash = strrchr(result->file, '/');

    snprintf(name, size, "%.*s.%zu.%ld.core", NAME_BYTES,
             slash != NULL ? slash + 1 : result->file, result->number,
             (long)getpid());
}

/* What went wrong, in words; NULL: nothing. */
static const char *write_file(int folder, const char *name, const moat_co *co)
{
    int fd = openat(folder, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    moat_status status;
    const char *why;

    if (fd < 0)
        return strerrordesc_np(errno);
    status = moat_co_write_core(co, fd);
    why = status == MOAT_E_SYSTEM ? strerrordesc_np(errno)
                                  : moat_status_str(status);
    if (close(fd) != 0 && status == MOAT_OK) {
        status = MOAT_E_SYSTEM;
        why = strerrordesc_np(errno);
    }
    if (status == MOAT_OK)
        return NULL;
    /* Half a core is of no use. */
    (void)unlinkat(folder, name, 0);
    return why;
}

void core_files_write(const struct run_options *options, const moat_co *co,
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
