/*
 * step.c: single-steps a process through the switch and, at every instruction,
 * unwinds it to main.
 *
 *   step SCENE                    fails if a chain does not reach main
 *   step SCENE --expect-truncated fails if all do; for builds whose unwind rows
 *                                 were removed, to prove that this test works
 *   step SCENE --alone            runs the scene itself, for a debugger
 *
 * The tracer is the parent. The child is forked without exec, so both have the
 * same addresses. libunwind reads the child's registers and memory by ptrace.
 * The child sends itself a SIGSTOP before and after the stepped part.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libunwind-ptrace.h>
#include <moat/moat.h>

#include "tests/unwind/chain.h"

#define MAX_FRAMES 64
#define MAX_STEPS  200000
#define MAX_SHOWN  12
#define SKIPPED    77

void scene_switch(moat_co *co);
void scene_nested(moat_co *co);
void scene_trap(moat_co *co);
void scene_cancel(moat_co *co);
void scene_transfer(moat_co *co);
void scene_begin(void);
void scene_end(void);
void *echo_entry(moat_co *self, void *input);
void *nested_entry(moat_co *self, void *input);
void *fault_entry(moat_co *self, void *input);
void *transfer_entry(moat_co *self, void *input);
void *partner_entry(moat_co *self, void *input);
void outline_switch(moat_co *co);
void *outline_entry(moat_co *self, void *input);
void *outline_transfer_entry(moat_co *self, void *input);
void *outline_partner_entry(moat_co *self, void *input);

static int *volatile nowhere;
static bool alone;

/* --- the scenes, in the child -----------------------------------------------
 */

/* Called for debuggers' breakpoints; under the tracer, a stop. */
FRAME void scene_begin(void)
{
    if (!alone)
        raise(SIGSTOP);
    KEEP_FRAME();
}

FRAME void scene_end(void)
{
    if (!alone)
        raise(SIGSTOP);
    KEEP_FRAME();
}

/* Inlined, so that the scene itself is the resumer: a chain that loses the
 * frame that resumed then lacks the scene. */
static inline __attribute__((always_inline)) void resume(moat_co *co,
                                                         moat_event_kind kind)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK || event.kind != kind)
        _exit(1);
}

FRAME void *echo_entry(moat_co *self, void *input)
{
    input = moat_co_yield(self, input);
    return moat_co_yield(self, input);
}

/* First entry, yield, resume, yield, resume, return. */
FRAME void scene_switch(moat_co *co)
{
    scene_begin();
    resume(co, MOAT_EVENT_YIELD);
    resume(co, MOAT_EVENT_YIELD);
    resume(co, MOAT_EVENT_RETURN);
    scene_end();
    KEEP_FRAME();
}

FRAME void *nested_entry(moat_co *self, void *input)
{
    moat_co *inner = moat_co_user(self);

    resume(inner, MOAT_EVENT_YIELD);
    moat_co_yield(self, input);
    resume(inner, MOAT_EVENT_YIELD);
    resume(inner, MOAT_EVENT_RETURN);
    return NULL;
}

FRAME void scene_nested(moat_co *co)
{
    scene_begin();
    resume(co, MOAT_EVENT_YIELD);
    resume(co, MOAT_EVENT_RETURN);
    scene_end();
    KEEP_FRAME();
}

FRAME void *fault_entry(moat_co *self, void *input)
{
    moat_co_yield(self, input);
    *nowhere = 1;
    return input;
}

/* The fault, the handler's entry, the handler, sigreturn, the landing. */
FRAME void scene_trap(moat_co *co)
{
    scene_begin();
    resume(co, MOAT_EVENT_YIELD);
    resume(co, MOAT_EVENT_TRAP);
    scene_end();
    KEEP_FRAME();
}

/* The call of cancel, the unwinder on the guest's stack, the jump out of it. */
FRAME void scene_cancel(moat_co *co)
{
    moat_event event;

    scene_begin();
    resume(co, MOAT_EVENT_YIELD);
    if (moat_co_cancel(co, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        _exit(1);
    scene_end();
    KEEP_FRAME();
}

static inline __attribute__((always_inline)) void
switch_to(moat_co *self, moat_co *other, void *value)
{
    void *input;

    if (moat_co_switch_to(self, other, value, &input) != MOAT_OK)
        _exit(1);
}

FRAME void *transfer_entry(moat_co *self, void *input)
{
    switch_to(self, moat_co_user(self), self);
    switch_to(self, moat_co_user(self), self);
    return input;
}

FRAME void *partner_entry(moat_co *self, void *input)
{
    switch_to(self, input, NULL);
    moat_co_yield(self, NULL);
    switch_to(self, input, NULL);
    return NULL;
}

/* A transfer to a fresh coroutine the long way; transfers back and forth the
 * short way; a yield of one that was entered by a transfer, and a resume of it;
 * a cancel after a transfer. */
FRAME void scene_transfer(moat_co *co)
{
    moat_event event;

    scene_begin();
    resume(co, MOAT_EVENT_YIELD);
    resume(moat_co_user(co), MOAT_EVENT_RETURN);
    if (moat_co_cancel(moat_co_user(co), &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_RETURN)
        _exit(1);
    scene_end();
    KEEP_FRAME();
}

static const struct scene {
    const char *name;
    void (*run)(moat_co *co);
    moat_entry entry, inner;
} scenes[] = {
    {"inline", scene_switch, echo_entry, echo_entry},
    {"outline", outline_switch, outline_entry, echo_entry},
    {"nested", scene_nested, nested_entry, echo_entry},
    {"trap", scene_trap, fault_entry, echo_entry},
    {"cancel", scene_cancel, echo_entry, echo_entry},
    {"cancel_outline", scene_cancel, outline_entry, echo_entry},
    {"transfer", scene_transfer, transfer_entry, partner_entry},
    /* The library's functions take another way where the other side is not
     * theirs. */
    {"outline_resume", outline_switch, echo_entry, echo_entry},
    {"outline_yield", scene_switch, outline_entry, echo_entry},
    {"outline_transfer", scene_transfer, outline_transfer_entry,
     outline_partner_entry},
    {"half_transfer", scene_transfer, outline_transfer_entry, partner_entry},
};

static int run_scene(const struct scene *scene)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co, *inner;

    if (moat_co_create(&inner, scene->inner, NULL) != MOAT_OK)
        return 1;
    options.user = inner;
    if (moat_co_create(&co, scene->entry, &options) != MOAT_OK)
        return 1;
    scene->run(co);
    moat_co_destroy(co);
    moat_co_destroy(inner);
    return 0;
}

/* --- the tracer ----------------------------------------------------------- */

struct range {
    uintptr_t start, end;
};

struct tracer {
    pid_t pid;
    unw_addr_space_t space;
    void *accessor;
    struct range ends[2]; /* the scene's function, then main */
    unsigned long steps, truncated;
};

static struct range range_of(uintptr_t function)
{
    struct range range = {0, 0};
    ElfW(Sym) *symbol = NULL;
    Dl_info info;
    void *extra = NULL;

    if (dladdr1((void *)function, &info, &extra, RTLD_DL_SYMENT) != 0) {
        symbol = extra;
        range.start = function;
        range.end = symbol ? function + symbol->st_size : function;
    }
    return range;
}

/* Fills the chain, innermost first. Returns false if libunwind fails. */
static bool unwind(struct tracer *tracer, struct chain *chain)
{
    unw_cursor_t cursor;
    unw_word_t pc;
    int more;

    chain->count = 0;
    if (unw_init_remote(&cursor, tracer->space, tracer->accessor) != 0)
        return false;
    do {
        if (unw_get_reg(&cursor, UNW_REG_IP, &pc) != 0)
            return false;
        chain->pc[chain->count++] = (uintptr_t)pc;
        more = unw_step(&cursor);
    } while (more > 0 && chain->count < MAX_FRAMES);
    return more >= 0;
}

/* The scene's function, followed by main, must be in it. */
static bool is_complete(const struct tracer *tracer, const struct chain *chain)
{
    size_t found = 0;

    for (size_t i = 0; i < chain->count && found < 2; i++)
        if (chain->pc[i] >= tracer->ends[found].start &&
            chain->pc[i] <= tracer->ends[found].end)
            found++;
    return found == 2;
}

static void show(const struct tracer *tracer, const struct chain *chain)
{
    if (tracer->truncated > MAX_SHOWN)
        return;
    printf("step %lu:", tracer->steps);
    for (size_t i = 0; i < chain->count && i < 16; i++) {
        Dl_info info;
        bool known = dladdr((void *)chain->pc[i], &info) != 0;

        if (known && info.dli_sname != NULL)
            printf(" %s+%#lx", info.dli_sname,
                   (unsigned long)(chain->pc[i] - (uintptr_t)info.dli_saddr));
        else
            printf(" %#lx(%s+%#lx)", (unsigned long)chain->pc[i],
                   known ? info.dli_fname : "?",
                   known ? (unsigned long)(chain->pc[i] -
                                           (uintptr_t)info.dli_fbase)
                         : 0);
    }
    printf("\n");
}

static void look(struct tracer *tracer)
{
    static struct chain chain;

    tracer->steps++;
    if (unwind(tracer, &chain) && is_complete(tracer, &chain))
        return;
    tracer->truncated++;
    show(tracer, &chain);
}

static _Noreturn void stop_all(const struct tracer *tracer, const char *why)
{
    printf("%s\n", why);
    kill(tracer->pid, SIGKILL);
    exit(1);
}

/* Steps once, delivering `signo`. Returns the signal that stopped the child. */
static int step(const struct tracer *tracer, int signo)
{
    int status;

    if (ptrace(PTRACE_SINGLESTEP, tracer->pid, NULL, (void *)(intptr_t)signo) !=
            0 ||
        waitpid(tracer->pid, &status, 0) != tracer->pid)
        stop_all(tracer, "cannot step the child");
    if (!WIFSTOPPED(status))
        stop_all(tracer, "the child ended in the middle of the scene");
    return WSTOPSIG(status);
}

/* Steps from one SIGSTOP to the next. */
static void step_through(struct tracer *tracer)
{
    int signo = 0;

    while (tracer->steps < MAX_STEPS) {
        signo = step(tracer, signo == SIGTRAP ? 0 : signo);
        if (signo == SIGSTOP)
            return;
        look(tracer);
    }
    stop_all(tracer, "the scene does not end");
}

static void start_child(struct tracer *tracer, const struct scene *scene)
{
    int status;

    fflush(stdout);
    tracer->pid = fork();
    if (tracer->pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(SKIPPED);
        _exit(run_scene(scene));
    }
    if (tracer->pid < 0 || waitpid(tracer->pid, &status, 0) != tracer->pid) {
        perror("fork");
        exit(1);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        printf("skipped: this system forbids ptrace\n");
        exit(SKIPPED);
    }
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
        stop_all(tracer, "the child did not reach its scene");
}

/* A pushf that was stepped over has stored the tracer's trap flag, and the next
 * popf has set it as the child's own. */
static void clear_trap_flag(pid_t pid)
{
    struct user_regs_struct regs;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0) {
        regs.eflags &= ~0x100UL;
        ptrace(PTRACE_SETREGS, pid, NULL, &regs);
    }
}

/* After the scene, the child must exit with 0. */
static void finish_child(const struct tracer *tracer)
{
    int status = 0;

    do {
        clear_trap_flag(tracer->pid);
        if (ptrace(PTRACE_CONT, tracer->pid, NULL, NULL) != 0 ||
            waitpid(tracer->pid, &status, 0) != tracer->pid)
            stop_all(tracer, "cannot continue the child");
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        stop_all(tracer, "the child failed");
}

static int trace(const struct scene *scene, uintptr_t main_address,
                 bool expect_truncated)
{
    struct tracer tracer = {0};

    start_child(&tracer, scene);
    tracer.space = unw_create_addr_space(&_UPT_accessors, 0);
    tracer.accessor = _UPT_create(tracer.pid);
    if (tracer.space == NULL || tracer.accessor == NULL)
        stop_all(&tracer, "libunwind-ptrace: no memory");
    unw_set_caching_policy(tracer.space, UNW_CACHE_GLOBAL);
    tracer.ends[0] = range_of((uintptr_t)scene->run);
    tracer.ends[1] = range_of(main_address);
    if (tracer.ends[0].end == tracer.ends[0].start ||
        tracer.ends[1].end == tracer.ends[1].start)
        stop_all(&tracer, "a function has no size: link with -rdynamic");
    step_through(&tracer);
    finish_child(&tracer);
    _UPT_destroy(tracer.accessor);
    unw_destroy_addr_space(tracer.space);
    printf("%s: %lu instructions, %lu truncated chains\n", scene->name,
           tracer.steps, tracer.truncated);
    return expect_truncated ? tracer.truncated == 0 : tracer.truncated != 0;
}

int main(int argc, char **argv)
{
    const struct scene *scene = NULL;
    const char *option = argc > 2 ? argv[2] : "";
    int status;

    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
        if (argc >= 2 && strcmp(scenes[i].name, argv[1]) == 0)
            scene = &scenes[i];
    if (scene == NULL) {
        fprintf(stderr, "usage: step SCENE [--expect-truncated | --alone]\n");
        return 2;
    }
    alone = strcmp(option, "--alone") == 0;
    status = alone ? run_scene(scene)
                   : trace(scene, (uintptr_t)main,
                           strcmp(option, "--expect-truncated") == 0);
    KEEP_FRAME();
    return status;
}
