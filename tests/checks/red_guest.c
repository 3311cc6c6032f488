/*
 * red_guest.c: a guest with one planted bug. The build's sanitizer must find it
 * and end the program; it is a failure if the program succeeds. With "host" as
 * second argument, the bug is in the host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

typedef void (*bug)(void);

/* Volatile, so that the compiler cannot see the bugs. */
static volatile size_t ten = 10;
static volatile int largest = INT_MAX;
static char *volatile kept;

static void overflow(void)
{
    char *block = malloc(ten);
    if (block == NULL)
        return;
    block[ten] = 1;
    kept = block;
    free(block);
}

static void leak(void)
{
    kept = malloc(ten);
    kept = NULL;
}

static void undefined(void)
{
    largest = largest + 1;
}

static int contended;

static void *contend(void *arg)
{
    contended++;
    return arg;
}

static void race(void)
{
    pthread_t other;
    if (pthread_create(&other, NULL, contend, NULL) != 0)
        return;
    contended++;
    pthread_join(other, NULL);
}

static const struct {
    const char *name;
    bug run;
} bugs[] = {
    {"overflow", overflow},
    {"leak", leak},
    {"undefined", undefined},
    {"race", race},
};

static bug find_bug(const char *name)
{
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++)
        if (strcmp(bugs[i].name, name) == 0)
            return bugs[i].run;
    return NULL;
}

static void *guest(moat_co *self, void *input)
{
    bug run = find_bug(input);
    (void)self;
    if (run != NULL)
        run();
    return NULL;
}

static int run_in_guest(char *name)
{
    moat_co *co = NULL;
    moat_event event;
    if (moat_co_create(&co, guest, NULL) != MOAT_OK ||
        moat_co_resume(co, name, &event) != MOAT_OK)
        return 1;
    moat_co_destroy(co);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3 || find_bug(argv[1]) == NULL) {
        fprintf(stderr, "usage: %s BUG guest|host\n", argv[0]);
        return 0; /* no failure: the test that ran this must fail */
    }
    if (strcmp(argv[2], "host") == 0)
        find_bug(argv[1])();
    else if (run_in_guest(argv[1]) != 0)
        return 0;
    puts("nothing found");
    return 0;
}
