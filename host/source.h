/*
 * source.h: a script's text and the folder it lies in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SOURCE_H
#define HOST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

struct source {
    char *buffer;     /* the file; malloc'ed                              */
    const char *text; /* where Lua begins: behind a mark or a '#!' line   */
    size_t bytes;
    int folder; /* O_PATH descriptor; -1 if it could not be opened  */
};

/* Reads a file; on failure returns why in *why. */
bool source_open(struct source *source, const char *path, const char **why);

void source_close(struct source *source);

#endif
