/*
 * test_keeps.c: what the C library keeps for the process or the thread although
 * a guest's call took it must not end with the guest; nor may the host's own
 * handlers be taken for the guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <errno.h>
#include <error.h>
#include <locale.h>
#include <malloc.h>
#include <pthread.h>
#include <resolv.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>
#include <wchar.h>

#include "guests.h"

int __cxa_thread_atexit_impl(void (*fn)(void *), void *arg, void *module);
extern void *__dso_handle;

#define KIB ((size_t)1024)

/* Opaque to the compiler. */
static void *volatile bad = (void *)0x10;

/* Runs a guest to its end, which takes its heap with it. */
static void run_once(moat_entry entry, void *input)
{
    moat_co *co = guest_with(entry, QUOTA);

    EXPECT_EQ(guest_resume(co, input), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* ---- Streams without locks ----------------------------------------------- */

static void *put_unlocked(moat_co *self, void *input)
{
    (void)self;
    (void)putc_unlocked('a', (FILE *)input);
    (void)fputs_unlocked("bc", input);
    return input;
}

static void *put_wide_unlocked(moat_co *self, void *input)
{
    (void)self;
    (void)putwc_unlocked(L'a', (FILE *)input);
    return input;
}

static void a_buffer_made_for_a_guest_stays(const void *arg)
{
    FILE *file = tmpfile(), *wide = tmpfile();
    char text[8];

    (void)arg;
    REQUIRE(file != NULL && wide != NULL);
    run_once(put_unlocked, file);
    run_once(put_wide_unlocked, wide);
    EXPECT(fputs("d\n", file) >= 0);
    EXPECT(putwc(L'b', wide) == L'b');
    rewind(file);
    EXPECT_STR(fgets(text, sizeof text, file), "abcd\n");
    EXPECT_EQ(fclose(file), 0);
    EXPECT_EQ(fclose(wide), 0);
}

/* ---- The thread ---------------------------------------------------------- */

static pthread_key_t keys[100];
#define KEYS (sizeof keys / sizeof *keys)

static unsigned destroyed;

static void count_object(void *object)
{
    (void)object;
    destroyed++;
}

static void *keep_in_thread(moat_co *self, void *input)
{
    (void)self;
    for (size_t i = 0; i < KEYS; i++)
        EXPECT_EQ(pthread_setspecific(keys[i], &keys[i]), 0);
    EXPECT_EQ(__cxa_thread_atexit_impl(count_object, NULL, &__dso_handle), 0);
    return input;
}

static void *run_in_thread(void *arg)
{
    run_once(keep_in_thread, NULL);
    for (size_t i = 0; i < KEYS; i++)
        EXPECT(pthread_getspecific(keys[i]) == &keys[i]);
    return arg;
}

static void a_threads_lists_outlive_a_guest(const void *arg)
{
    pthread_t thread;

    (void)arg;
    for (size_t i = 0; i < KEYS; i++)
        REQUIRE(pthread_key_create(&keys[i], NULL) == 0);
    REQUIRE(pthread_create(&thread, NULL, run_in_thread, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(destroyed, 1);
}

/* ---- The process --------------------------------------------------------- */

static void *keep_in_process(moat_co *self, void *input)
{
    (void)self;
    EXPECT(hcreate(100) != 0);
    (void)getusershell();
    (void)utmpname("/nonexistent/utmp");
    (void)ttyname(0);
    (void)res_init();
    return input;
}

static void tables_of_the_process_outlive_a_guest(const void *arg)
{
    char key[] = "key";
    ENTRY entry = {key, NULL};

    (void)arg;
    run_once(keep_in_process, NULL);
    EXPECT(hsearch(entry, ENTER) != NULL);
    hdestroy();
    (void)getusershell();
    endusershell();
    setutent();
    (void)getutent();
    endutent();
    (void)ttyname(0);
    EXPECT_EQ(res_init(), 0);
}

static void *convert(moat_co *self, void *input)
{
    wchar_t wide[4];

    (void)self;
    EXPECT_EQ(mbstowcs(wide, "\xc3\xa4", 4), 1);
    EXPECT_STR(setlocale(LC_ALL, NULL), "C.UTF-8");
    return input;
}

static void a_locales_conversion_outlives_a_guest(const void *arg)
{
    wchar_t wide[4];

    (void)arg;
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        return; /* the machine has no such locale */
    run_once(convert, NULL);
    EXPECT_EQ(mbstowcs(wide, "\xc3\xa4", 4), 1);
}

/* ---- Streams over the guest's memory ------------------------------------- */

static void *open_text_nowhere(moat_co *self, void *input)
{
    size_t bytes;

    (void)self;
    (void)fputs("x", open_memstream(bad, &bytes));
    return input;
}

static void *protect(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(at != MAP_FAILED);
    return at;
}

static void *protect_what_streams_use(moat_co *self, void *input)
{
    char *memory = protect(4 * KIB);
    void *variables = protect(4 * KIB);

    (void)self;
    (void)fputs("x", fmemopen(memory, 4 * KIB, "w"));
    (void)fputs("x", open_memstream(variables, (size_t *)variables + 1));
    EXPECT_EQ(mprotect(memory, 4 * KIB, PROT_NONE), 0);
    EXPECT_EQ(mprotect(variables, 4 * KIB, PROT_NONE), 0);
    return input;
}

static void *write_texts(moat_co *self, void *input)
{
    char *text = NULL, *again;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);

    (void)self;
    REQUIRE(stream != NULL);
    EXPECT(fputs("one", stream) >= 0 && fflush(stream) == 0);
    EXPECT_STR(text, "one");
    EXPECT(fputs(" two", stream) >= 0 && fclose(stream) == 0);
    EXPECT_STR(text, "one two");
    EXPECT_EQ(bytes, 7);
    /* Perhaps at the same address. */
    stream = open_memstream(&again, &bytes);
    EXPECT(stream != NULL && fclose(stream) == 0);
    EXPECT_STR(again, "");
    EXPECT_STR(text, "one two");
    free(text);
    free(again);
    return input;
}

static void the_hosts_close_touches_no_guests_memory(const void *arg)
{
    moat_co *co = guest_with(open_text_nowhere, QUOTA);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    run_once(protect_what_streams_use, NULL);
    run_once(write_texts, NULL);
}

/* ---- Lines --------------------------------------------------------------- */

static void *read_long_line(moat_co *self, void *input)
{
    char *line = NULL;
    size_t room = 0;

    (void)self;
    (void)getline(&line, &room, input);
    return input;
}

static void *read_lines(moat_co *self, void *input)
{
    char *line = NULL;
    size_t room = 0;

    (void)self;
    EXPECT_EQ(getline(&line, &room, input), 2);
    EXPECT_STR(line, "a\n");
    EXPECT_EQ(getdelim(&line, &room, ';', input), 300);
    EXPECT(line[299] == ';' && line[300] == '\0' && room > 300);
    EXPECT_EQ(getline(&line, &room, input), 3);
    EXPECT_STR(line, "end");
    EXPECT_EQ(getline(&line, &room, input), -1);
    EXPECT_EQ(getline(NULL, &room, input), -1);
    free(line);
    return input;
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void a_line_is_the_guests(const void *arg)
{
    static char block[64 << 10];
    FILE *file = tmpfile();
    moat_co *co = guest_with(read_long_line, (size_t)1 << 20);
    size_t before;

    (void)arg;
    REQUIRE(file != NULL);
    memset(block, 'x', sizeof block);
    for (unsigned i = 0; i < 64; i++)
        REQUIRE(fwrite(block, sizeof block, 1, file) == 1);
    rewind(file);
    before = in_use();
    EXPECT_EQ(guest_resume(co, file), MOAT_EVENT_TRAP);
    EXPECT_EQ(guest_trap_kind(co), MOAT_TRAP_MEMORY_LIMIT);
    moat_co_destroy(co);
    EXPECT(in_use() < before + ((size_t)1 << 20));
    /* Nor is its lock held. */
    rewind(file);
    EXPECT(fprintf(file, "a\n%.299s;end", block) > 0);
    EXPECT_EQ(fflush(file), 0);
    EXPECT_EQ(ftruncate(fileno(file), 305), 0);
    rewind(file);
    run_once(read_lines, file);
    EXPECT_EQ(fclose(file), 0);
}

/* ---- Messages ------------------------------------------------------------ */

static void *complain(moat_co *self, void *input)
{
    (void)self;
    error(0, ENOENT, "%s %d", "three", 3);
    error_at_line(0, 0, NULL, 7, "%s", "four");
    return input;
}

static void error_is_the_c_librarys(const void *arg)
{
    (void)arg;
    error_one_per_line = 1;
    error_at_line(0, 0, "file", 7, "one");
    error_at_line(0, 0, "file", 7, "not printed");
    EXPECT_EQ(error_message_count, 1);
    error_at_line(0, 0, "file", 8, "two");
    run_once(complain, NULL);
    EXPECT_EQ(error_message_count, 4);
}

static void the_first_dlerror_knows_the_error(const void *arg)
{
    const char *text;

    (void)arg;
    EXPECT(dlopen("/nonexistent/library.so", RTLD_NOW) == NULL);
    (void)fflush(stderr);
    text = dlerror();
    EXPECT(text != NULL && strstr(text, "library.so") != NULL);
    EXPECT(dlopen("/nonexistent/library.so", 0) == NULL);
    text = dlerror();
    EXPECT(text != NULL && strstr(text, "mode") != NULL);
}

/* ---- Handlers of the host's ---------------------------------------------- */

static void end_process(int signo)
{
    (void)signo;
    _exit(7);
}

static void raise_again(int signo)
{
    (void)signal(signo, SIG_DFL);
    (void)raise(signo);
}

static void fault(int signo)
{
    (void)signo;
    *(volatile int *)bad = 1;
}

static void *compute(moat_co *self, void *input)
{
    (void)self;
    for (volatile unsigned i = 0;; i++)
        continue;
    return input;
}

static void *read_nothing(moat_co *self, void *input)
{
    int pipe_ends[2];

    (void)self;
    REQUIRE(pipe(pipe_ends) == 0);
    (void)fgetc(fdopen(pipe_ends[0], "r"));
    return input;
}

struct interruption {
    void (*handler)(int);
    int flags;
    moat_entry entry;
};

/* The handler comes while the guest runs. */
static void interrupt(const void *arg)
{
    const struct interruption *what = arg;
    struct sigaction action = {.sa_handler = what->handler,
                               .sa_flags = what->flags};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1};
    struct itimerspec soon = {.it_value = {0, 50000000}};
    moat_co *co = guest_with(what->entry, QUOTA);
    timer_t timer;

    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    REQUIRE(timer_settime(timer, 0, &soon, NULL) == 0);
    (void)guest_resume(co, NULL);
}

static const struct interruption exit_here = {end_process, 0, compute},
                                 exit_aside = {end_process, SA_ONSTACK,
                                               compute},
                                 exit_free = {end_process, SA_NODEFER, compute},
                                 raise_here = {raise_again, 0, compute},
                                 raise_aside = {raise_again, SA_ONSTACK,
                                                compute},
                                 fault_here = {fault, 0, read_nothing},
                                 fault_free = {fault, SA_NODEFER, read_nothing};

static const struct child_case cases[] = {
    CHILD_CASE(the_first_dlerror_knows_the_error),
    CHILD_CASE(a_buffer_made_for_a_guest_stays),
    CHILD_CASE(a_threads_lists_outlive_a_guest),
    CHILD_CASE(tables_of_the_process_outlive_a_guest),
    CHILD_CASE(a_locales_conversion_outlives_a_guest),
    CHILD_CASE(the_hosts_close_touches_no_guests_memory),
    CHILD_CASE(a_line_is_the_guests),
    CHILD_CASE(error_is_the_c_librarys),
    {"a_handlers_exit_exits", interrupt, &exit_here, NULL, 0, 7},
    {"so_does_one_on_a_stack_of_its_own", interrupt, &exit_aside, NULL, 0, 7},
    {"so_does_one_that_blocks_nothing", interrupt, &exit_free, NULL, 0, 7},
    {"a_handlers_signal_is_the_hosts", interrupt, &raise_here, NULL, SIGUSR1,
     0},
    {"so_is_one_on_a_stack_of_its_own", interrupt, &raise_aside, NULL, SIGUSR1,
     0},
    {"a_handlers_fault_in_a_call_is_the_hosts", interrupt, &fault_here, NULL,
     SIGSEGV, 0},
    {"also_if_it_blocks_nothing", interrupt, &fault_free, NULL, SIGSEGV, 0},
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.keeps", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
