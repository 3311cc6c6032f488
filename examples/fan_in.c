/*
 * fan_in.c: one task hears many, and waits for none longer than it has time.
 *
 * Sensors send readings at their own pace, each to its channel. The listener
 * selects among them: in each round it takes what comes until its deadline, and
 * then reports who has been silent. A sensor that closes its channel is not
 * listened to any more.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <moat/sched.h>

#define MS      UINT64_C(1000000)
#define ROUND   (100 * MS)
#define ROUNDS  4
#define SENSORS 3

struct sensor {
    const char *name;
    uint64_t pace;
    int readings; /* then it has a fault, or closes its channel */
    bool has_fault;
    moat_chan *chan;
    int heard; /* in this round */
};

static struct sensor sensors[SENSORS] = {
    {.name = "light", .pace = 30 * MS, .readings = 100},
    {.name = "wind", .pace = 70 * MS, .readings = 2},
    {.name = "rain", .pace = 45 * MS, .readings = 5, .has_fault = true}};

static void check(moat_status status)
{
    if (status != MOAT_OK) {
        fprintf(stderr, "%s\n", moat_status_str(status));
        exit(1);
    }
}

static int *volatile nowhere;

static void *read_sensor(void *arg)
{
    struct sensor *sensor = arg;

    for (int i = 1; i <= sensor->readings; i++) {
        check(moat_sleep(sensor->pace));
        check(moat_chan_send(sensor->chan, &i, MOAT_NO_DEADLINE));
    }
    if (sensor->has_fault)
        *nowhere = 1; /* its channel stays open, and silent */
    moat_chan_close(sensor->chan);
    return NULL;
}

/* Takes readings until the deadline. */
static void listen(uint64_t deadline)
{
    moat_select_case cases[SENSORS];
    int readings[SENSORS];
    moat_status status;
    size_t chosen;

    do {
        for (int i = 0; i < SENSORS; i++)
            cases[i] = (moat_select_case){sensors[i].chan, false, &readings[i]};
        status = moat_select(cases, SENSORS, deadline, &chosen);
        if (status == MOAT_OK) {
            sensors[chosen].heard++;
        } else if (status == MOAT_E_CLOSED) {
            printf("%s: has ended\n", sensors[chosen].name);
            moat_chan_destroy(sensors[chosen].chan);
            sensors[chosen].chan = NULL; /* a case without a channel */
        }
    } while (status != MOAT_E_TIMEOUT);
}

static void report(int round)
{
    printf("round %d:", round);
    for (int i = 0; i < SENSORS; i++) {
        if (sensors[i].heard != 0)
            printf(" %s %d", sensors[i].name, sensors[i].heard);
        else if (sensors[i].chan != NULL)
            printf(" %s silent", sensors[i].name);
        sensors[i].heard = 0;
    }
    printf("\n");
}

static void *run(void *arg)
{
    moat_group *group;

    check(moat_group_open(&group, 0));
    for (int i = 0; i < SENSORS; i++) {
        check(moat_chan_create(&sensors[i].chan, sizeof(int), 4));
        check(moat_task_spawn(group, read_sensor, &sensors[i], NULL, NULL));
    }
    for (int round = 1; round <= ROUNDS; round++) {
        listen((uint64_t)round * ROUND - MS);
        report(round);
    }
    moat_group_close(group); /* cancels those that still send */
    for (int i = 0; i < SENSORS; i++)
        moat_chan_destroy(sensors[i].chan);
    return arg;
}

int main(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.clock = MOAT_CLOCK_TEST; /* begins at 0; a wait takes no time */
    check(moat_sched_run(&options, run, NULL, NULL));
    return 0;
}
