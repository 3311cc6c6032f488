/*
 * replay.c: runs a fuzz target on the inputs of files and folders, instead of
 * libFuzzer's main, with any compiler.
 *
 *   fuzz_NAME FILE-OR-FOLDER...
 *
 * Files of a folder are run in the order of their names. The last line has
 * the number of inputs; none is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "target.h"

#define MAX_BYTES ((size_t)1 << 20)

static unsigned count;

static int complain(const char *path)
{
    (void)fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    return 1;
}

/* The input gets a block of its own size, so that AddressSanitizer sees a read
 * past its end. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *input = malloc(size > 0 ? size : 1);

    if (input == NULL)
        abort();
    memcpy(input, bytes, size);
    (void)LLVMFuzzerTestOneInput(input, size);
    free(input);
    count++;
}

static int run_file(const char *path)
{
    static uint8_t bytes[MAX_BYTES];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL)
        return complain(path);
    size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    run(bytes, size);
    return 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_path(const char *path);

static int run_folder(const char *path)
{
    struct dirent **entries;
    int status = 0, found = scandir(path, &entries, is_visible, alphasort);
    char name[4096];

    if (found < 0)
        return complain(path);
    for (int i = 0; i < found; i++) {
        (void)snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        status |= run_path(name);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static int run_path(const char *path)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return complain(path);
    return S_ISDIR(about.st_mode) ? run_folder(path) : run_file(path);
}

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++)
        status |= run_path(argv[i]);
    (void)printf("%u inputs\n", count);
    return count == 0 ? 2 : status;
}
