/*
 * test_leftovers.c: what a stopped guest leaves open, and what a fork leaves of
 * the library's list of guests' streams.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guests.h"

/* Opaque to the compiler. */
static void *volatile bad = (void *)0x10;

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

/* ---- Descriptors --------------------------------------------------------- */

struct opened {
    int file, pair[2];
    FILE *stream;
};

static void open_all(struct opened *opened)
{
    opened->file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(opened->file >= 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, opened->pair) == 0);
    opened->stream = tmpfile();
    REQUIRE(opened->stream != NULL);
    REQUIRE(fputs("half", opened->stream) >= 0);
}

static void *open_and_fault(moat_co *self, void *input)
{
    open_all(input);
    (void)self;
    *(volatile int *)bad = 1;
    return input;
}

/* The host may use them, also after the guest's heap has ended: what the C
 * library allocated for a stream is the host's. */
static void descriptors_stay_open(const void *arg)
{
    struct opened opened = {-1, {-1, -1}, NULL};
    moat_co *co = guest_with(open_and_fault, QUOTA);
    char text[8] = "";

    (void)arg;
    EXPECT_EQ(guest_resume(co, &opened), MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    REQUIRE(opened.stream != NULL);
    EXPECT(is_open(opened.file));
    EXPECT_EQ(write(opened.pair[0], "x", 1), 1);
    EXPECT_EQ(read(opened.pair[1], text, 1), 1);
    EXPECT(fputs(" more", opened.stream) >= 0);
    rewind(opened.stream);
    EXPECT(fgets(text, sizeof text, opened.stream) != NULL);
    EXPECT(strcmp(text, "half mo") == 0);
    EXPECT_EQ(fclose(opened.stream), 0);
    EXPECT_EQ(close(opened.file), 0);
    EXPECT_EQ(close(opened.pair[0]) + close(opened.pair[1]), 0);
}

static void close_one(void *arg)
{
    (void)close((int)(intptr_t)arg);
}

static void close_stream(void *arg)
{
    (void)fclose(arg);
}

static void *open_deferred_and_fault(moat_co *self, void *input)
{
    struct opened *opened = input;

    open_all(opened);
    REQUIRE(moat_co_defer(self, close_one, (void *)(intptr_t)opened->file) ==
            MOAT_OK);
    REQUIRE(moat_co_defer(self, close_stream, opened->stream) == MOAT_OK);
    *(volatile int *)bad = 1;
    return input;
}

static void deferred_functions_close_them(const void *arg)
{
    struct opened opened = {-1, {-1, -1}, NULL};
    moat_co *co = guest_with(open_deferred_and_fault, QUOTA);
    int stream;

    (void)arg;
    EXPECT_EQ(guest_resume(co, &opened), MOAT_EVENT_TRAP);
    REQUIRE(opened.stream != NULL);
    EXPECT(!is_open(opened.file));
    EXPECT(is_open(opened.pair[0]) && is_open(opened.pair[1]));
    moat_co_destroy(co);
    /* The stream's is free again: the next one gets it, or a lower one. */
    stream = open("/dev/null", O_WRONLY | O_CLOEXEC);
    EXPECT(stream >= 0 && stream <= opened.file);
    EXPECT_EQ(close(stream), 0);
    EXPECT_EQ(close(opened.pair[0]) + close(opened.pair[1]), 0);
}

/* ---- Locales ------------------------------------------------------------- */

static locale_t kept;

/* As parsers do that must not be misled by the host's decimal point. */
static void *use_a_locale(moat_co *self, void *input)
{
    locale_t before = uselocale((locale_t)0);
    locale_t copy = duplocale(before), made;

    (void)self;
    REQUIRE(copy != (locale_t)0);
    made = newlocale(LC_NUMERIC_MASK, "C", copy);
    REQUIRE(made != (locale_t)0);
    kept = made;
    (void)uselocale(made);
    if (input != NULL)
        *(volatile int *)bad = 1;
    (void)uselocale(before);
    freelocale(made);
    return input;
}

static void stop_with_a_locale(void)
{
    moat_co *co = guest_with(use_a_locale, QUOTA);
    locale_t before = uselocale((locale_t)0);

    EXPECT_EQ(guest_resume(co, co), MOAT_EVENT_TRAP);
    EXPECT(uselocale((locale_t)0) == before);
    moat_co_destroy(co);
}

/* The thread is given one after another, each made under the one before. */
static void *use_locales_by_turns(moat_co *self, void *input)
{
    locale_t first = duplocale(LC_GLOBAL_LOCALE), second;

    (void)self;
    REQUIRE(first != (locale_t)0);
    (void)uselocale(first);
    second = duplocale(first);
    REQUIRE(second != (locale_t)0);
    (void)uselocale(second);
    freelocale(first);
    *(volatile int *)bad = 1;
    return input;
}

static void the_thread_gets_no_locale_that_was_freed(const void *arg)
{
    locale_t before = uselocale((locale_t)0);

    (void)arg;
    for (int i = 0; i < 3; i++) {
        moat_co *co = guest_with(use_locales_by_turns, QUOTA);

        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
        EXPECT(uselocale((locale_t)0) == before);
        moat_co_destroy(co);
    }
}

static void *use_locales_often(moat_co *self, void *input)
{
    for (int i = 0; i < 1000; i++)
        (void)use_a_locale(self, NULL);
    return input;
}

static void locales_of_stopped_guests_are_used_again(const void *arg)
{
    size_t used;

    (void)arg;
    for (int i = 0; i < 10; i++)
        stop_with_a_locale();
    guest_run(use_locales_often, NULL);
    used = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++)
        stop_with_a_locale();
    guest_run(use_locales_often, NULL);
    EXPECT(mallinfo2().uordblks <= used + 256);
    /* A library may have kept it in a variable. */
    EXPECT_EQ(toupper_l('a', kept), 'A');
    stop_with_a_locale();
    EXPECT_EQ(toupper_l('a', kept), 'A');
}

static void *free_what_is_shared(moat_co *self, void *input)
{
    locale_t made = duplocale((locale_t)input);

    (void)self;
    REQUIRE(made != (locale_t)0);
    made = newlocale(LC_CTYPE_MASK, "C", made);
    REQUIRE(made != (locale_t)0);
    freelocale(made);
    return input;
}

/* Neither a guest nor the host frees or changes one that was left. */
static void a_locale_that_was_left_stays(const void *arg)
{
    locale_t changed;

    (void)arg;
    stop_with_a_locale();
    guest_run(free_what_is_shared, kept);
    changed = newlocale(LC_ALL_MASK, "C", kept);
    REQUIRE(changed != (locale_t)0 && changed != kept);
    freelocale(changed);
    freelocale(kept);
    EXPECT_EQ(toupper_l('a', kept), 'A');
    guest_run(free_what_is_shared, kept);
}

static void *open_and_close_streams(moat_co *self, void *input)
{
    (void)self;
    for (int i = 0; i < 1000; i++) {
        char text[8];
        FILE *stream = fmemopen(text, sizeof text, "w");

        REQUIRE(stream != NULL && fclose(stream) == 0);
    }
    return input;
}

static void streams_need_no_more_than_at_once(const void *arg)
{
    moat_co *co = guest_with(open_and_close_streams, QUOTA);
    size_t used;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    used = mallinfo2().uordblks;
    co = guest_with(open_and_close_streams, QUOTA);
    (void)guest_resume(co, NULL);
    EXPECT(mallinfo2().uordblks <= used + 4096);
    moat_co_destroy(co);
}

/* ---- Blocks -------------------------------------------------------------- */

static void *keep_a_text(moat_co *self, void *input)
{
    *(char **)input = strdup("a text of the guest's");
    (void)self;
    *(volatile int *)bad = 1;
    return input;
}

/* The heap was made when the guest first took memory. */
static void a_heap_can_be_taken_over(const void *arg)
{
    char *text = NULL;
    moat_co *co = guest_with(keep_a_text, 0);
    moat_heap *heap;

    (void)arg;
    EXPECT_EQ(guest_resume(co, &text), MOAT_EVENT_TRAP);
    heap = moat_co_take_heap(co);
    moat_co_destroy(co);
    REQUIRE(heap != NULL && moat_heap_of(text) == heap);
    EXPECT(strcmp(text, "a text of the guest's") == 0);
    text = realloc(text, 1000);
    REQUIRE(text != NULL);
    EXPECT(moat_heap_of(text) == NULL);
    EXPECT(strcmp(text, "a text of the guest's") == 0);
    free(text);
    moat_heap_destroy(heap);
}

/* ---- Forks --------------------------------------------------------------- */

#define FORKS 100

static atomic_bool stop;

static void *lock_and_unlock(moat_co *self, void *input)
{
    for (int i = 0; i < 100; i++) {
        flockfile(input);
        funlockfile(input);
    }
    (void)self;
    return input;
}

static void *keep_locking(void *arg)
{
    FILE *stream = tmpfile();

    REQUIRE(stream != NULL);
    while (!atomic_load(&stop))
        guest_run(lock_and_unlock, stream);
    (void)fclose(stream);
    return arg;
}

/* The child has no other thread that could give back the lock of the list,
 * which fclose takes. */
static void a_forks_child_may_close_streams(const void *arg)
{
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, keep_locking, NULL) == 0);
    for (int i = 0; i < FORKS; i++) {
        FILE *stream = tmpfile();
        pid_t child;
        int status = -1;

        REQUIRE(stream != NULL);
        child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            (void)alarm(300);
            guest_run(lock_and_unlock, stream);
            _exit(fclose(stream) == 0 ? 0 : 1);
        }
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
        (void)fclose(stream);
    }
    atomic_store(&stop, true);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

static const struct child_case cases[] = {
    CHILD_CASE(descriptors_stay_open),
    CHILD_CASE(deferred_functions_close_them),
    CHILD_CASE(locales_of_stopped_guests_are_used_again),
    CHILD_CASE(a_locale_that_was_left_stays),
    CHILD_CASE(the_thread_gets_no_locale_that_was_freed),
    CHILD_CASE(streams_need_no_more_than_at_once),
    CHILD_CASE(a_heap_can_be_taken_over),
    CHILD_CASE(a_forks_child_may_close_streams),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.leftovers", cases,
                           sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
