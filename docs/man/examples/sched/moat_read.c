/*
 * moat_read.c: A task waits for a pipe while another one works. No read takes
 * longer than a second.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <moat/sched.h>

#define SECOND UINT64_C(1000000000)

static void *speak(void *arg)
{
    const int *pipe = arg;

    (void)moat_sleep(SECOND / 100);
    (void)moat_write(pipe[1], "hello", 5, MOAT_NO_DEADLINE);
    (void)moat_close(pipe[1]);
    return NULL;
}

static void *listen_to(void *arg)
{
    const int *pipe = arg;
    char bytes[64];
    ssize_t got;

    if (moat_task_spawn(NULL, speak, arg, NULL, NULL) != MOAT_OK)
        return NULL;
    while ((got = moat_read(pipe[0], bytes, sizeof bytes,
                            moat_now() + SECOND)) > 0)
        printf("got '%.*s'\n", (int)got, bytes);
    if (got < 0)
        perror("moat_read");
    (void)moat_close(pipe[0]);
    return got == 0 ? arg : NULL;
}

int main(void)
{
    moat_result result;
    int ends[2];

    if (pipe(ends) != 0 ||
        moat_sched_run(NULL, listen_to, ends, &result) != MOAT_OK)
        return 1;
    return result.value == NULL;
}
