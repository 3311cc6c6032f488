/*
 * test_filters.c: filters of system calls that kill the process for the
 * kernel's newer calls: moat does not even try those that the host, or the
 * environment, has ruled out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

/* Debian 12's headers are older than these. */
#define GUARD_INSTALL 102
#define SCAN_REQUEST  (_IOC(_IOC_READ | _IOC_WRITE, 'f', 16, 96))

/* ---- The filters ---- */

#define NUMBER       offsetof(struct seccomp_data, nr)
#define ARGUMENT(i)  (offsetof(struct seccomp_data, args) + 8 * (i))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define SKIP_UNLESS(value, count) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))

/* A call by its number alone, and a call by its number and an argument. */
#define KILL_CALL(number) \
    LOAD(NUMBER), SKIP_UNLESS((number), 1), RETURN(SECCOMP_RET_KILL_PROCESS)
#define KILL_CALL_WITH(number, i, value)                       \
    LOAD(NUMBER), SKIP_UNLESS((number), 3), LOAD(ARGUMENT(i)), \
        SKIP_UNLESS((value), 1), RETURN(SECCOMP_RET_KILL_PROCESS)
#define KILL_PROCESS_MADVISE KILL_CALL(SYS_process_madvise)
#define KILL_SCAN            KILL_CALL_WITH(SYS_ioctl, 1, (unsigned)SCAN_REQUEST)
#define KILL_GUARDS          KILL_CALL_WITH(SYS_madvise, 2, GUARD_INSTALL)

static const struct sock_filter old_pages[] = {KILL_PROCESS_MADVISE, KILL_SCAN,
                                               RETURN(SECCOMP_RET_ALLOW)};
static const struct sock_filter old_guards[] = {KILL_GUARDS,
                                                RETURN(SECCOMP_RET_ALLOW)};
static const struct sock_filter all_old[] = {
    KILL_PROCESS_MADVISE, KILL_SCAN, KILL_GUARDS, RETURN(SECCOMP_RET_ALLOW)};
static const struct sock_filter no_batch[] = {KILL_PROCESS_MADVISE,
                                              RETURN(SECCOMP_RET_ALLOW)};
static const struct sock_filter no_scan[] = {KILL_SCAN,
                                             RETURN(SECCOMP_RET_ALLOW)};

struct scene {
    const struct sock_filter *filter;
    unsigned short count;
    uint64_t flags;
    moat_guard_kind guard;
    const char *pages_word, *guard_word; /* of the environment */
};

static void set(const char *variable, const char *word)
{
    if (word != NULL)
        REQUIRE(setenv(variable, word, 1) == 0);
    else
        REQUIRE(unsetenv(variable) == 0);
}

static void begin(const struct scene *scene)
{
    const struct sock_fprog program = {
        scene->count, (struct sock_filter *)(uintptr_t)scene->filter};

    set("MOAT_PAGES", scene->pages_word);
    set("MOAT_GUARD", scene->guard_word);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        child_leave_out("this process may not set a filter");
}

/* ---- What a host does ---- */

static void use_scrubbed(uint64_t how)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *all[80];
    size_t done = 0;

    options.flags = how;
    EXPECT_EQ(moat_co_create_n(all, guest_echo, &options, NULL, 80, &done),
              MOAT_OK);
    for (size_t i = 0; i < done; i++)
        EXPECT_EQ(guest_resume(all[i], NULL).kind, MOAT_EVENT_YIELD);
    while (done > 0)
        moat_co_destroy(all[--done]);
}

static void report(const moat_co *co)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    moat_stack_info stack;

    EXPECT_EQ(moat_co_print_report(co, fd), MOAT_OK);
    EXPECT_EQ(moat_co_write_json(co, fd), MOAT_OK);
    EXPECT_EQ(moat_co_write_core(co, fd), MOAT_OK);
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    EXPECT_EQ(close(fd), 0);
}

static void ask(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
}

static void use_moat(const struct scene *scene)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_co *co;

    options.flags = scene->flags;
    options.guard = scene->guard;
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    ask();
    co = guest_create(guest_write_null);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    report(co);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
    use_scrubbed(MOAT_CO_SCRUB_ZERO);
    use_scrubbed(MOAT_CO_SCRUB_DISCARD);
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void used_under(const void *arg)
{
    const struct scene *scene = arg;

    begin(scene);
    /* Without options get_info would say what the environment chooses. */
    if (scene->flags == 0 && scene->guard == MOAT_GUARD_AUTO)
        ask();
    use_moat(scene);
}

/* ---- A child that may not know that it is one ---- */

#define WIPED_IN_CHILDREN 18 /* MADV_WIPEONFORK */

static const struct sock_filter no_wiping[] = {
    LOAD(NUMBER),
    SKIP_UNLESS(SYS_madvise, 3),
    LOAD(ARGUMENT(2)),
    SKIP_UNLESS(WIPED_IN_CHILDREN, 1),
    RETURN(SECCOMP_RET_ERRNO | EINVAL),
    RETURN(SECCOMP_RET_ALLOW)};

/* It has no timer, whatever the words in its memory say. */
static void a_raw_child_runs_no_guest_without_its_limits(const void *arg)
{
    moat_co *echo = NULL, *loop;
    moat_event event;
    pid_t child;

    begin(arg);
    echo = guest_create_limited(guest_echo, 0, 3600000 * MS);
    loop = guest_create_limited(guest_loop, 0, 3600000 * MS);
    for (int i = 0; i < 100000; i++)
        EXPECT_EQ(guest_resume(echo, NULL).kind, MOAT_EVENT_YIELD);
    child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        (void)alarm(30);
        _exit(moat_co_resume(loop, NULL, &event) == MOAT_E_SYSTEM ? 0 : 94);
    }
    EXPECT_EQ(exit_status_of(child), 0);
    EXPECT_EQ(guest_resume(echo, NULL).kind, MOAT_EVENT_YIELD);
}

#define FILTER(program) \
    .filter = (program), .count = sizeof(program) / sizeof(program)[0]
#define SCENE(name, signo, ...)                                              \
    {                                                                        \
        name, used_under, &(const struct scene){__VA_ARGS__}, NULL, signo, 0 \
    }

static const struct child_case cases[] = {
    SCENE("what_the_options_rule_out_is_not_tried", 0, FILTER(all_old),
          .flags = MOAT_ENGINE_OLD_PAGES, .guard = MOAT_GUARD_MPROTECT),
    SCENE("what_the_environment_rules_out_is_not_tried", 0, FILTER(all_old),
          .pages_word = "old", .guard_word = "mprotect"),
    SCENE("the_pages_option_alone_rules_out_two_calls", 0, FILTER(old_pages),
          .flags = MOAT_ENGINE_OLD_PAGES),
    SCENE("the_guard_option_alone_rules_out_marks", 0, FILTER(old_guards),
          .guard = MOAT_GUARD_MPROTECT),
    SCENE("the_environments_pages_alone_rule_out_two_calls", 0,
          FILTER(old_pages), .pages_word = "old"),
    SCENE("the_environments_guard_alone_rules_out_marks", 0, FILTER(old_guards),
          .guard_word = "mprotect"),
    SCENE("without_an_option_process_madvise_is_tried", SIGSYS,
          FILTER(no_batch)),
    SCENE("without_an_option_the_scan_is_tried", SIGSYS, FILTER(no_scan)),
    SCENE("without_an_option_marks_are_tried", SIGSYS, FILTER(old_guards)),
    SCENE("the_guard_option_rules_out_no_scan", SIGSYS, FILTER(no_scan),
          .guard = MOAT_GUARD_MPROTECT),
    {"a_raw_child_runs_no_guest_without_its_limits",
     a_raw_child_runs_no_guest_without_its_limits,
     &(const struct scene){FILTER(no_wiping)}, NULL, 0, 0},
    SCENE("the_pages_option_rules_out_no_marks", SIGSYS, FILTER(old_guards),
          .flags = MOAT_ENGINE_OLD_PAGES),
};

int main(int argc, char **argv)
{
    return child_cases_run("filters", cases, sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
