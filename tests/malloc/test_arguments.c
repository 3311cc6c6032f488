/*
 * test_arguments.c: arguments that must be looked at before the C library takes
 * a lock: handles of the dynamic linker, the log's name, and NULL where a
 * function does not allow it. After each the host, and another thread, can do
 * what needs these locks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <grp.h>
#include <iconv.h>
#include <libintl.h>
#include <link.h>
#include <locale.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <wordexp.h>

#include <moat/moat.h>

#include "guests.h"

/* Opaque to the compiler. */
static void *volatile bad = (void *)0x10, *volatile none;
static long garbage[200];
static int ignored;

/* ---- What must work after everything --------------------------------------
 */

static void *use_all(void *arg)
{
    time_t now = time(NULL);
    struct tm parts;
    Dl_info info;

    EXPECT(dlsym(RTLD_DEFAULT, "getpid") != NULL);
    EXPECT(dladdr(&ignored, &info) != 0);
    EXPECT(localtime_r(&now, &parts) == &parts);
    EXPECT(getpwuid(0) != NULL);
    EXPECT(getservbyname("no such service", NULL) == NULL);
    EXPECT(setlocale(LC_ALL, NULL) != NULL);
    EXPECT_EQ(setenv("MOAT_TEST", "1", 1), 0);
    syslog(LOG_DEBUG, "%s", "text");
    (void)random();
    free(malloc(1000));
    return arg;
}

/* Most of the locks are recursive. */
static void use_all_everywhere(void)
{
    pthread_t other;

    (void)use_all(NULL);
    REQUIRE(pthread_create(&other, NULL, use_all, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
}

/* ---- The guests -----------------------------------------------------------
 */

#define CRIME(name, call)                         \
    static void *name(moat_co *self, void *input) \
    {                                             \
        (void)self;                               \
        ignored += (call) != 0;                   \
        return input;                             \
    }                                             \
    __attribute__((unused)) static const moat_entry name##_entry = name;

CRIME(find_in_bad, dlsym(bad, "x") != NULL)
CRIME(find_in_garbage, dlsym(garbage, "x") != NULL)
CRIME(find_nothing, dlsym(RTLD_DEFAULT, none) != NULL)
CRIME(close_bad, dlclose(bad))
CRIME(close_none, dlclose(none))
CRIME(close_garbage, dlclose(garbage))
CRIME(ask_bad, dlinfo(bad, RTLD_DI_LMID, &(Lmid_t){0}))
CRIME(ask_garbage, dlinfo(garbage, RTLD_DI_LMID, &(Lmid_t){0}))
CRIME(address_to_none, dladdr(&ignored, none))
CRIME(address_to_bad, dladdr1(&ignored, &(Dl_info){0}, bad, RTLD_DL_LINKMAP))
CRIME(open_in_bad_space, dlmopen(4711, "libm.so.6", RTLD_NOW) != NULL)
CRIME(find_no_user, getpwnam(none) != NULL)
CRIME(find_no_user_into, getpwnam_r(none, &(struct passwd){0}, (char[100]){0},
                                    100, &(struct passwd *){0}))
CRIME(find_no_service, getservbyname(none, "tcp") != NULL)
CRIME(find_no_host, gethostbyname(none) != NULL)
CRIME(find_no_address, getaddrinfo("127.0.0.1", NULL, NULL, none))
CRIME(no_local_time, localtime(none) != NULL)
CRIME(local_time_to_none, localtime_r(&(time_t){0}, none) != NULL)
CRIME(make_no_time, (int)mktime(none))
CRIME(set_no_value, setenv("MOAT_TEST", none, 1))
CRIME(put_no_variable, putenv(none))
CRIME(open_no_file, fopen(none, "r") != NULL)
CRIME(open_no_mode, fopen("/dev/null", none) != NULL)
CRIME(put_no_text, fputs(none, stderr))
CRIME(log_nothing, (syslog(LOG_DEBUG, none, 1), 0))
CRIME(log_text, (syslog(LOG_DEBUG, "%s", "text"), 0))

/* Whether the call fails or ends the guest is the C library's business. */
static void commit(moat_entry crime)
{
    moat_co *co = guest_with(crime, QUOTA);
    const char *lock = NULL;

    if (guest_resume(co, NULL) == MOAT_EVENT_TRAP) {
        moat_trap_kind kind = guest_trap_kind(co);

        EXPECT(kind == MOAT_TRAP_NULL || kind == MOAT_TRAP_MEMORY);
        EXPECT_EQ(moat_co_lock_function(co, &lock), MOAT_OK);
        if (!EXPECT(lock == NULL))
            (void)fprintf(stderr, "lock: %s\n", lock);
    }
    moat_co_destroy(co);
}

static void leaves_no_lock(const void *arg)
{
    const moat_entry *crime = arg;

    commit(*crime);
    use_all_everywhere();
}

/* ---- The log's name -------------------------------------------------------
 */

static void the_hosts_bad_name_of_the_log(const void *arg)
{
    moat_co *co = guest_with(log_text, QUOTA);

    (void)arg;
    openlog(bad, 0, LOG_USER);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    openlog("test", 0, LOG_USER);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    use_all_everywhere();
    /* The C library forgets it, too. */
    openlog(bad, 0, LOG_USER);
    closelog();
    use_all_everywhere();
    guest_run(log_text, NULL);
}

/* ---- The error -------------------------------------------------------------
 */

/* The first call of dlerror in the process. */
static void the_first_error_is_there(const void *arg)
{
    (void)arg;
    EXPECT(dlsym(RTLD_DEFAULT, "no such name") == NULL);
    EXPECT(dlerror() != NULL);
}

/* ---- Good handles ---------------------------------------------------------
 */

static void *use_handles(moat_co *self, void *input)
{
    void *program = dlopen(NULL, RTLD_NOW);
    void *apart = dlmopen(LM_ID_NEWLM, "libm.so.6", RTLD_NOW);
    void *library = dlopen("libm.so.6", RTLD_NOW), *map = NULL;
    Lmid_t space = -1;

    (void)self;
    REQUIRE(program != NULL && library != NULL);
    EXPECT(dlsym(program, "getpid") != NULL);
    EXPECT(dlsym(library, "cos") != NULL);
    EXPECT(dlsym(RTLD_NEXT, "getpid") != NULL);
    EXPECT(dlsym(library, "no such name") == NULL && dlerror() != NULL);
    EXPECT_EQ(dlinfo(library, RTLD_DI_LINKMAP, &map), 0);
    EXPECT(map == library);
    if (apart != NULL) { /* not with the sanitizers' libraries */
        EXPECT(dlsym(apart, "cos") != NULL);
        EXPECT_EQ(dlinfo(apart, RTLD_DI_LMID, &space), 0);
        EXPECT(space > 0);
        EXPECT_EQ(dlclose(apart), 0);
    }
    EXPECT_EQ(dlclose(library), 0);
    EXPECT_EQ(dlclose(program), 0);
    return input;
}

static void good_handles_are_known(const void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        guest_run(use_handles, NULL);
    use_all_everywhere();
}

/* ---- The host's stack ------------------------------------------------------
 */

#define LONG_BYTES ((size_t)12 << 20)

/* More than the host's stack has room for. */
static char *repeated(const char *part, size_t times)
{
    size_t bytes = strlen(part);
    char *text = malloc(bytes * times + 1);

    REQUIRE(text != NULL);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * bytes, part, bytes);
    text[bytes * times] = '\0';
    return text;
}

/* The C library copies each of these to its stack. */
static void *use_long_names(moat_co *self, void *input)
{
    const char *message = "message";

    (void)self;
    EXPECT(dlopen(input, RTLD_NOW) == NULL && dlerror() != NULL);
    EXPECT(dlmopen(LM_ID_BASE, input, RTLD_NOW) == NULL && dlerror() != NULL);
    EXPECT(dgettext(input, message) == message);
    EXPECT(dcgettext(input, message, LC_MESSAGES) == message);
    EXPECT(dngettext(input, message, "messages", 1) == message);
    EXPECT(dcngettext(input, "1", message, 2, LC_MESSAGES) == message);
    EXPECT(textdomain(input) == NULL);
    EXPECT(gettext(message) == message);
    EXPECT(bindtextdomain(input, "/tmp") == NULL);
    EXPECT(setlocale(LC_ALL, input) == NULL);
    EXPECT(newlocale(LC_ALL_MASK, input, NULL) == NULL);
    return input;
}

/* And these not, but all run there. */
static void *use_long_texts(moat_co *self, void *input)
{
    struct addrinfo *found;
    struct tm parts = {0};
    FILE *file = fopen("/dev/null", "w");
    char *text = input;

    (void)self;
    EXPECT(dlsym(RTLD_DEFAULT, text) == NULL && dlerror() != NULL);
    EXPECT(gettext(text) == text && dgettext("moat", text) == text);
    EXPECT(getaddrinfo(text, NULL, NULL, &found) != 0);
    EXPECT(getaddrinfo("127.0.0.1", text, NULL, &found) != 0);
    EXPECT(gethostbyname(text) == NULL);
    EXPECT(getservbyname(text, text) == NULL);
    EXPECT(getpwnam(text) == NULL && getgrnam(text) == NULL);
    EXPECT(iconv_open(text, "UTF-8") == (iconv_t)-1);
    EXPECT(iconv_open("UTF-8", text) == (iconv_t)-1);
    EXPECT(fopen(text, "r") == NULL && sem_open(text, 0) == SEM_FAILED);
    EXPECT(strptime(text, text, &parts) != input);
    EXPECT_EQ(strftime((char[10]){0}, 10, text, &parts), 0);
    EXPECT(system(text) != 0);
    EXPECT(setenv("TZ", text, 1) == 0 && localtime(&(time_t){0}) != NULL);
    EXPECT_EQ(unsetenv("TZ"), 0);
    EXPECT_EQ(innetgr(text, text, text, text), 0);
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    return input;
}

static void long_names_do_not_end_the_host(const void *arg)
{
    char *text = repeated("LC_CTYPE=C;", LONG_BYTES / 11);

    (void)arg;
    guest_run(use_long_names, text);
    guest_run(use_long_texts, text);
    free(text);
    EXPECT(gettext("message") != NULL);
    use_all_everywhere();
}

static char *nested_words(size_t depth)
{
    char *text = repeated("${a:-", depth), *all = malloc(6 * depth + 1);

    REQUIRE(all != NULL);
    memcpy(all, text, 5 * depth);
    memset(all + 5 * depth, '}', depth);
    all[6 * depth] = '\0';
    free(text);
    return all;
}

/* It recurses once for each brace. */
static void *expand(moat_co *self, void *input)
{
    wordexp_t words;

    (void)self;
    EXPECT_EQ(wordexp(input, &words, WRDE_NOCMD), 0);
    wordfree(&words);
    return input;
}

static void *expand_deep(void *arg)
{
    moat_co *co = guest_with(expand, QUOTA);

    EXPECT_EQ(guest_resume(co, arg), MOAT_EVENT_TRAP);
    EXPECT_EQ(guest_trap_kind(co), MOAT_TRAP_STACK_OVERFLOW);
    moat_co_destroy(co);
    return arg;
}

static void deep_words_overflow_the_guests_stack(const void *arg)
{
    char *text = nested_words(2000);
    pthread_attr_t small;
    pthread_t thread;

    (void)arg;
    guest_run(expand, (char[]){"a ${a:-$HOME} ~root ${a:-${b:-c}}"});
    REQUIRE(pthread_attr_init(&small) == 0);
    REQUIRE(pthread_attr_setstacksize(&small, (size_t)256 << 10) == 0);
    REQUIRE(pthread_create(&thread, &small, expand_deep, text) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    free(text);
    use_all_everywhere();
}

#define CRIME_CASE(name)                                 \
    {                                                    \
#        name, leaves_no_lock, &name##_entry, NULL, 0, 0 \
    }

static const struct child_case cases[] = {
    CRIME_CASE(find_in_bad),
    CRIME_CASE(find_in_garbage),
    CRIME_CASE(find_nothing),
    CRIME_CASE(close_bad),
    CRIME_CASE(close_none),
    CRIME_CASE(close_garbage),
    CRIME_CASE(ask_bad),
    CRIME_CASE(ask_garbage),
    CRIME_CASE(address_to_none),
    CRIME_CASE(address_to_bad),
    CRIME_CASE(open_in_bad_space),
    CRIME_CASE(find_no_user),
    CRIME_CASE(find_no_service),
    CRIME_CASE(find_no_user_into),
    CRIME_CASE(find_no_host),
    CRIME_CASE(find_no_address),
    CRIME_CASE(no_local_time),
    CRIME_CASE(make_no_time),
    CRIME_CASE(local_time_to_none),
    CRIME_CASE(set_no_value),
    CRIME_CASE(put_no_variable),
    CRIME_CASE(open_no_file),
    CRIME_CASE(open_no_mode),
    CRIME_CASE(put_no_text),
    CRIME_CASE(log_nothing),
    CHILD_CASE(the_hosts_bad_name_of_the_log),
    CHILD_CASE(the_first_error_is_there),
    CHILD_CASE(long_names_do_not_end_the_host),
    CHILD_CASE(deep_words_overflow_the_guests_stack),
    CHILD_CASE(good_handles_are_known),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.arguments", cases,
                           sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
