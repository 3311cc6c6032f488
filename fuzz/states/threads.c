/*
 * threads.c: another thread meets a coroutine that is not its own, and leaves
 * one behind when it ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "play.h"

struct errand {
    int other; /* HOST: none */
    int made;  /* HOST: none */
    unsigned what;
    moat_co *handle;
};

static void note_nothing(void *arg)
{
    (void)arg;
}

static void meet(int co)
{
    moat_co *handle = play.handle[co];
    moat_co_state state = play.m.co[co].state; /* RESUMING shows as RUNNING */
    bool trapped = state == MOAT_CO_TRAPPED;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_stack_info stack;
    moat_event event;
    moat_frame frame;
    size_t count;

    TARGET_CHECK(moat_co_get_state(handle) == state);
    TARGET_CHECK(moat_co_resume(handle, NULL, &event) == MOAT_E_THREAD);
    TARGET_CHECK(moat_co_cancel(handle, &event) == MOAT_E_THREAD);
    TARGET_CHECK(moat_co_reset(handle) == MOAT_E_THREAD);
    TARGET_CHECK(moat_co_defer(handle, note_nothing, NULL) == MOAT_E_THREAD);
    TARGET_CHECK(moat_co_stack_info(handle, &stack) == MOAT_E_THREAD);
    TARGET_CHECK(moat_co_backtrace(handle, &frame, 1, &count) == MOAT_E_THREAD);
    TARGET_CHECK(moat_co_print_report(handle, 1) ==
                 (trapped ? MOAT_E_THREAD : MOAT_E_STATE));
    TARGET_CHECK(moat_co_trap_info(handle, &info) ==
                 (trapped ? MOAT_OK : MOAT_E_STATE));
    TARGET_CHECK(moat_co_yield(handle, NULL) == NULL);
}

static void *orphan(moat_co *self, void *what)
{
    unsigned number = *(const unsigned *)what;

    if (number == 1)
        (void)moat_co_yield(self, NULL);
    if (number == 2)
        moat_trap_raise(3);
    return NULL;
}

static void leave_one(struct errand *errand)
{
    moat_event event;

    TARGET_CHECK(moat_co_create(&errand->handle, orphan, NULL) == MOAT_OK);
    if (errand->what == 0)
        return;
    TARGET_CHECK(moat_co_resume(errand->handle, &errand->what, &event) ==
                 MOAT_OK);
    TARGET_CHECK(event.co == errand->handle);
}

static void *run_errand(void *arg)
{
    struct errand *errand = arg;

    TARGET_CHECK(moat_co_current() == NULL);
    if (errand->other != HOST)
        meet(errand->other);
    if (errand->made != HOST)
        leave_one(errand);
    return NULL;
}

static void note_orphan(const struct errand *errand)
{
    static const moat_co_state states[4] = {MOAT_CO_FRESH, MOAT_CO_SUSPENDED,
                                            MOAT_CO_TRAPPED, MOAT_CO_DONE};
    struct model_co *made = &play.m.co[errand->made];

    play_made(errand->made, errand->handle, "", NULL);
    made->orphan = true;
    made->state = states[errand->what];
    made->trap = MOAT_TRAP_RAISED;
    made->user_code = 3;
}

bool play_thread(void)
{
    struct errand errand = {play_pick(), HOST, 0, NULL};
    pthread_t thread;

    if (input_below(&play.in, 2) == 1)
        errand.made = play_free_number();
    errand.what = input_below(&play.in, 4);
    if (pthread_create(&thread, NULL, run_errand, &errand) != 0)
        return true;
    (void)pthread_join(thread, NULL);
    if (errand.made != HOST)
        note_orphan(&errand);
    return true;
}
