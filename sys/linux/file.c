/*
 * file.c: whole files in, whole buffers out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/refusal.h"
#include "sys/seal.h"

ssize_t moat_file_read_some(int fd, char *to, size_t size)
{
    ssize_t got;

    do
        got = read(fd, to, size);
    while (got < 0 && errno == EINTR);
    return got;
}

void moat_file_close(int fd)
{
    int error = errno;

    (void)close(fd);
    errno = error;
}

static moat_status read_file(const char *path, char *buffer, size_t size,
                             size_t *bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;

    *bytes = 0;
    if (fd < 0)
        return moat_refuse_value(MOAT_E_SYSTEM, "%s cannot be opened: %e",
                                 moat_refusal_text(path));
    while (got > 0 && *bytes < size) {
        got = moat_file_read_some(fd, buffer + *bytes, size - *bytes);
        if (got > 0)
            *bytes += (size_t)got;
    }
    moat_file_close(fd);
    return got < 0 ? moat_refuse_errno("read") : MOAT_OK;
}

moat_status moat_file_read(const char *path, char *buffer, size_t size,
                           size_t *bytes)
{
    moat_status status;

    moat_uncancellable_begin();
    status = read_file(path, buffer, size, bytes);
    moat_uncancellable_end();
    return status;
}

static moat_status write_all(int fd, const void *from, size_t count)
{
    const char *bytes = from;

    while (count > 0) {
        ssize_t written = write(fd, bytes, count);

        if (written < 0 && errno != EINTR)
            return moat_refuse_value(MOAT_E_SYSTEM,
                                     "write to descriptor %d has failed: %e",
                                     (uint64_t)fd);
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
    return MOAT_OK;
}

moat_status moat_write_all(int fd, const void *from, size_t count)
{
    moat_status status;

    moat_uncancellable_begin();
    status = write_all(fd, from, count);
    moat_uncancellable_end();
    return status;
}

/* Before the end there may be other bytes, and a write that appends goes back
 * to the end. */
bool moat_file_takes_holes(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    off_t at = lseek(fd, 0, SEEK_CUR);
    struct stat status;

    return flags >= 0 && !(flags & O_APPEND) && fstat(fd, &status) == 0 &&
           S_ISREG(status.st_mode) && at >= status.st_size;
}

moat_status moat_file_skip(int fd, size_t count)
{
    return lseek(fd, (off_t)count, SEEK_CUR) >= 0 ? MOAT_OK
                                                  : moat_refuse_errno("lseek");
}

moat_status moat_file_set_end(int fd)
{
    off_t at = lseek(fd, 0, SEEK_CUR);

    return at >= 0 && ftruncate(fd, at) == 0 ? MOAT_OK
                                             : moat_refuse_errno("ftruncate");
}
