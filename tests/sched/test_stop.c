/*
 * test_stop.c: a task may be stopped at any instruction of the library's: the
 * others lose nothing, and none waits for a task that is gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/steps.h"

struct play {
    moat_chan *numbers, *answers, *full;
};

static void *returns(void *arg)
{
    return arg;
}

/* Each kind of call, with and without waiting. */
static void use_all(const struct play *play)
{
    moat_select_case cases[2];
    moat_group *group = NULL;
    moat_task *task = NULL;
    moat_chan *chan = NULL;
    uint64_t number = 0, item = 4;
    moat_result result;

    (void)!moat_chan_create(&chan, 8, 1);
    (void)!moat_chan_send(chan, &item, 0);
    (void)!moat_chan_recv(chan, &number, 0);
    (void)!moat_chan_send(play->answers, &item, NEVER);
    (void)!moat_chan_recv(play->numbers, &number, NEVER);
    cases[0] = (moat_select_case){play->numbers, false, &number};
    cases[1] = (moat_select_case){play->full, true, &number};
    (void)!moat_select(cases, 2, NEVER, NULL);
    (void)!moat_select(cases, 2, moat_now() + MS, NULL);
    (void)moat_sleep(MS);
    (void)!moat_group_open(&group, MOAT_GROUP_FAIL_FAST);
    (void)!moat_task_spawn(group, returns, NULL, NULL, &task);
    (void)!moat_task_join(task, NEVER, &result);
    (void)!moat_task_spawn(group, returns, NULL, NULL, &task);
    (void)moat_task_cancel(task);
    (void)!moat_group_wait(group, NEVER, &result);
    (void)!moat_task_join(task, NEVER, &result);
    (void)moat_group_cancel(group);
    moat_group_close(group);
    moat_task_yield();
    moat_chan_close(chan);
    moat_chan_destroy(chan);
}

static void *is_stepped(void *arg)
{
    begin_steps();
    use_all(arg);
    end_steps();
    return arg;
}

static void *sends_two(void *arg)
{
    const struct play *play = arg;
    moat_status status = MOAT_OK;

    for (uint64_t i = 0; i < 4 && status == MOAT_OK; i++)
        status = send_number(play->numbers, i);
    EXPECT(status == MOAT_E_CLOSED);
    return NULL;
}

static void *answers(void *arg)
{
    const struct play *play = arg;

    while (moat_chan_recv(play->answers, NULL, NEVER) == MOAT_OK)
        ;
    return NULL;
}

static moat_result last;

static void *plays(void *arg)
{
    struct play play = {chan_of(8, 0), chan_of(8, 0), chan_of(8, 0)};
    moat_task *victim, *sender, *other;

    steps = 0;
    stopped = false;
    sender = spawn(sends_two, &play);
    other = spawn(answers, &play);
    victim = spawn(is_stepped, &play);
    last = join(victim);
    stepped = NULL;
    /* The others wait where they waited, and hear of what comes. */
    moat_chan_close(play.numbers);
    moat_chan_close(play.answers);
    EXPECT_EQ(join(sender).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(join(other).kind, MOAT_EVENT_RETURN);
    moat_chan_destroy(play.numbers);
    moat_chan_destroy(play.answers);
    moat_chan_destroy(play.full);
    return arg;
}

static void try_one(void)
{
    moat_sched_stats stats = run(plays);

    EXPECT_EQ(stats.deadlocks, 0);
    EXPECT_EQ(stats.trapped, stopped);
    EXPECT_EQ(last.kind, stopped ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
}

static void a_task_may_be_stopped_at_any_instruction(const void *arg)
{
    long count;

    (void)arg;
    prepare_steps();
    (void)run(plays);
    EXPECT_EQ(last.kind, MOAT_EVENT_RETURN);
    count = steps;
    EXPECT(count > 1000);
    (void)stop_everywhere(count, try_one);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"a_task_may_be_stopped_at_any_instruction",
         a_task_may_be_stopped_at_any_instruction, NULL, NEEDS_STEPS, 0, 0},
    };

    return child_cases_run("sched.stop", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
