/*
 * producer_consumer.c: a producer and a consumer that share a buffer and switch
 * to each other when it is full and when it is empty.
 *
 * Shows: symmetric transfer between two that know each other; a producer that
 * faults, whose place another one takes while buffer and consumer stay.
 * Run: build/debug/examples/producer_consumer
 * Prints: what the consumer takes in each turn, and the record at which the
 * producer has faulted (expected/producer_consumer.txt).
 * Try: a buffer of one slot, which takes five times as many switches.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>

#include <moat/moat.h>

#define SLOTS 5

static const char *const records[] = {"ash",   "beech", "cedar", "elm", "fir",
                                      "hazel", NULL,    "larch", "oak", "pine"};
#define RECORDS (sizeof records / sizeof records[0])

static moat_co *producer, *consumer;

static struct {
    char initials[SLOTS];
    size_t count;
    size_t next; /* record */
    bool complete;
} buffer;

/* Waits until the other one has had its turn. */
static void hand_over(moat_co *self, moat_co *other)
{
    void *input;

    if (moat_co_switch_to(self, other, NULL, &input) != MOAT_OK)
        moat_trap_raise(1);
}

static void *produce(moat_co *self, void *input)
{
    while (buffer.next < RECORDS) {
        const char *record = records[buffer.next];

        if (buffer.count == SLOTS)
            hand_over(self, consumer);
        buffer.initials[buffer.count] = record[0];
        buffer.count++;
        buffer.next++;
    }
    return input;
}

static void *consume(moat_co *self, void *input)
{
    for (;;) {
        printf("taken:");
        for (size_t i = 0; i < buffer.count; i++)
            printf(" %c", buffer.initials[i]);
        printf("\n");
        buffer.count = 0;
        if (buffer.complete)
            return input;
        hand_over(self, producer);
    }
}

/* Runs the two until the producer has ended. */
static void run(void)
{
    moat_event event;

    while (moat_co_create(&producer, produce, NULL) == MOAT_OK) {
        if (moat_co_resume(producer, NULL, &event) != MOAT_OK)
            return;
        moat_co_destroy(producer);
        if (event.kind == MOAT_EVENT_RETURN)
            break;
        printf("record %zu cannot be read\n", buffer.next + 1);
        buffer.next++;
    }
    /* The consumer waits in its transfer, with the last turn to take. */
    buffer.complete = true;
    if (moat_co_resume(consumer, NULL, &event) == MOAT_OK)
        printf("the consumer is %s\n",
               moat_co_state_str(moat_co_get_state(consumer)));
}

int main(void)
{
    if (moat_co_create(&consumer, consume, NULL) != MOAT_OK)
        return 1;
    run();
    moat_co_destroy(consumer);
    return 0;
}
