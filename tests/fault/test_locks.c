/*
 * test_locks.c: guests that die inside a function of the C library that holds a
 * lock. The lock is found and named, and reported without taking it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#if UNDER_ASAN || UNDER_TSAN
#    define SKIP "the sanitizer replaces the C library's functions"
#else
#    define SKIP NULL
#endif

/* Opaque to the compiler. */
static void *volatile bad = (void *)0x10, *volatile unmapped = (void *)0x100010;
static FILE *volatile stream;

/* A compiler may remove a malloc whose block is unused. */
static inline void *allocate(size_t bytes)
{
    void *block = malloc(bytes);

    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

static void write_null_here(void)
{
    write_null();
}

/* ---- A second thread: glibc skips most locks without one ----------------- */

static int question[2], answer[2]; /* pipes */
static pid_t helper;

static void *allocate_when_asked(void *arg)
{
    char word = 0;

    helper = gettid();
    (void)!write(answer[1], &word, 1);
    while (read(question[0], &word, 1) == 1) {
        free(allocate(5000));
        (void)!write(answer[1], &word, 1);
    }
    return arg;
}

static void start_helper(void)
{
    pthread_t thread;
    char word;

    /* Otherwise the thread would have a heap of its own. */
    REQUIRE(mallopt(M_ARENA_MAX, 1) == 1);
    REQUIRE(pipe(question) == 0 && pipe(answer) == 0);
    REQUIRE(pthread_create(&thread, NULL, allocate_when_asked, NULL) == 0);
    REQUIRE(read(answer[0], &word, 1) == 1);
}

/* ---- The crimes ---- */

static void free_nothing(void)
{
    free(unmapped);
}

static void free_twice(void)
{
    char *first = allocate(5000), *wall = allocate(5000);
    char *volatile again = first;

    free(first);
    free(again);
    free(wall);
}

static void realloc_nothing(void)
{
    bad = realloc(unmapped, 100);
}

static void read_to_nowhere(void)
{
    (void)!fread(bad, 1, 100, stream);
}

static void get_line_to_nowhere(void)
{
    (void)!fgets(bad, 100, stream);
}

static void print_nothing(void)
{
    fprintf(stream, "%d%s", 1, (char *)bad);
}

static void print_list(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    (void)vfprintf(stream, format, list);
    va_end(list);
}

static void print_nothing_by_list(void)
{
    print_list("%d%s", 1, (char *)bad);
}

static void flush_nothing(void)
{
    (void)fflush(bad);
}

static void open_in_no_mode(void)
{
    stream = fopen("/dev/null", bad);
}

static void tell_time_to_nowhere(void)
{
    time_t now = 0;

    (void)localtime_r(&now, bad);
}

static void make_time_of_nothing(void)
{
    (void)mktime(bad);
}

static void find_group_of_no_name(void)
{
    (void)getgrnam(bad);
}

static void log_as_nobody(void)
{
    openlog(bad, 0, LOG_USER);
    syslog(LOG_DEBUG, "%d", 1);
}

static void set_random_state_nowhere(void)
{
    (void)setstate(bad);
}

static void look_up_in_nothing(void)
{
    (void)dlsym(unmapped, "x");
}

static int fault_for_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)info;
    (void)size;
    (void)arg;
    write_null();
    return 0;
}

static void fault_among_objects(void)
{
    (void)dl_iterate_phdr(fault_for_object, NULL);
}

static void set_locale_of_no_name(void)
{
    (void)setlocale(LC_ALL, bad);
}

static void set_variable_to_nothing(void)
{
    (void)setenv("MOAT_TEST_LOCKS", bad, 1);
}

static void fault_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, write_null_here);
}

static void match_nothing(void)
{
    regex_t pattern;

    REQUIRE(regcomp(&pattern, "a*b", 0) == 0);
    (void)regexec(&pattern, bad, 0, NULL, 0);
    regfree(&pattern);
}

static void call_by_pointer(void)
{
    int (*volatile print)(FILE *, const char *, va_list) = vfprintf;
    va_list none;

    memset(&none, 0, sizeof none);
    (void)print(stream, bad, none);
}

struct crime {
    void (*commit)(void);
    const char *function; /* NULL: no lock is held */
};

static void *commit(moat_co *self, void *input)
{
    const struct crime *crime = input;

    (void)self;
    crime->commit();
    return input;
}

/* ---- The verdict ---- */

/* Returns the text that `write` writes, using neither the heap nor a FILE. */
static const char *text_of(moat_status (*write)(const moat_co *, int),
                           const moat_co *co)
{
    static char text[1 << 16];
    int fd = memfd_create("report", MFD_CLOEXEC);
    ssize_t got;

    EXPECT_EQ(write(co, fd), MOAT_OK);
    got = pread(fd, text, sizeof text - 1, 0);
    REQUIRE(got > 0);
    text[got] = '\0';
    (void)close(fd);
    return text;
}

static const char *line(const char *before, const char *name, const char *after)
{
    static char text[128];

    (void)snprintf(text, sizeof text, "%s%s%s", before, name, after);
    return text;
}

static void expect_named(const moat_co *co, const char *function)
{
    const char *found = "";

    EXPECT(moat_co_is_poisoned(co));
    EXPECT_EQ(moat_co_lock_function(co, &found), MOAT_OK);
    REQUIRE(found != NULL);
    EXPECT_STR(found, function);
    EXPECT(strstr(text_of(moat_co_print_report, co),
                  line("  lock     that of ", function, " may still be held")));
    EXPECT(
        strstr(text_of(moat_co_write_json, co),
               line("\"poisoned\":true,\"lock_function\":\"", function, "\"")));
}

static void expect_clean(const moat_co *co)
{
    const char *found = "";

    EXPECT(!moat_co_is_poisoned(co));
    EXPECT_EQ(moat_co_lock_function(co, &found), MOAT_OK);
    EXPECT(found == NULL);
    EXPECT(strstr(text_of(moat_co_print_report, co), "  lock ") == NULL);
    EXPECT(strstr(text_of(moat_co_write_json, co), "\"poisoned\":false"));
}

static void a_crime_is_judged(const void *arg)
{
    const struct crime *crime = arg;
    moat_co *co;

    stream = fopen("/proc/self/maps", "r");
    if (crime->commit == print_nothing ||
        crime->commit == print_nothing_by_list ||
        crime->commit == call_by_pointer)
        stream = fopen("/dev/null", "w");
    REQUIRE(stream != NULL);
    start_helper();
    co = guest_create(commit);
    EXPECT_EQ(guest_resume(co, (void *)arg).kind, MOAT_EVENT_TRAP);
    if (crime->function != NULL)
        expect_named(co, crime->function);
    else
        expect_clean(co);
    /* Not destroyed, as that may allocate. */
}

/* ---- Crimes that hold no lock ---- */

static int fault_in_comparison(const void *a, const void *b)
{
    (void)a;
    (void)b;
    write_null();
    return 0;
}

static void fault_in_sort(void)
{
    int numbers[] = {3, 1, 2};

    qsort(numbers, 3, sizeof numbers[0], fault_in_comparison);
}

static void print_nothing_to_memory(void)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%d%s", 1, (char *)bad);
}

static void tell_no_time(void)
{
    (void)asctime(bad);
}

static void raise_one(void)
{
    moat_trap_raise(1);
}

/* ---- Again and again ---- */

static void a_reset_coroutine_is_judged_anew(const void *arg)
{
    static struct crime clean = {write_null_here, NULL};
    static struct crime in_free = {free_nothing, "free"};
    moat_co *co = guest_create(commit);

    (void)arg;
    for (int i = 0; i < 3; i++) {
        EXPECT(!moat_co_is_poisoned(co));
        EXPECT_EQ(guest_resume(co, &clean).kind, MOAT_EVENT_TRAP);
        EXPECT(!moat_co_is_poisoned(co));
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT_EQ(guest_resume(co, &in_free).kind, MOAT_EVENT_TRAP);
        EXPECT(moat_co_is_poisoned(co));
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static ssize_t write_for_ever(void *cookie, const char *bytes, size_t size)
{
    (void)cookie;
    (void)bytes;
    for (;;)
        __asm__ volatile("pause");
    return (ssize_t)size;
}

static void print_for_ever(void)
{
    (void)fwrite("x", 1, 1, stream);
}

struct errand {
    moat_co *inner;
    struct crime *crime;
};

static void *run_errand(moat_co *self, void *input)
{
    const struct errand *errand = input;

    (void)guest_resume(errand->inner, errand->crime);
    return guest_loop(self, input);
}

/* The guest is stopped before it has seen the event of the inner one. */
static void one_whose_resumer_is_cut_with_it_is_judged_anew(const void *arg)
{
    static struct crime clean = {write_null_here, NULL};
    static struct crime endless = {print_for_ever, "fwrite"};
    const cookie_io_functions_t functions = {.write = write_for_ever};
    struct errand errand = {NULL, &endless};
    moat_co *inner = guest_create_limited(commit, 0, 60000 * MS);
    moat_co *outer = guest_create_limited(run_errand, 0, 30 * MS);

    (void)arg;
    stream = fopencookie(NULL, "w", functions);
    REQUIRE(stream != NULL && setvbuf(stream, NULL, _IONBF, 0) == 0);
    errand.inner = inner;
    EXPECT_EQ(guest_resume(inner, &clean).kind, MOAT_EVENT_TRAP);
    EXPECT(!moat_co_is_poisoned(inner));
    EXPECT_EQ(moat_co_reset(inner), MOAT_OK);
    guest_expect_trap(outer, &errand, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(moat_co_get_state(inner), MOAT_CO_TRAPPED);
    expect_named(inner, "fwrite");
}

static void *ask_about_it(moat_co *self, void *input)
{
    const char *found;

    (void)self;
    EXPECT_EQ(moat_co_lock_function(input, &found), MOAT_E_LIMIT);
    EXPECT(moat_co_is_poisoned(input));
    return input;
}

static void
without_stack_for_the_walk_a_guest_counts_as_poisoned(const void *arg)
{
    moat_co *subject = guest_create(guest_write_null);
    moat_co *asking = guest_create_on(ask_about_it, (size_t)4 << 10);
    const char *found;

    (void)arg;
    EXPECT_EQ(moat_co_lock_function(NULL, &found), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_lock_function(subject, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_lock_function(subject, &found), MOAT_E_STATE);
    EXPECT_EQ(guest_resume(subject, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(guest_resume(asking, subject).kind, MOAT_EVENT_RETURN);
    EXPECT(!moat_co_is_poisoned(subject));
    moat_co_destroy(asking);
    moat_co_destroy(subject);
}

/* ---- Overflows that land anywhere in malloc ---- */

#define HELD     1 /* bits of the exit status */
#define POISONED 2

static volatile size_t phase;

/* Uses blocks too large for the thread's own cache. */
static __attribute__((noinline)) size_t allocate_ever_deeper(size_t depth)
{
    /* More than malloc uses, so the overflow comes here or anywhere in
     * malloc. */
    volatile char used[600];
    void *block = allocate(2000 + depth % 5 * 700);
    size_t below = depth == (size_t)-1 ? 0 : allocate_ever_deeper(depth + 1);

    used[0] = 0;
    free(block);
    return below + 1 + (size_t)used[0];
}

static void *overflow_in_phase(moat_co *self, void *input)
{
    char *used = __builtin_alloca(phase + 16);

    (void)self;
    __asm__ volatile("" : : "r"(used) : "memory");
    return allocate_ever_deeper(0) != 0 ? input : NULL;
}

/* Returns whether the helper sleeps before it has answered. It does nothing but
 * allocate. */
static bool is_asleep(void)
{
    char path[64], text[256];
    ssize_t got;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)helper);
    fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0);
    got = read(fd, text, sizeof text - 1);
    REQUIRE(got > 0);
    text[got] = '\0';
    (void)close(fd);
    return strstr(text, ") S ") != NULL;
}

static bool has_answered(void)
{
    struct pollfd ready = {.fd = answer[0], .events = POLLIN};

    return poll(&ready, 1, 1) == 1;
}

/* A helper that still sleeps in its read has not started yet, which proves
 * nothing. */
static bool lock_is_held(void)
{
    int unread = 1;

    (void)!write(question[1], "?", 1);
    for (;;) {
        if (has_answered())
            return false;
        REQUIRE(ioctl(question[0], FIONREAD, &unread) == 0);
        if (unread == 0 && is_asleep() && !has_answered())
            return true;
    }
}

static _Noreturn void overflow_once(size_t at)
{
    int null = open("/dev/null", O_WRONLY);
    int found = 0;
    moat_event event;
    moat_co *co;

    (void)alarm(120);
    phase = at;
    start_helper();
    co = guest_create_on(overflow_in_phase, (size_t)16 << 10);
    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_TRAP)
        _exit(CHILD_FAILED);
    found |= moat_co_is_poisoned(co) ? POISONED : 0;
    /* Only for some: reports read files, which takes time. */
    if (found != 0 && (moat_co_print_report(co, null) != MOAT_OK ||
                       moat_co_write_json(co, null) != MOAT_OK ||
                       moat_co_write_core(co, null) != MOAT_OK))
        _exit(CHILD_FAILED);
    found |= lock_is_held() ? HELD : 0;
    _exit(found);
}

static void each_overflow_that_keeps_mallocs_lock_is_found(const void *arg)
{
    unsigned counts[4] = {0, 0, 0, 0};

    (void)arg;
    for (size_t at = 0; at < 8192; at += 16) {
        pid_t child = fork();
        int status = 256;

        REQUIRE(child >= 0);
        if (child == 0)
            overflow_once(at);
        status = exit_status_of(child);
        expect_context("phase %zu", at);
        EXPECT(status < 4);
        counts[status & 3]++;
    }
    (void)dprintf(
        STDOUT_FILENO,
        "lock held: %u found, %u missed; free: %u taken for poisoned, %u "
        "not\n",
        counts[HELD | POISONED], counts[HELD], counts[POISONED], counts[0]);
    EXPECT_EQ(counts[HELD], 0);
    EXPECT(counts[HELD | POISONED] > 0);
    EXPECT(counts[0] > 0);
}

/* ---- The cases ---- */

#define CRIME(commit, function)                            \
    {                                                      \
#        commit, a_crime_is_judged,                        \
            &(struct crime){commit, function }, SKIP, 0, 0 \
    }

static const struct child_case cases[] = {
    CRIME(free_nothing, "free"),
    CRIME(free_twice, "free"),
    CRIME(realloc_nothing, "realloc"),
    CRIME(read_to_nowhere, "fread"),
    CRIME(get_line_to_nowhere, "fgets"),
    CRIME(print_nothing, "fprintf"),
    CRIME(print_nothing_by_list, "vfprintf"),
    CRIME(call_by_pointer, "vfprintf"),
    CRIME(flush_nothing, "fflush"),
    CRIME(open_in_no_mode, "fopen"),
    CRIME(tell_time_to_nowhere, "localtime"),
    CRIME(make_time_of_nothing, "mktime"),
    CRIME(find_group_of_no_name, "getgrnam_r"),
    CRIME(log_as_nobody, "syslog"),
    CRIME(set_random_state_nowhere, "setstate"),
    CRIME(look_up_in_nothing, "dlsym"),
    CRIME(fault_among_objects, "dl_iterate_phdr"),
    CRIME(set_locale_of_no_name, "setlocale"),
    CRIME(set_variable_to_nothing, "setenv"),
    CRIME(fault_once, "pthread_once"),
    CRIME(match_nothing, "regexec"),
    CRIME(write_null_here, NULL),
    CRIME(fault_in_sort, NULL),
    CRIME(print_nothing_to_memory, NULL),
    CRIME(tell_no_time, NULL),
    CRIME(raise_one, NULL),
    {"a_reset_coroutine_is_judged_anew", a_reset_coroutine_is_judged_anew, NULL,
     SKIP, 0, 0},
    {"one_whose_resumer_is_cut_with_it_is_judged_anew",
     one_whose_resumer_is_cut_with_it_is_judged_anew, NULL, SKIP, 0, 0},
    CHILD_CASE(without_stack_for_the_walk_a_guest_counts_as_poisoned),
    {"each_overflow_that_keeps_mallocs_lock_is_found",
     each_overflow_that_keeps_mallocs_lock_is_found, NULL, SKIP, 0, 0},
};

int main(int argc, char **argv)
{
    /* Without the thread's own cache, each malloc of a report would need the
     * lock. The variable is read once, before main. */
    if (getenv("GLIBC_TUNABLES") == NULL &&
        setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1) == 0)
        (void)execv("/proc/self/exe", argv);
    return child_cases_run("locks", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
