/*
 * file.h: whole files in, whole buffers out; without the heap and without a
 * FILE. A cancellation of the thread waits until they are done.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_FILE_H
#define MOAT_SYS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <moat/status.h>

/* Reads a small file, as much of it as the buffer has room for. On
 * MOAT_E_SYSTEM errno has the reason. */
moat_status moat_file_read(const char *path, char *buffer, size_t size,
                           size_t *bytes);

/* Reads at least a byte; returns 0 at the end of the file, -1 on an error. */
ssize_t moat_file_read_some(int fd, char *to, size_t size);

/* Closes a descriptor and keeps errno. */
void moat_file_close(int fd);

/* Writes all of it, however the system divides it. On MOAT_E_SYSTEM errno has
 * the reason. */
moat_status moat_write_all(int fd, const void *from, size_t count);

/* Returns whether bytes that are skipped read as zeros and take no room: a
 * regular file that is written at its end, and not by appending. */
bool moat_file_takes_holes(int fd);

/* Skips bytes of such a file. The file may end there once its end has been set.
 * On MOAT_E_SYSTEM errno has the reason. */
moat_status moat_file_skip(int fd, size_t count);
moat_status moat_file_set_end(int fd);

#endif
