/*
 * owner_died.c: tasks that move money between two accounts, under a mutex; one
 * of them faults between the two halves of its transfer.
 *
 * Shows: the mutex of a task that has trapped is not held for ever. The next
 * task to lock it is told, and puts right what the mutex protects.
 * Run: build/debug/examples/owner_died
 * Prints: that the third transfer has trapped, that the next one has completed
 * it, and the balances, whose sum is what it was (expected/owner_died.txt).
 * Try: no repair. The sum is 10 less.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdio.h>

#include <moat/sched.h>

#define TRANSFERS 6
#define AMOUNT    10

static struct {
    moat_mutex mutex;
    int from, to;
    int moving; /* taken from one account, and not in the other yet */
} bank = {.from = 100};

static int *volatile nowhere;

static void repair(intptr_t number)
{
    printf("transfer %d completes another\n", (int)number);
    bank.to += bank.moving;
    bank.moving = 0;
}

static void *transfer(void *arg)
{
    intptr_t number = (intptr_t)arg;
    moat_status status = moat_mutex_lock(&bank.mutex, MOAT_NO_DEADLINE);

    if (status == MOAT_E_OWNER_DIED)
        repair(number);
    else if (status != MOAT_OK)
        return arg;
    bank.from -= AMOUNT;
    bank.moving = AMOUNT;
    if (number == 3)
        *nowhere = 1;
    moat_task_yield(); /* the others wait for the mutex */
    bank.to += bank.moving;
    bank.moving = 0;
    (void)moat_mutex_unlock(&bank.mutex);
    return NULL;
}

static void *run(void *arg)
{
    moat_task *tasks[TRANSFERS];
    moat_result result;

    for (intptr_t i = 0; i < TRANSFERS; i++)
        if (moat_task_spawn(NULL, transfer, (void *)(i + 1), NULL, &tasks[i]) !=
            MOAT_OK)
            return arg;
    for (int i = 0; i < TRANSFERS; i++)
        if (moat_task_join(tasks[i], MOAT_NO_DEADLINE, &result) == MOAT_OK &&
            result.kind == MOAT_EVENT_TRAP)
            printf("transfer %d: %s\n", i + 1,
                   moat_trap_kind_str(result.trap.kind));
    return NULL;
}

int main(void)
{
    if (moat_mutex_init(&bank.mutex) != MOAT_OK ||
        moat_sched_run(NULL, run, NULL, NULL) != MOAT_OK)
        return 1;
    moat_mutex_destroy(&bank.mutex);
    printf("%d + %d = %d\n", bank.from, bank.to, bank.from + bank.to);
    return 0;
}
