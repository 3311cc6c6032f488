/*
 * handover.c: a producer, a filter and a consumer that switch to each other.
 *
 * Shows: symmetric transfer. With plain yields the host would run between every
 * two steps and have to know which coroutine is next. Here each stage names its
 * successor, and the host runs only when the consumer yields a sum. event.co is
 * the coroutine that yielded or ended, which need not be the one resumed.
 * Run: build/debug/examples/handover
 * Prints: two sums of filtered numbers, then that the filter trapped (its third
 * divisor is 0), and the state of each stage (expected/handover.txt).
 * Try: a time limit for one stage, as in deadline.c. It counts only while that
 * stage runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>

#include <moat/moat.h>

enum { PRODUCER, FILTER, CONSUMER, STAGES };

static moat_co *stages[STAGES];
static const int divisors[] = {3, 7, 0};

/* Switches to another stage with a number. Returns the number that comes with
 * the next switch back. */
static int hand_over(moat_co *self, int to, int number)
{
    void *input = NULL;

    if (moat_co_switch_to(self, stages[to], (void *)(intptr_t)number, &input) !=
        MOAT_OK)
        moat_trap_raise(1);
    return (int)(intptr_t)input;
}

static void *produce(moat_co *self, void *input)
{
    for (int number = 1;; number++)
        (void)hand_over(self, FILTER, number);
    return input;
}

/* Drops the multiples of a divisor, which changes every ten numbers. */
static void *filter(moat_co *self, void *input)
{
    for (int number = (int)(intptr_t)input;;) {
        int divisor = divisors[(number - 1) / 10];

        number = hand_over(self, number % divisor == 0 ? PRODUCER : CONSUMER,
                           number);
    }
    return NULL;
}

/* Yields the sum of the numbers received up to each multiple of ten. */
static void *consume(moat_co *self, void *input)
{
    int number = (int)(intptr_t)input;

    for (int sum = 0;; number = hand_over(self, PRODUCER, 0)) {
        sum += number;
        if (number % 10 == 0) {
            (void)moat_co_yield(self, (void *)(intptr_t)sum);
            sum = 0;
        }
    }
    return NULL;
}

static moat_co *make(const char *name, moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = name;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        printf("no memory for the %s\n", name);
    return co;
}

int main(void)
{
    moat_event event;
    moat_co *next;

    stages[PRODUCER] = make("producer", produce);
    stages[FILTER] = make("filter", filter);
    stages[CONSUMER] = make("consumer", consume);
    next = stages[PRODUCER];
    while (moat_co_resume(next, NULL, &event) == MOAT_OK) {
        next = event.co; /* not necessarily the one that was resumed */
        if (event.kind == MOAT_EVENT_YIELD)
            printf("the %s: %d\n", moat_co_name(next),
                   (int)(intptr_t)event.value);
        else
            printf("the %s is %s\n", moat_co_name(next),
                   moat_co_state_str(moat_co_get_state(next)));
    }
    for (int i = 0; i < STAGES; i++) {
        printf("%s: %s\n", moat_co_name(stages[i]),
               moat_co_state_str(moat_co_get_state(stages[i])));
        moat_co_destroy(stages[i]);
    }
    return 0;
}
