/*
 * source.h: the text of a script and its directory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SOURCE_H
#define HOST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Returns why a file of this mode, which is not a regular one, is no script.
 * Such a file is never read: a FIFO or a device could block, and opening a
 * device can have effects. */
const char *source_refusal(mode_t mode);

/* A thread uses one for all of its scripts. */
struct source {
    char *buffer; /* malloc'ed; it begins with the file     */
    size_t capacity;
    size_t buffered;
    const char *text; /* the program, after a mark and a '#!' line */
    size_t bytes;
    char *folder_path; /* malloc'ed: the script's directory; NULL: none  */
    int folder;        /* that directory, once it was opened; -1: not    */
};

void source_init(struct source *source);

/* Reads a regular file. Returns NULL, or the reason of a failure. */
const char *source_read(struct source *source, const char *path);

/* Returns an O_PATH descriptor of the directory, or -1 with errno. Makes one
 * system call and calls nothing else. */
int source_folder(struct source *source);

/* Forgets the file: its text is cleared, and its directory closed. */
void source_forget(struct source *source);

/* Frees all. */
void source_close(struct source *source);

#endif
