/*
 * test_libc.c: a guest's calls of functions with locks of the process run on
 * the host's stack, and what a bad pointer in one leaves behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <errno.h>
#include <iconv.h>
#include <link.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include <moat/malloc.h>
#include <moat/moat.h>

#include "support/fixture.h"

/* Opaque to the compiler. */
static void *volatile bad = (void *)0x10, *volatile unmapped = (void *)0x100010;
static FILE *volatile stream;

static moat_co *create(moat_entry entry, size_t stack_bytes)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.stack_bytes = stack_bytes;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_event_kind run(moat_co *co, void *input)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event.kind;
}

static moat_trap_info trap_of(const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    return info;
}

/* ---- What must work after everything ------------------------------------- */

static void *use_all(void *arg)
{
    time_t now = time(NULL);
    struct tm parts;
    char text[64];
    FILE *file = fopen("/dev/null", "r+");

    REQUIRE(file != NULL);
    EXPECT(fprintf(file, "%d %s\n", 1, "x") > 0);
    EXPECT_EQ(fflush(NULL), 0);
    EXPECT_EQ(fclose(file), 0);
    EXPECT(dlsym(RTLD_DEFAULT, "getpid") != NULL);
    EXPECT(localtime_r(&now, &parts) == &parts);
    EXPECT(strftime(text, sizeof text, "%c", &parts) > 0);
    EXPECT(getpwuid(0) != NULL);
    EXPECT(setlocale(LC_ALL, NULL) != NULL);
    (void)random();
    free(malloc(1000));
    return arg;
}

/* In this thread and in another one: most of the locks are recursive. */
static void use_all_everywhere(void)
{
    pthread_t other;

    (void)use_all(NULL);
    REQUIRE(pthread_create(&other, NULL, use_all, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
}

/* ---- Calls with bad pointers ----------------------------------------------
 */

static int ignored;

#define CRIME(name, call)                         \
    static void *name(moat_co *self, void *input) \
    {                                             \
        (void)self;                               \
        ignored += (call) != 0;                   \
        return input;                             \
    }

CRIME(print_bad_text, fprintf(stream, "%d %s", 1, (char *)bad))
CRIME(print_bad_stream, fprintf((FILE *)bad, "%d", 1))
CRIME(print_to_stderr, fprintf(stderr, "%s", (char *)unmapped))
CRIME(print_wide, fwprintf(tmpfile(), L"%ls", (wchar_t *)bad))
CRIME(scan_to_nowhere, fscanf(stream, "%d", (int *)bad))
CRIME(scan_at_the_end, (rewind(stream), fseek(stream, 0, SEEK_END),
                        fscanf(stream, "%*d %d %9[^]x]%n", &(int){0},
                               (char[10]){0}, (int *)bad)))
CRIME(scan_wide, (fseek(stream, 0, SEEK_END),
                  fwscanf(stream, L"%ld%%%lf", &(long){0}, (double *)bad)))
CRIME(read_to_nowhere, (int)fread(bad, 1, 100, stream))
CRIME(write_from_nowhere, (int)fwrite(unmapped, 1, 100, stream))
CRIME(get_line_to_nowhere, fgets(bad, 100, stream) != NULL)
CRIME(get_line_grown, (int)getline(bad, bad, stream))
CRIME(put_bad_text, fputs(bad, stream))
CRIME(open_bad_name, fopen(bad, "r") != NULL)
CRIME(set_position, fsetpos(stream, bad))
CRIME(local_time, localtime_r(unmapped, bad) != NULL)
CRIME(local_time_out, localtime_r(&(time_t){0}, bad) != NULL)
CRIME(make_time, (int)mktime(bad))
CRIME(format_time, (int)strftime((char[9]){0}, 9, "%c", bad))
CRIME(find_user, getpwnam(bad) != NULL)
CRIME(find_user_into, getpwuid_r(0, bad, bad, 1000, bad))
CRIME(open_library, dlopen(bad, RTLD_NOW) != NULL)
CRIME(find_symbol, dlsym(RTLD_DEFAULT, bad) != NULL)
CRIME(find_address, dladdr((void *)&ignored, bad))
CRIME(set_locale, setlocale(LC_ALL, bad) != NULL)
CRIME(set_variable, setenv(bad, "x", 1))
CRIME(set_value, setenv("x", bad, 1))
CRIME(put_variable, putenv(bad))
CRIME(find_host, getaddrinfo(bad, NULL, NULL, bad))
CRIME(find_host_2, gethostbyname(bad) != NULL)
CRIME(open_conversion, iconv_open(bad, "UTF-8") != NULL)
CRIME(run_command, system(bad))
CRIME(open_pipe, popen(bad, "r") != NULL)
CRIME(log_line, (syslog(LOG_DEBUG, "%s", (char *)bad), 0))
CRIME(log_name, (openlog(bad, 0, LOG_USER), 0))

static const struct {
    const char *name;
    moat_entry crime;
} crimes[] = {
#define ENTRY(name) \
    {               \
#        name, name \
    }
    ENTRY(print_bad_text),     ENTRY(print_bad_stream),
    ENTRY(print_to_stderr),    ENTRY(print_wide),
    ENTRY(scan_to_nowhere),    ENTRY(read_to_nowhere),
    ENTRY(scan_at_the_end),    ENTRY(scan_wide),
    ENTRY(write_from_nowhere), ENTRY(get_line_to_nowhere),
    ENTRY(get_line_grown),     ENTRY(put_bad_text),
    ENTRY(open_bad_name),      ENTRY(set_position),
    ENTRY(local_time),         ENTRY(local_time_out),
    ENTRY(make_time),          ENTRY(format_time),
    ENTRY(find_user),          ENTRY(find_user_into),
    ENTRY(open_library),       ENTRY(find_symbol),
    ENTRY(find_address),       ENTRY(set_locale),
    ENTRY(set_variable),       ENTRY(set_value),
    ENTRY(put_variable),       ENTRY(find_host),
    ENTRY(find_host_2),        ENTRY(open_conversion),
    ENTRY(run_command),        ENTRY(open_pipe),
    ENTRY(log_line),           ENTRY(log_name),
};

static FILE *open_numbers(void)
{
    FILE *file = tmpfile();

    REQUIRE(file != NULL);
    for (int i = 0; i < 100; i++)
        EXPECT(fprintf(file, "%d\n", i) > 0);
    rewind(file);
    return file;
}

/* The thread itself does not wait for a lock that it holds, so another tries
 * the stream. */
static void *try_stream(void *arg)
{
    EXPECT_EQ(ftrylockfile(arg), 0);
    funlockfile(arg);
    return arg;
}

static void is_unlocked(FILE *file)
{
    pthread_t other;

    REQUIRE(pthread_create(&other, NULL, try_stream, file) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
}

static void commit(size_t i)
{
    moat_co *co = create(crimes[i].crime, 0);
    moat_trap_info info;
    const char *lock = NULL;

    expect_context("%s", crimes[i].name);
    stream = open_numbers();
    EXPECT_EQ(run(co, NULL), MOAT_EVENT_TRAP);
    info = trap_of(co);
    EXPECT(info.kind == MOAT_TRAP_NULL || info.kind == MOAT_TRAP_MEMORY);
    EXPECT_EQ(moat_co_lock_function(co, &lock), MOAT_OK);
    if (!EXPECT(lock == NULL))
        (void)fprintf(stderr, "lock: %s\n", lock);
    moat_co_destroy(co);
    is_unlocked(stream);
    is_unlocked(stderr);
    EXPECT_EQ(fclose(stream), 0);
    use_all_everywhere();
}

static void a_bad_pointer_ends_the_guest_alone(const void *arg)
{
    (void)arg;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof crimes / sizeof crimes[0]; i++)
            commit(i);
    }
}

/* glibc's list of cleanup handlers must not lead into dropped frames: a longjmp
 * runs those that it passes. */
static void a_longjmp_of_the_host_still_works(const void *arg)
{
    moat_co *co = create(print_bad_text, 0);
    static jmp_buf env;
    static volatile int jumps;

    (void)arg;
    stream = open_numbers();
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(run(co, NULL), MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        if (setjmp(env) == 0)
            longjmp(env, 1);
        jumps++;
    }
    EXPECT_EQ(jumps, 10);
    moat_co_destroy(co);
}

/* ---- The same results as without the library ------------------------------
 */

static void *write_and_read(moat_co *self, void *input)
{
    char text[64], *line = NULL;
    size_t room = 0;
    FILE *file = tmpfile();
    int a, b;

    REQUIRE(file != NULL);
    EXPECT_EQ(fprintf(file, "%s %d %.2f\n", "one", 2, 3.0), 11);
    EXPECT(fputs("4 5\n", file) >= 0 && fputc('x', file) == 'x');
    rewind(file);
    EXPECT(fgets(text, sizeof text, file) == text);
    EXPECT_STR(text, "one 2 3.00\n");
    EXPECT_EQ(fscanf(file, "%d %d\n", &a, &b), 2);
    EXPECT(a == 4 && b == 5);
    rewind(file);
    EXPECT_EQ(getline(&line, &room, file), 11);
    EXPECT_STR(line, "one 2 3.00\n");
    EXPECT(moat_heap_of(line) == moat_co_heap(self));
    EXPECT_EQ(getline(&line, &room, file), 4);
    EXPECT_EQ(getline(&line, &room, file), 1);
    EXPECT_EQ(getline(&line, &room, file), -1);
    EXPECT(feof(file));
    free(line);
    EXPECT_EQ(fclose(file), 0);
    return input;
}

static void *look_up(moat_co *self, void *input)
{
    time_t then = 86400;
    struct tm parts;
    char text[64];

    (void)self;
    EXPECT(gmtime_r(&then, &parts) == &parts && parts.tm_mday == 2);
    EXPECT_EQ(timegm(&parts), 86400);
    EXPECT(strftime(text, sizeof text, "%Y", &parts) == 4);
    EXPECT_STR(text, "1970");
    EXPECT_EQ(setenv("MOAT_TEST", "1", 1), 0);
    EXPECT_STR(getenv("MOAT_TEST"), "1");
    EXPECT_EQ(putenv((char[]){"MOAT_TEST=2"}), 0);
    EXPECT_STR(getenv("MOAT_TEST"), "2");
    EXPECT_STR(strerror(ENOENT), "No such file or directory");
    EXPECT(fopen("/nonexistent/file", "r") == NULL && errno == ENOENT);
    EXPECT_EQ(system("exit 3") >> 8, 3);
    return input;
}

static void results_are_the_c_librarys(const void *arg)
{
    static const moat_entry entries[] = {write_and_read, look_up};

    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        moat_co *co = create(entries[i], 0);

        EXPECT_EQ(run(co, NULL), MOAT_EVENT_RETURN);
        moat_co_destroy(co);
    }
    EXPECT_STR(getenv("MOAT_TEST"), "2");
}

/* ---- Stacks ----------------------------------------------------------------
 */

static void *print_a_long_number(moat_co *self, void *input)
{
    (void)self;
    EXPECT(fprintf(stream, "%.15000f", 1.0) == 15002);
    return input;
}

static void *print_long_numbers(moat_co *self, void *input)
{
    (void)self;
    EXPECT(fprintf(stream, "%.1000f", 1.0) == 1002);
    EXPECT(fprintf(stream, "%Lf", 1e4000L) > 4000);
    EXPECT(fprintf(stream, "%.*d %20000s %.20000g", 3000, 1, "x", 0.5) > 23000);
    return input;
}

/* glibc needs 75,000 bytes of stack for the first. They are the host's, but the
 * guest must have as many. */
static void a_long_number_takes_the_guests_stack(const void *arg)
{
    moat_co *co = create(print_a_long_number, 65536);

    (void)arg;
    stream = fopen("/dev/null", "w");
    REQUIRE(stream != NULL);
    EXPECT_EQ(run(co, NULL), MOAT_EVENT_TRAP);
    EXPECT_EQ(trap_of(co).kind, MOAT_TRAP_STACK_OVERFLOW);
    EXPECT(!trap_of(co).in_host_call);
    is_unlocked(stream);
    moat_co_destroy(co);
    co = create(print_a_long_number, 131072);
    EXPECT_EQ(run(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    co = create(print_long_numbers, 16384);
    EXPECT_EQ(run(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* Three numbers of 200 million digits, each by another way, then one of as many
 * as 64 KiB of stack do not hold. None: such a number of arguments. */
static void *print_what_is_asked(moat_co *self, void *input)
{
    static const wchar_t wide[] = L"%.*f";
    const int many = 200000000;

    (void)self;
    switch (*(int *)input) {
    case 0:
        EXPECT(fprintf(stream, "%.200000000f", 1.0) < 0);
        break;
    case 1:
        EXPECT(fwprintf(stream, wide, many, 1.0) < 0);
        break;
    case 2:
        EXPECT(fprintf(stream, "%1$d %4$.*2$Lf %3$s", 1, many, "x", 1.0L) < 0);
        break;
    case 3:
        EXPECT(fprintf(stream, "%2$.*1$e", 15000, 1.0) < 0);
        break;
    default:
        EXPECT_EQ(fprintf(stream, "%2$.*1$f %3$*1$ld %4$s", 2, 0.5, 7L, "x"),
                  4 + 1 + 2 + 1 + 1);
        errno = 0;
        EXPECT_EQ(fprintf(stream, "%20000000$d", 1), -1);
        EXPECT_EQ(errno, EINVAL);
        break;
    }
    return input;
}

/* The C library takes a gigabyte for the first three: the host's. */
static void a_long_number_takes_the_guests_memory(const void *arg)
{
    static const moat_trap_kind kinds[] = {
        MOAT_TRAP_MEMORY_LIMIT, MOAT_TRAP_MEMORY_LIMIT, MOAT_TRAP_MEMORY_LIMIT,
        MOAT_TRAP_STACK_OVERFLOW, MOAT_TRAP_NONE};

    (void)arg;
    for (int i = 0; i < 5; i++) {
        moat_co *co = create(print_what_is_asked, 65536);

        expect_context("case %d", i);
        stream = fopen("/dev/null", "w");
        REQUIRE(stream != NULL);
        if (kinds[i] == MOAT_TRAP_NONE) {
            EXPECT_EQ(run(co, &i), MOAT_EVENT_RETURN);
        } else {
            EXPECT_EQ(run(co, &i), MOAT_EVENT_TRAP);
            EXPECT_EQ(trap_of(co).kind, kinds[i]);
            is_unlocked(stream);
        }
        moat_co_destroy(co);
        (void)fclose(stream);
    }
}

/* Sweeps the phase: the overflow meets each call at each depth. */
static __attribute__((noinline)) int print_ever_deeper(int depth)
{
    volatile int below;

    (void)fprintf(stream, "%d %s\n", depth, "deep");
    (void)localtime(&(time_t){0});
    below = depth < 0 ? 0 : print_ever_deeper(depth + 1);
    return below + 1;
}

static void *overflow(moat_co *self, void *input)
{
    char *used = __builtin_alloca(*(size_t *)input);

    (void)self;
    __asm__ volatile("" : : "r"(used) : "memory");
    return print_ever_deeper(0) != 0 ? input : NULL;
}

static void an_overflow_lands_outside(const void *arg)
{
    moat_co *co = create(overflow, 65536);
    const char *lock;

    (void)arg;
    stream = fopen("/dev/null", "w");
    REQUIRE(stream != NULL);
    for (size_t phase = 16; phase <= 2048; phase += 16) {
        EXPECT_EQ(run(co, &phase), MOAT_EVENT_TRAP);
        EXPECT_EQ(trap_of(co).kind, MOAT_TRAP_STACK_OVERFLOW);
        EXPECT(!trap_of(co).in_host_call);
        EXPECT_EQ(moat_co_lock_function(co, &lock), MOAT_OK);
        EXPECT(lock == NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
    is_unlocked(stream);
    use_all_everywhere();
}

/* ---- Streams and locks that end with the guest ----------------------------
 */

static void *leave_stream(moat_co *self, void *input)
{
    static char memory[100];
    FILE *file = fmemopen(memory, sizeof memory, "w");

    (void)self;
    (void)input;
    REQUIRE(file != NULL);
    EXPECT(fputs("left", file) >= 0);
    flockfile(stream);
    flockfile(stream);
    ignored = *(int *)bad;
    return memory;
}

static void streams_over_its_memory_end_with_it(const void *arg)
{
    moat_co *co = create(leave_stream, 0);

    (void)arg;
    stream = open_numbers();
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(run(co, NULL), MOAT_EVENT_TRAP);
        is_unlocked(stream);
        EXPECT_EQ(fflush(NULL), 0);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
    use_all_everywhere();
}

/* ---- The dynamic linker ----------------------------------------------------
 */

static int count_files(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)info;
    (void)bytes;
    ++*(int *)arg;
    return 0;
}

static int find_me(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)bytes;
    EXPECT(moat_co_current() != NULL);
    *(const char **)arg = info->dlpi_name;
    return 7;
}

static void *list_files(moat_co *self, void *input)
{
    int count = 0;
    const char *name = NULL;

    (void)self;
    EXPECT_EQ(dl_iterate_phdr(count_files, &count), 0);
    EXPECT_EQ(count, *(int *)input);
    EXPECT_EQ(dl_iterate_phdr(find_me, &name), 7);
    EXPECT(name != NULL);
    return input;
}

static void a_callback_runs_on_the_guests_stack(const void *arg)
{
    moat_co *co = create(list_files, 0);
    int count = 0;

    (void)arg;
    EXPECT_EQ(dl_iterate_phdr(count_files, &count), 0);
    EXPECT_EQ(run(co, &count), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* RTLD_NEXT begins after the caller, which is the program and not the library:
 * the next free is the library's. */
static void the_hosts_dlsym_knows_its_caller(const void *arg)
{
    void *own = dlsym(RTLD_DEFAULT, "fprintf");
    Dl_info info;

    (void)arg;
    EXPECT(own != NULL && dlsym(RTLD_NEXT, "fprintf") == own);
    EXPECT(dladdr(own, &info) != 0);
    EXPECT(strstr(info.dli_fname, "moat-malloc") != NULL);
}

static void nothing_here_is_bound_late(const void *arg)
{
    const char *file = NULL;

    (void)arg;
    if (!EXPECT_EQ(moat_malloc_check(&file), MOAT_OK))
        (void)fprintf(stderr, "bound late: %s\n", file);
}

static const struct child_case cases[] = {
    CHILD_CASE(a_bad_pointer_ends_the_guest_alone),
    CHILD_CASE(a_longjmp_of_the_host_still_works),
    CHILD_CASE(results_are_the_c_librarys),
    CHILD_CASE(a_long_number_takes_the_guests_stack),
    CHILD_CASE(a_long_number_takes_the_guests_memory),
    CHILD_CASE(an_overflow_lands_outside),
    CHILD_CASE(streams_over_its_memory_end_with_it),
    CHILD_CASE(a_callback_runs_on_the_guests_stack),
    CHILD_CASE(the_hosts_dlsym_knows_its_caller),
    CHILD_CASE(nothing_here_is_bound_late),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.libc", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
