/*
 * states.c: the target `states`: operations of the public API in random order,
 * by the host and by guests, against a model of the states.
 *
 * The running coroutine, or the host, takes the next operation from the input:
 * so control flows through the coroutines as the input wants it. Before a call
 * the model predicts its status, and before a guest leaves, the event. Both are
 * compared after the call, and so is every coroutine's state.
 *
 * SPDX-License-Identifier: MIT
 */
#include "play.h"

#define MAX_DEPTH 4u /* of nested calls on one stack */
#define MAX_BATCH 3u

struct play play;

/* --- events --------------------------------------------------------------- */

/* The operation's own events are those after `before`. */
struct expectation {
    int self;
    unsigned before;
};

static struct expectation expect_events(void)
{
    int self = play.m.current;

    return (struct expectation){self, play.m.event_count[self + 1]};
}

static void check_events(const struct expectation *expected,
                         const moat_event *events, size_t count)
{
    unsigned *due = &play.m.event_count[expected->self + 1];

    TARGET_CHECK(play.m.current == expected->self);
    TARGET_CHECK(*due == expected->before + count);
    for (size_t i = 0; i < count; i++) {
        const struct model_event *event =
            &play.m
                 .events[expected->self + 1][(expected->before + i) % LOG_MAX];

        TARGET_CHECK(events[i].kind == event->kind);
        TARGET_CHECK(events[i].co == event->co);
        TARGET_CHECK(events[i].value == event->value);
    }
    *due = expected->before;
}

/* The deadline stops it before it can say so itself. */
static void foretell_deadline(int co, bool by_transfer)
{
    if (by_transfer)
        model_transfer(&play.m, co);
    else
        model_enter(&play.m, co);
    model_trap(&play.m, MOAT_TRAP_DEADLINE, 0);
}

/* --- resume, yield, transfer ---------------------------------------------- */

static bool play_resume(void)
{
    int co = play_pick();
    moat_status status = model_resumable(&play.m, co);
    struct expectation expected = expect_events();
    moat_event event;

    if (status == MOAT_OK && model_is_doomed(&play.m, co))
        foretell_deadline(co, false);
    TARGET_CHECK(moat_co_resume(play_handle(co), play_value_for(co), &event) ==
                 status);
    check_events(&expected, &event, status == MOAT_OK);
    return true;
}

/* A handle in the array of a batch must not become another coroutine's. */
static void pin(const int *numbers, unsigned count, unsigned by)
{
    for (unsigned i = 0; i < count; i++) {
        if (numbers[i] != HOST)
            play.batches[numbers[i]] += by;
    }
}

static bool play_resume_many(void)
{
    unsigned count = input_below(&play.in, MAX_BATCH + 1);
    struct expectation expected = expect_events();
    moat_event events[MAX_BATCH];
    moat_co *cos[MAX_BATCH] = {NULL};
    void *inputs[MAX_BATCH] = {NULL};
    int numbers[MAX_BATCH];
    moat_status status;
    size_t done = 99;

    for (unsigned i = 0; i < count; i++) {
        numbers[i] = play_pick();
        if (numbers[i] != HOST && model_is_doomed(&play.m, numbers[i]))
            numbers[i] = HOST;
        cos[i] = play_handle(numbers[i]);
        inputs[i] = play_value_for(numbers[i]);
    }
    pin(numbers, count, 1);
    status = moat_co_resume_n(cos, inputs, events, count, &done);
    pin(numbers, count, -1u);
    TARGET_CHECK(done <= count);
    check_events(&expected, events, done);
    if (done == count)
        TARGET_CHECK(status == MOAT_OK);
    else
        TARGET_CHECK(status != MOAT_OK);
    return true;
}

static bool play_yield(void)
{
    int co = input_below(&play.in, 8) == 0 ? play_pick() : play.m.current;
    void *value = play_value_for(co);

    if (!model_may_yield(&play.m, co)) {
        TARGET_CHECK(moat_co_yield(play_handle(co), value) == NULL);
        return true;
    }
    model_leave(&play.m, MOAT_EVENT_YIELD, value);
    play_entered(co, moat_co_yield(play.handle[co], value));
    return true;
}

static bool play_switch(void)
{
    int self = input_below(&play.in, 8) == 0 ? play_pick() : play.m.current;
    int other = play_pick();
    moat_status status = model_transferable(&play.m, self, other);
    void *value = play_value_for(other), *input = NULL;

    if (status == MOAT_OK && model_is_doomed(&play.m, other))
        foretell_deadline(other, true);
    else
        play.transferring = status == MOAT_OK;
    TARGET_CHECK(moat_co_switch_to(play_handle(self), play_handle(other), value,
                                   &input) == status);
    if (status == MOAT_OK)
        play_entered(self, input);
    return true;
}

static bool play_return(void)
{
    return false;
}

/* --- cancel, reset, destroy ----------------------------------------------- */

static bool play_cancel(void)
{
    int co = play_pick();
    moat_status status = model_resumable(&play.m, co);
    struct expectation expected = expect_events();
    moat_event event;

    if (co == HOST) {
        TARGET_CHECK(moat_co_cancel(NULL, &event) == MOAT_E_INVAL);
        return true;
    }
    /* A second cancel from within cleanup code depends on the compiler. */
    if (play.m.co[co].unwinding)
        return true;
    if (status == MOAT_OK && play.m.co[co].state == MOAT_CO_FRESH) {
        model_end_fresh(&play.m, co);
        TARGET_CHECK(moat_co_cancel(play.handle[co], &event) == MOAT_OK);
        TARGET_CHECK(event.kind == MOAT_EVENT_RETURN && event.value == NULL);
        TARGET_CHECK(event.co == play.handle[co]);
        return true;
    }
    if (status == MOAT_OK)
        play.m.co[co].cancelled = true;
    TARGET_CHECK(moat_co_cancel(play_handle(co), &event) == status);
    if (status == MOAT_OK)
        play.m.co[co].cancelled = false;
    check_events(&expected, &event, status == MOAT_OK);
    return true;
}

static bool play_reset(void)
{
    int co = play_pick();
    moat_status status = model_resettable(&play.m, co);

    if (status == MOAT_OK)
        model_reset(&play.m, co);
    TARGET_CHECK(moat_co_reset(play_handle(co)) == status);
    return true;
}

static void destroy(int co)
{
    struct expectation expected = expect_events();
    struct model_co *gone = &play.m.co[co];

    /* See play_cancel. */
    if (gone->unwinding && gone->state == MOAT_CO_SUSPENDED) {
        model_reset(&play.m, co);
        TARGET_CHECK(moat_co_reset(play.handle[co]) == MOAT_OK);
    }
    gone->cancelled = true;
    moat_co_destroy(play.handle[co]);
    TARGET_CHECK(play.m.current == expected.self);
    play.m.event_count[expected.self + 1] = expected.before;
    model_destroy(&play.m, co);
}

static bool play_destroy(void)
{
    int co = play_pick();

    if (co == HOST)
        moat_co_destroy(NULL);
    else if (play.batches[co] > 0)
        return true;
    else if (model_may_destroy(&play.m, co))
        destroy(co);
#ifdef NDEBUG
    else
        moat_co_destroy(play.handle[co]); /* refused; else it aborts */
#endif
    return true;
}

/* --- deferred functions --------------------------------------------------- */

static void on_defer(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg / CO_MAX;
    int co = (int)((uintptr_t)arg % CO_MAX);
    moat_co *handle = play.handle[co];
    moat_co_state state = moat_co_get_state(handle);
    moat_event event;

    play.m.ran[play.m.ran_count++ % LOG_MAX] = number;
    TARGET_CHECK(state == MOAT_CO_DONE || state == MOAT_CO_TRAPPED);
    TARGET_CHECK(moat_co_resume(handle, NULL, &event) == MOAT_E_STATE);
    TARGET_CHECK(moat_co_reset(handle) == MOAT_E_STATE);
    TARGET_CHECK(moat_co_defer(handle, on_defer, arg) == MOAT_E_STATE);
}

static bool play_defer(void)
{
    int co = play_pick();
    moat_status status = model_deferrable(&play.m, co);
    unsigned number = ++play.serial;

    if (status == MOAT_OK && play.m.co[co].defer_count == DEFER_MAX)
        return true;
    if (status == MOAT_OK)
        play.m.co[co].defers[play.m.co[co].defer_count++] = number;
    TARGET_CHECK(moat_co_defer(play_handle(co), on_defer,
                               (void *)(uintptr_t)(number * CO_MAX +
                                                   (unsigned)co)) == status);
    return true;
}

/* --- sections and host calls ---------------------------------------------- */

static bool is_deep(void)
{
    return play.depth[play.m.current + 1] >= MAX_DEPTH;
}

static void *on_parent(void *arg)
{
    TARGET_CHECK(moat_co_current() == play_handle(play.m.current));
    play_on();
    return arg;
}

static bool play_host_call(void)
{
    int self = play.m.current;
    void *value = play_value_for(self);

    TARGET_CHECK(moat_call_on_parent(NULL, on_parent, value) == NULL);
    if (self == HOST || play.m.call_count == CALL_MAX)
        return true;
    model_open_call(&play.m);
    if (is_deep()) {
        model_close_call(&play.m);
        return true;
    }
    TARGET_CHECK(moat_call_on_parent(play.handle[self], on_parent, value) ==
                 value);
    model_close_call(&play.m);
    return true;
}

static bool play_enter(void)
{
    model_open_section(&play.m);
    moat_notrap_enter();
    return true;
}

static bool play_leave(void)
{
    model_close_section(&play.m);
    moat_notrap_leave();
    return true;
}

static void in_section(void *arg)
{
    (void)arg;
    model_open_point(&play.m);
    play_on();
}

static bool play_notrap_call(void)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    int self = play.m.current;
    unsigned depth = play.depth[self + 1];
    moat_status status;

    if (is_deep())
        return true;
    status = moat_notrap_call(in_section, NULL, &info);
    if (self == HOST) {
        TARGET_CHECK(status == MOAT_E_STATE);
        return true;
    }
    TARGET_CHECK(status == (play.recovered ? MOAT_E_FAULT : MOAT_OK));
    if (play.recovered)
        TARGET_CHECK(info.kind == play.kind &&
                     info.user_code == play.user_code);
    TARGET_CHECK(play.m.current == self);
    play.recovered = false;
    play.depth[self + 1] = depth;
    model_close_point(&play.m);
    return true;
}

/* --- queries -------------------------------------------------------------- */

static void check_trapped(int co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    TARGET_CHECK(moat_co_trap_info(play.handle[co], &info) == MOAT_OK);
    TARGET_CHECK(info.kind == play.m.co[co].trap);
    TARGET_CHECK(info.user_code == play.m.co[co].user_code);
}

static void check_walk(int co)
{
    moat_status status = model_resettable(&play.m, co), found;
    moat_stack_info stack;
    moat_frame frames[8];
    size_t count;

    found = moat_co_backtrace(play.handle[co], frames, 8, &count);
    if (found != MOAT_E_FULL || status != MOAT_OK)
        TARGET_CHECK(found == status);
    found = moat_co_stack_info(play.handle[co], &stack);
    TARGET_CHECK(found == status);
    if (found == MOAT_OK)
        TARGET_CHECK(stack.guard < stack.limit && stack.limit < stack.base &&
                     stack.used <= stack.base - stack.limit);
}

static bool play_query(void)
{
    int co = play_pick();
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    const struct model_co *model;

    if (co == HOST) {
        TARGET_CHECK(moat_co_get_state(NULL) == MOAT_CO_INVALID);
        return true;
    }
    model = &play.m.co[co];
    TARGET_CHECK(strcmp(moat_co_name(play.handle[co]), model->name) == 0);
    TARGET_CHECK(moat_co_user(play.handle[co]) == model->user);
    if (model->state == MOAT_CO_TRAPPED)
        check_trapped(co);
    else
        TARGET_CHECK(moat_co_trap_info(play.handle[co], &info) == MOAT_E_STATE);
    check_walk(co);
    return true;
}

static size_t count_live(void)
{
    size_t count = 0;

    for (int i = 0; i < CO_MAX; i++)
        count += play.m.co[i].exists;
    return count;
}

static bool play_engine(void)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    size_t released;

    TARGET_CHECK(moat_thread_attach() == MOAT_OK);
    TARGET_CHECK(moat_engine_check() == MOAT_OK);
    options.keep_free_bytes = 12345;
    TARGET_CHECK(moat_engine_init(&options) == MOAT_E_STATE);
    TARGET_CHECK(moat_engine_get_info(&info) == MOAT_OK);
    TARGET_CHECK(info.live == count_live());
    TARGET_CHECK(moat_engine_trim(0, &released) == MOAT_OK);
    if (info.live == 0 && input_below(&play.in, 8) == 0)
        TARGET_CHECK(moat_engine_shutdown() == MOAT_OK);
    else if (info.live > 0)
        TARGET_CHECK(moat_engine_shutdown() == MOAT_E_STATE);
    return true;
}

/* --- the loop ------------------------------------------------------------- */

static void check_all(void)
{
    TARGET_CHECK(moat_co_current() == play_handle(play.m.current));
    for (int i = 0; i < CO_MAX; i++)
        if (play.m.co[i].exists)
            TARGET_CHECK(moat_co_get_state(play.handle[i]) ==
                         model_state(&play.m, i));
    TARGET_CHECK(play.m.due_count == play.m.ran_count);
    TARGET_CHECK(memcmp(play.m.due, play.m.ran, sizeof play.m.due) == 0);
}

/* The operations that matter most are there more than once. */
static bool (*const operations[])(void) = {
    play_create,  play_create,      play_create_many, play_resume,
    play_resume,  play_resume,      play_resume_many, play_yield,
    play_yield,   play_switch,      play_switch,      play_return,
    play_crime,   play_crime,       play_cancel,      play_reset,
    play_destroy, play_defer,       play_host_call,   play_enter,
    play_leave,   play_notrap_call, play_query,       play_engine,
    play_thread,
};

#define OPERATIONS (sizeof operations / sizeof operations[0])

void play_on(void)
{
    unsigned *depth = &play.depth[play.m.current + 1];
    bool goes_on = true;

    ++*depth;
    while (goes_on && input_left(&play.in) > 0) {
        goes_on = operations[input_below(&play.in, OPERATIONS)]();
        check_all();
    }
    --*depth;
}

static void play_from_host(void)
{
    while (input_left(&play.in) > 0)
        play_on();
    for (int i = 0; i < CO_MAX; i++) {
        if (play.m.co[i].exists)
            destroy(i);
    }
    check_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    target_begin();
    memset(&play, 0, sizeof play);
    play.in = (struct input){data, data + size};
    play.m.current = HOST;
    play_from_host();
    TARGET_CHECK(moat_engine_get_info(&info) == MOAT_OK);
    TARGET_CHECK(info.live == 0);
    return 0;
}
