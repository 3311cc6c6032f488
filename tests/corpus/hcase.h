/*
 * hcase.h: the interface of a case of the corpus, for any author and any
 * runner.
 *
 * A case is one shared object (or one object file) that defines:
 *
 *   hcase_name      a short name
 *   hcase_setup     called once, on a large stack; builds the input, and
 *                   returns 0 on success
 *   hcase_run       called on the small stack under test, any number of times;
 *                   faults there, or returns 0 if the library it calls
 *                   succeeded, or a positive number if that reported an error
 *   hcase_teardown  optional: frees what the set-up built
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HCASE_H
#define HCASE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const char *hcase_name;
int hcase_setup(long n); /* n: the size of the input; 0: the default */
int hcase_run(void);
void hcase_teardown(void);

#ifdef __cplusplus
}
#endif

/* Returns `open` repeated, then `middle`, then `close` repeated, terminated;
 * NULL if there is no memory. */
static inline char *hc_nest(const char *open, size_t opens, const char *middle,
                            const char *close, size_t closes)
{
    size_t open_length = strlen(open), close_length = strlen(close);
    size_t middle_length = strlen(middle);
    char *text = (char *)malloc(open_length * opens + middle_length +
                                close_length * closes + 1);
    char *end = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < opens; i++, end += open_length)
        memcpy(end, open, open_length);
    memcpy(end, middle, middle_length);
    end += middle_length;
    for (size_t i = 0; i < closes; i++, end += close_length)
        memcpy(end, close, close_length);
    *end = '\0';
    return text;
}

/* Returns a file's contents, terminated; NULL if it cannot be read. */
static inline char *hc_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size = -1;

    if (file == NULL)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    rewind(file);
    if (size >= 0)
        text = (char *)malloc((size_t)size + 1);
    if (text != NULL) {
        size_t got = fread(text, 1, (size_t)size, file);

        text[got] = '\0';
        if (length != NULL)
            *length = got;
    }
    (void)fclose(file);
    return text;
}

#endif
