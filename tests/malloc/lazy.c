/*
 * lazy.c: a program without moat, whose functions are bound late, that is run
 * with moat-malloc preloaded.
 *
 *     lazy bound   exit status 0: nothing is left to be bound
 *     lazy         exit status 0: it works
 *
 * It takes the addresses of functions that it also calls: where it is not
 * position-independent these are its own stubs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int (*volatile compare)(const char *, const char *);
static int (*volatile print)(const char *);

int main(int argc, char **argv)
{
    int (*check)(const char **);
    const char *file = NULL;
    void *found = dlsym(RTLD_DEFAULT, "moat_malloc_check");

    if (found == NULL)
        return 2;
    compare = strcmp;
    print = puts;
    memcpy(&check, &found, sizeof check);
    if (argc > 1 && check(&file) != 0) {
        (void)fprintf(stderr, "bound late: %s\n", file);
        return 1;
    }
    if (strcmp(argv[0], "nothing") == 0 || compare(argv[0], "nothing") == 0)
        return 3;
    return print("works") >= 0 && puts("too") >= 0 ? 0 : 4;
}
