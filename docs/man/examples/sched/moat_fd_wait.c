/*
 * moat_fd_wait.c: A task waits until a timer of the system's can be read, as it
 * would wait for the descriptor of another library.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <moat/sched.h>

static void *wait_for_timer(void *arg)
{
    const int *timer = arg;
    uint64_t times = 0;

    if (moat_fd_wait(*timer, MOAT_FD_READ, MOAT_NO_DEADLINE) != MOAT_OK ||
        read(*timer, &times, sizeof times) != sizeof times)
        return NULL;
    printf("the timer has fired\n");
    return arg;
}

int main(void)
{
    struct itimerspec in_a_moment = {.it_value.tv_nsec = 1000 * 1000};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    moat_result result;

    if (timer < 0 || timerfd_settime(timer, 0, &in_a_moment, NULL) != 0 ||
        moat_sched_run(NULL, wait_for_timer, &timer, &result) != MOAT_OK)
        return 1;
    close(timer);
    return result.value == NULL;
}
