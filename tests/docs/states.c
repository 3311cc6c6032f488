/*
 * states.c: prints the table of docs/states.md: the effect of each function on
 * a coroutine in each state. Each cell is tried in a process of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

/* Tries a call and writes its effect as the table states it. */
typedef void try_call(moat_co *co, char *cell, size_t size);

static char cell[64];
static try_call *call; /* the call that the guests below try */
static moat_co *subject;

/* ---- The calls ---- */

static void say_status(moat_status status, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", moat_status_name(status) + 5);
}

static void try_resume(moat_co *co, char *text, size_t size)
{
    moat_event event;

    say_status(moat_co_resume(co, NULL, &event), text, size);
}

static void try_resume_n(moat_co *co, char *text, size_t size)
{
    moat_event event;
    size_t done;

    say_status(moat_co_resume_n(&co, NULL, &event, 1, &done), text, size);
}

/* If the yield has an effect, control returns through another call. */
static void try_yield(moat_co *co, char *text, size_t size)
{
    (void)snprintf(text, size, "yields");
    (void)moat_co_yield(co, NULL);
    (void)snprintf(text, size, "no effect");
}

struct attempt {
    moat_co *other;
    char *text;
    size_t size;
};

/* If the switch has an effect, control returns through another call, or
 * never. */
static void *switch_over(moat_co *self, void *arg)
{
    const struct attempt *attempt = arg;
    void *input;
    moat_status status;

    say_status(MOAT_OK, attempt->text, attempt->size);
    status = moat_co_switch_to(self, attempt->other, NULL, &input);
    say_status(status, attempt->text, attempt->size);
    return NULL;
}

/* Switches to it from a guest: the running one, or else a new one. */
static void try_switch_to(moat_co *co, char *text, size_t size)
{
    struct attempt attempt = {co, text, size};
    moat_co *self = moat_co_current();
    moat_event event;

    if (self != NULL)
        (void)switch_over(self, &attempt);
    else if (moat_co_create(&self, switch_over, NULL) != MOAT_OK ||
             moat_co_resume(self, &attempt, &event) != MOAT_OK)
        abort();
}

static void try_reset(moat_co *co, char *text, size_t size)
{
    say_status(moat_co_reset(co), text, size);
}

static void try_adopt(moat_co *co, char *text, size_t size)
{
    say_status(moat_co_adopt(co), text, size);
}

/* Under a sanitizer no coroutine can be cloned that could be otherwise. */
static void try_clone(moat_co *co, char *text, size_t size)
{
    moat_co *clone = NULL;
    moat_status status = moat_co_clone(co, &clone);

    say_status(status != MOAT_E_UNSUPPORTED ? status : MOAT_OK, text, size);
    moat_co_destroy(clone);
}

static void try_cancel(moat_co *co, char *text, size_t size)
{
    moat_event event;

    say_status(moat_co_cancel(co, &event), text, size);
}

static void try_destroy(moat_co *co, char *text, size_t size)
{
    (void)snprintf(text, size, "refused"); /* debug builds end here */
    moat_co_destroy(co);
    if (co == NULL)
        (void)snprintf(text, size, "no effect");
    else if (moat_co_get_state(co) == MOAT_CO_INVALID)
        (void)snprintf(text, size, "destroyed");
}

static void try_get_state(moat_co *co, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", moat_co_state_str(moat_co_get_state(co)));
}

static void try_name(moat_co *co, char *text, size_t size)
{
    (void)snprintf(text, size, "\"%s\"", moat_co_name(co));
}

static void try_entry(moat_co *co, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", moat_co_entry(co) ? "entry" : "NULL");
}

static void try_user(moat_co *co, char *text, size_t size)
{
    (void)snprintf(text, size, "%s", moat_co_user(co) ? "user" : "NULL");
}

static void try_trap_info(moat_co *co, char *text, size_t size)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    say_status(moat_co_trap_info(co, &info), text, size);
}

static void try_describe(moat_co *co, char *text, size_t size)
{
    static moat_described_frame frames[256];
    size_t count;

    say_status(moat_co_describe(co, frames, 256, &count), text, size);
}

static void try_backtrace(moat_co *co, char *text, size_t size)
{
    static moat_frame frames[256];
    size_t count;

    say_status(moat_co_backtrace(co, frames, 256, &count), text, size);
}

static void try_print_report(moat_co *co, char *text, size_t size)
{
    say_status(moat_co_print_report(co, open("/dev/null", O_WRONLY)), text,
               size);
}

static void try_write_json(moat_co *co, char *text, size_t size)
{
    say_status(moat_co_write_json(co, open("/dev/null", O_WRONLY)), text, size);
}

static void try_format_report(moat_co *co, char *text, size_t size)
{
    static char report[1 << 16];

    say_status(moat_co_format_report(co, MOAT_REPORT_TEXT, report,
                                     sizeof report, NULL),
               text, size);
}

static void take_part(const char *bytes, size_t count, void *arg)
{
    (void)bytes;
    *(size_t *)arg += count;
}

static void try_pass_report(moat_co *co, char *text, size_t size)
{
    size_t count = 0;

    say_status(moat_co_pass_report(co, MOAT_REPORT_JSON, take_part, &count),
               text, size);
}

static void try_write_core(moat_co *co, char *text, size_t size)
{
    say_status(moat_co_write_core(co, open("/dev/null", O_WRONLY)), text, size);
}

static void try_usage(moat_co *co, char *text, size_t size)
{
    moat_usage usage = MOAT_USAGE_INIT;

    say_status(moat_co_usage(co, &usage), text, size);
}

static void try_stack_info(moat_co *co, char *text, size_t size)
{
    moat_stack_info info;

    say_status(moat_co_stack_info(co, &info), text, size);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void look_at_nothing(void *begin, void *end, void *arg)
{
    (void)begin, (void)end, (void)arg;
}

static void try_visit_roots(moat_co *co, char *text, size_t size)
{
    say_status(moat_co_visit_roots(co, look_at_nothing, NULL), text, size);
}

static void try_lock_function(moat_co *co, char *text, size_t size)
{
    const char *function;

    say_status(moat_co_lock_function(co, &function), text, size);
}

static void try_is_poisoned(moat_co *co, char *text, size_t size)
{
    (void)snprintf(text, size, "%s",
                   moat_co_is_poisoned(co) ? "true" : "false");
}

static void try_defer(moat_co *co, char *text, size_t size)
{
    say_status(moat_co_defer(co, nothing, NULL), text, size);
}

static const struct {
    const char *name;
    try_call *call;
} calls[] = {
    {"moat_co_resume", try_resume},
    {"moat_co_resume_n", try_resume_n},
    {"moat_co_yield", try_yield},
    {"moat_co_switch_to", try_switch_to},
    {"moat_co_reset", try_reset},
    {"moat_co_adopt", try_adopt},
    {"moat_co_cancel", try_cancel},
    {"moat_co_clone", try_clone},
    {"moat_co_destroy", try_destroy},
    {"moat_co_get_state", try_get_state},
    {"moat_co_name", try_name},
    {"moat_co_entry", try_entry},
    {"moat_co_user", try_user},
    {"moat_co_trap_info", try_trap_info},
    {"moat_co_lock_function", try_lock_function},
    {"moat_co_is_poisoned", try_is_poisoned},
    {"moat_co_backtrace", try_backtrace},
    {"moat_co_describe", try_describe},
    {"moat_co_print_report", try_print_report},
    {"moat_co_format_report", try_format_report},
    {"moat_co_pass_report", try_pass_report},
    {"moat_co_write_json", try_write_json},
    {"moat_co_write_core", try_write_core},
    {"moat_co_stack_info", try_stack_info},
    {"moat_co_usage", try_usage},
    {"moat_co_visit_roots", try_visit_roots},
    {"moat_co_defer", try_defer},
};

/* ---- The states ---- */

static void *yield_once(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void *return_at_once(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void *raise_1(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise(1);
}

/* Tries the call on the subject, which is this guest or its resumer. */
static void *try_here(moat_co *self, void *input)
{
    (void)self;
    call(subject, cell, sizeof cell);
    return input;
}

static moat_co *create(moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = "n";
    options.user = &options;
    /* One that a guest makes would share its stack. */
    if (call == try_clone && moat_co_current() == NULL)
        options.stack_kind = MOAT_STACK_COPIED;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        abort();
    return co;
}

static void resume(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK)
        abort();
}

static void *resume_one_that_tries(moat_co *self, void *input)
{
    (void)self;
    resume(create(try_here));
    return input;
}

static void try_on_stopped(moat_entry entry, bool started)
{
    subject = create(entry);
    if (started)
        resume(subject);
    call(subject, cell, sizeof cell);
}

static void in_fresh(void)
{
    try_on_stopped(yield_once, false);
}

static void in_running(void)
{
    subject = create(try_here);
    resume(subject);
}

static void in_resuming(void)
{
    subject = create(resume_one_that_tries);
    resume(subject);
}

static void in_suspended(void)
{
    try_on_stopped(yield_once, true);
}

static void in_done(void)
{
    try_on_stopped(return_at_once, true);
}

static void in_trapped(void)
{
    try_on_stopped(raise_1, true);
}

static void *own_it(void *arg)
{
    pthread_barrier_t *barrier = arg;

    subject = create(yield_once);
    resume(subject);
    (void)pthread_barrier_wait(barrier);
    for (;;)
        (void)pause();
    return NULL;
}

static void in_another_thread(void)
{
    static pthread_barrier_t barrier; /* outlives this call */
    pthread_t thread;

    if (pthread_barrier_init(&barrier, NULL, 2) != 0 ||
        pthread_create(&thread, NULL, own_it, &barrier) != 0)
        abort();
    (void)pthread_barrier_wait(&barrier);
    /* Attaches this thread, too. */
    (void)create(yield_once);
    call(subject, cell, sizeof cell);
}

static void *trap_it(void *arg)
{
    subject = create(raise_1);
    resume(subject);
    return arg;
}

static void in_ended_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, trap_it, NULL) != 0 ||
        pthread_join(thread, NULL) != 0)
        abort();
    (void)create(yield_once);
    call(subject, cell, sizeof cell);
}

static void on_null(void)
{
    call(NULL, cell, sizeof cell);
}

static const struct {
    const char *name;
    void (*set)(void);
} states[] = {
    {"FRESH", in_fresh},
    {"RUNNING", in_running},
    {"RESUMING", in_resuming},
    {"SUSPENDED", in_suspended},
    {"DONE", in_done},
    {"TRAPPED", in_trapped},
    {"another thread's", in_another_thread},
    {"an ended thread's", in_ended_thread},
    {"NULL", on_null},
};

/* ---- The table ---- */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int result; /* the write end of a pipe */

static void tell(int signo)
{
    (void)signo;
    (void)!write(result, cell, strlen(cell));
    _exit(0);
}

static _Noreturn void fill_in(size_t c, size_t s)
{
    /* In a debug build, a refused destroy aborts. */
    (void)signal(SIGABRT, tell);
    call = calls[c].call;
    states[s].set();
    tell(0);
    abort();
}

static void print_cell(size_t c, size_t s)
{
    char text[64] = "";
    int ends[2];
    pid_t child;

    (void)fflush(stdout);
    if (pipe(ends) != 0 || (child = fork()) < 0)
        exit(1);
    result = ends[1];
    if (child == 0)
        fill_in(c, s);
    (void)close(ends[1]);
    if (read(ends[0], text, sizeof text - 1) <= 0)
        (void)snprintf(text, sizeof text, "the process died");
    (void)close(ends[0]);
    (void)waitpid(child, NULL, 0);
    printf(" %s |", text);
}

int main(void)
{
    printf("| |");
    for (size_t s = 0; s < COUNT(states); s++)
        printf(" %s |", states[s].name);
    printf("\n|---|");
    for (size_t s = 0; s < COUNT(states); s++)
        printf("---|");
    printf("\n");
    for (size_t c = 0; c < COUNT(calls); c++) {
        printf("| `%s` |", calls[c].name);
        for (size_t s = 0; s < COUNT(states); s++)
            print_cell(c, s);
        printf("\n");
    }
    return 0;
}
