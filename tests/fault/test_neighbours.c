/*
 * test_neighbours.c: moat together with other users of signals in one process:
 * handlers installed over moat's and removed in any order, runtimes whose
 * handlers have rules of their own, alternate stacks of the host, fork and
 * exec, and moat as a library that is loaded late and closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"

#ifndef MOAT_LIBRARY
#    error "the build must define the name of the shared library"
#endif

#define PAGE ((size_t)4096)

static sigjmp_buf way_out;

/* ---- Guests ---- */

static void *write_null(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("1: pushq %%rax\n\tjmp 1b" : : : "memory");
    return input;
}

static void expect_trap(moat_entry guest, moat_trap_kind kind)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, kind);
    moat_co_destroy(co);
}

/* Twice, so that damage done by the first trap is noticed. */
static void expect_containment(void)
{
    for (int i = 0; i < 2; i++) {
        expect_trap(write_null, MOAT_TRAP_NULL);
        expect_trap(overflow, MOAT_TRAP_STACK_OVERFLOW);
    }
}

/* ---- Other handlers, each calling the one before it ---- */

struct neighbour {
    int calls;
    struct sigaction former;
};

static struct neighbour first, second;

static void pass_on(struct neighbour *self, int signo, siginfo_t *info,
                    void *context)
{
    self->calls++;
    if (self->former.sa_flags & SA_SIGINFO)
        self->former.sa_sigaction(signo, info, context);
    else if (self->former.sa_handler != SIG_DFL)
        self->former.sa_handler(signo);
    else
        siglongjmp(way_out, 1); /* the end of the chain: the host's own fault */
}

static void first_handler(int signo, siginfo_t *info, void *context)
{
    pass_on(&first, signo, info, context);
}

static void second_handler(int signo, siginfo_t *info, void *context)
{
    pass_on(&second, signo, info, context);
}

static void install(struct neighbour *self, int flags,
                    void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | flags;
    REQUIRE(sigaction(SIGSEGV, &action, &self->former) == 0);
}

static void restore(const struct neighbour *self)
{
    REQUIRE(sigaction(SIGSEGV, &self->former, NULL) == 0);
}

static bool is_installed(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction now;

    REQUIRE(sigaction(SIGSEGV, NULL, &now) == 0);
    return now.sa_sigaction == handler;
}

static void null_write_on_host(void)
{
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
}

/* The host's own fault reaches the last handler of the chain. */
static void expect_host_fault_reaches(const struct neighbour *last)
{
    int calls = last->calls;

    if (sigsetjmp(way_out, 1) == 0)
        null_write_on_host();
    EXPECT_EQ(last->calls, calls + 1);
}

/* ---- A handler over moat's ---- */

static void one_installs_over_us_and_calls_us(const void *arg)
{
    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    install(&second, 0, second_handler);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    expect_containment();
    EXPECT_EQ(second.calls, 4);
    restore(&second);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    expect_containment();
    EXPECT_EQ(second.calls, 4);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

static void a_sandwich_of_handlers_works(const void *arg)
{
    (void)arg;
    install(&first, 0, first_handler);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    install(&second, 0, second_handler);
    expect_containment();
    EXPECT_EQ(second.calls, 4);
    EXPECT_EQ(first.calls, 0);
    expect_host_fault_reaches(&first);
    EXPECT_EQ(second.calls, 5);
    expect_containment();
    EXPECT_EQ(first.calls, 1);
}

/* ---- moat is removed ---- */

static void we_are_removed_last(const void *arg)
{
    struct dispositions before;

    (void)arg;
    dispositions_note(&before);
    install(&first, 0, first_handler);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    install(&second, 0, second_handler);
    restore(&second);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT(is_installed(first_handler));
    expect_host_fault_reaches(&first);
    restore(&first);
    dispositions_expect_kept(&before);
}

/* A foreign handler was installed over moat's. The function it calls stays
 * loaded and passes everything on, and an engine that starts again works. */
static void we_are_removed_first(const void *arg)
{
    (void)arg;
    install(&first, 0, first_handler);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    install(&second, 0, second_handler);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_HANDLER_LOST);
    EXPECT(is_installed(second_handler));
    expect_host_fault_reaches(&first);
    EXPECT_EQ(second.calls, 1);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_containment();
    EXPECT_EQ(first.calls, 1);
    expect_host_fault_reaches(&first);
    restore(&second);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT(is_installed(first_handler));
}

/* The owner of the handler below moat's restores the one that it found, which
 * removes moat's too. */
static void the_one_below_us_leaves_in_between(const void *arg)
{
    (void)arg;
    install(&first, 0, first_handler);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    expect_containment();
    restore(&first);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_HANDLER_LOST);
    EXPECT(is_installed(first.former.sa_sigaction));
}

static void we_come_and_go_a_hundred_times(const void *arg)
{
    struct dispositions before;

    (void)arg;
    install(&first, 0, first_handler);
    dispositions_note(&before);
    for (int i = 0; i < 100; i++) {
        expect_context("round %d", i);
        REQUIRE(moat_engine_init(NULL) == MOAT_OK);
        expect_containment();
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
        dispositions_expect_kept(&before);
    }
    expect_host_fault_reaches(&first);
    EXPECT_EQ(first.calls, 1);
}

/* ---- Runtimes with rules of their own ---- */

/*
 * A managed runtime: its null checks are faults in its own code, which the
 * handler redirects within the same frame before it returns. The handler
 * requires SA_ONSTACK and an alternate stack, and passes on faults that are not
 * its own.
 */
static struct {
    uintptr_t code_begin, code_end; /* its code */
    uintptr_t resume_at;
    int own, foreign, off_stack;
    struct sigaction former;
} runtime;

extern const char runtime_load[], runtime_load_end[], runtime_slow_path[];

/* Loads through a pointer. For a null pointer, the handler makes it return
 * -1. */
long runtime_checked_load(const long *from);
__asm__(".text\n"
        ".globl runtime_checked_load, runtime_load, runtime_load_end\n"
        ".globl runtime_slow_path\n"
        ".type runtime_checked_load, @function\n"
        "runtime_checked_load:\n"
        "    .cfi_startproc\n"
        "runtime_load:\n"
        "    movq (%rdi), %rax\n"
        "runtime_load_end:\n"
        "    ret\n"
        "runtime_slow_path:\n"
        "    movq $-1, %rax\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size runtime_checked_load, . - runtime_checked_load\n");

/* Returns whether the handler runs on the alternate stack. SS_ONSTACK is
 * missing if moat calls the handler or its SS_AUTODISARM is in effect, so this
 * compares with the stack's bounds. */
static bool on_alternate_stack(const ucontext_t *context)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t low = (uintptr_t)context->uc_stack.ss_sp;

    return here >= low && here < low + context->uc_stack.ss_size;
}

static void runtime_handler(int signo, siginfo_t *info, void *opaque)
{
    ucontext_t *context = opaque;
    greg_t *pc = &context->uc_mcontext.gregs[REG_RIP];

    if (!on_alternate_stack(context))
        runtime.off_stack++;
    if ((uintptr_t)*pc >= runtime.code_begin &&
        (uintptr_t)*pc < runtime.code_end) {
        runtime.own++;
        *pc = (greg_t)runtime.resume_at;
        return;
    }
    runtime.foreign++;
    if (runtime.former.sa_flags & SA_SIGINFO)
        runtime.former.sa_sigaction(signo, info, opaque);
    else
        siglongjmp(way_out, 1);
}

static void start_runtime(void)
{
    struct sigaction action;

    runtime.code_begin = (uintptr_t)runtime_load;
    runtime.code_end = (uintptr_t)runtime_load_end;
    runtime.resume_at = (uintptr_t)runtime_slow_path;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = runtime_handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    REQUIRE(sigaction(SIGSEGV, &action, &runtime.former) == 0);
}

/* The runtime's threads have alternate stacks of their own. */
static void arm_own_stack(stack_t *own)
{
    memset(own, 0, sizeof(*own));
    own->ss_size = (size_t)64 << 10;
    own->ss_sp = mmap(NULL, own->ss_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(own->ss_sp != MAP_FAILED);
    REQUIRE(sigaltstack(own, NULL) == 0);
}

static void *load_as_a_guest(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(runtime_checked_load(input), 7);
    return input;
}

static void run_managed_code(void)
{
    static const long seven = 7;
    moat_event event = {.kind = MOAT_EVENT_TRAP};
    moat_co *co = NULL;

    EXPECT_EQ(runtime_checked_load(&seven), 7);
    EXPECT_EQ(runtime_checked_load(NULL), -1);
    REQUIRE(moat_co_create(&co, load_as_a_guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, (void *)(uintptr_t)&seven, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* The runtime was installed first: moat passes its faults on to it. */
static void a_runtime_below_us_gets_its_own_faults(const void *arg)
{
    stack_t own, now;

    (void)arg;
    arm_own_stack(&own);
    start_runtime();
    REQUIRE(moat_thread_attach() == MOAT_OK);
    for (int i = 1; i <= 3; i++) {
        run_managed_code();
        expect_containment();
        EXPECT_EQ(runtime.own, i);
    }
    EXPECT_EQ(runtime.foreign, 0);
    EXPECT_EQ(runtime.off_stack, 0);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    REQUIRE(sigaltstack(NULL, &now) == 0);
    EXPECT_EQ(now.ss_sp, own.ss_sp);
    EXPECT_EQ(runtime_checked_load(NULL), -1);
    EXPECT_EQ(runtime.off_stack, 0);
}

/* The runtime was installed after moat and passes on faults that are not its
 * own, those of guests included. Its handler does not have SA_NODEFER. */
static void a_runtime_over_us_passes_guests_faults_on(const void *arg)
{
    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    start_runtime();
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    for (int i = 1; i <= 3; i++) {
        run_managed_code();
        expect_containment();
        EXPECT_EQ(runtime.own, i);
        EXPECT_EQ(runtime.foreign, 4 * i);
    }
    EXPECT_EQ(runtime.off_stack, 0);
}

/* The runtime uses a region of moat as its guard page: the region declines, so
 * the fault reaches the runtime. */
static moat_fault_verdict decline(void *address, moat_access access, void *user)
{
    (void)address;
    (void)access;
    ++*(int *)user;
    return MOAT_FAULT_DECLINED;
}

static void a_declined_region_is_left_to_the_runtime(const void *arg)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region region = 0;
    int asked = 0;

    (void)arg;
    start_runtime();
    options.begin =
        mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    options.bytes = PAGE;
    options.fix = decline;
    options.user = &asked;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(moat_fault_region_register(&options, &region) == MOAT_OK);
    EXPECT_EQ(runtime_checked_load(options.begin), -1);
    EXPECT_EQ(asked, 1);
    EXPECT_EQ(runtime.own, 1);
    EXPECT_EQ(moat_fault_region_unregister(region), MOAT_OK);
}

/* ---- An alternate stack of the host ---- */

static void a_host_arms_its_stack_after_us(const void *arg)
{
    stack_t own, now;

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    expect_containment();
    arm_own_stack(&own);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    expect_trap(overflow, MOAT_TRAP_STACK_OVERFLOW); /* on the host's stack */
    REQUIRE(moat_thread_attach() == MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    expect_containment();
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    REQUIRE(sigaltstack(NULL, &now) == 0);
    EXPECT_EQ(now.ss_sp, own.ss_sp);
}

/* ---- fork and exec ---- */

static void expect_child(pid_t child, int expected)
{
    int status = -1;

    REQUIRE(child >= 0);
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), expected);
}

static void *yield_once(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void finish(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_TRAP};

    EXPECT_EQ(moat_co_resume(co, co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void a_child_process_goes_on(const void *arg)
{
    moat_co *co = NULL;
    moat_event event;
    pid_t child;

    (void)arg;
    REQUIRE(moat_co_create(&co, yield_once, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    child = fork();
    if (child == 0) {
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        expect_containment();
        finish(co);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
        REQUIRE(moat_engine_init(NULL) == MOAT_OK);
        expect_containment();
        child_exit();
    }
    expect_child(child, 0);
    expect_containment();
    finish(co);
}

static atomic_int told;

static void *trap_until_told(void *arg)
{
    while (!atomic_load(&told))
        expect_trap(write_null, MOAT_TRAP_NULL);
    return arg;
}

static void fork_beside_threads_that_trap(const void *arg)
{
    pthread_t threads[3];

    (void)arg;
    /* A fork during the very first init is not covered: see engine.h. */
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    for (size_t i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, trap_until_told, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        pid_t child;

        expect_context("fork %d", i);
        child = fork();
        if (child == 0) {
            (void)alarm(120); /* must not outlive a failed test */
            expect_containment();
            child_exit();
        }
        expect_child(child, 0);
    }
    atomic_store(&told, 1);
    for (size_t i = 0; i < 3; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

static char own_path[4096];

/* Handlers do not survive an exec; the new program's engine starts clean. */
static void an_exec_starts_anew(const void *arg)
{
    pid_t child;

    (void)arg;
    expect_containment();
    child = fork();
    if (child == 0) {
        (void)execl(own_path, own_path, "--after-exec", (char *)NULL);
        _exit(127);
    }
    expect_child(child, 0);
}

static int after_exec(void)
{
    struct sigaction now;
    stack_t stack;

    EXPECT(sigaction(SIGBUS, NULL, &now) == 0);
    EXPECT(sigaltstack(NULL, &stack) == 0);
    /* The sanitizers install both. */
    if (!UNDER_ASAN && !UNDER_TSAN) {
        EXPECT(now.sa_handler == SIG_DFL);
        EXPECT((stack.ss_flags & SS_DISABLE) != 0);
    }
    expect_containment();
    return expect_failures() == 0 ? 0 : 1;
}

/* ---- Threads that start and end ---- */

#define AT_ONCE 4

struct visitor {
    unsigned number;
    pthread_t thread;
    char stack[64 << 10];
};

/* Some have an alternate stack of their own; some detach, some do not; and some
 * leave a coroutine for the main thread to destroy. */
static void *come_and_go(void *arg)
{
    struct visitor *self = arg;
    const stack_t own = {self->stack, 0, sizeof(self->stack)};
    moat_event event = {.kind = MOAT_EVENT_TRAP};
    moat_co *left = NULL;
    /* AddressSanitizer unmaps the alternate stack in force when a thread
     * ends. */
    bool has_own = !UNDER_ASAN && self->number % 2 == 0;
    stack_t now;

    if (has_own)
        REQUIRE(sigaltstack(&own, NULL) == 0);
    expect_trap(write_null, MOAT_TRAP_NULL);
    if (self->number % 3 == 0) {
        REQUIRE(moat_co_create(&left, yield_once, NULL) == MOAT_OK);
        EXPECT_EQ(moat_co_resume(left, NULL, &event), MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    } else if (self->number % 3 == 1) {
        EXPECT_EQ(moat_thread_detach(), MOAT_OK);
        EXPECT_EQ(sigaltstack(NULL, &now), 0);
        if (has_own)
            EXPECT_EQ(now.ss_sp, own.ss_sp);
    }
    return left;
}

static void run_some_threads(unsigned number)
{
    static struct visitor visitors[AT_ONCE];

    for (unsigned i = 0; i < AT_ONCE; i++) {
        visitors[i].number = number + i;
        REQUIRE(pthread_create(&visitors[i].thread, NULL, come_and_go,
                               &visitors[i]) == 0);
    }
    for (unsigned i = 0; i < AT_ONCE; i++) {
        void *left = NULL;

        EXPECT_EQ(pthread_join(visitors[i].thread, &left), 0);
        moat_co_destroy(left);
    }
}

static void threads_that_come_and_go_leave_nothing(const void *arg)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    int mappings, descriptors;

    (void)arg;
    for (unsigned i = 0; i < 20; i++)
        run_some_threads(i * AT_ONCE);
    mappings = mappings_present();
    descriptors = descriptors_open();
    for (unsigned i = 0; i < 60; i++)
        run_some_threads(i * AT_ONCE);
    /* The C library keeps a varying number of threads' stacks and heaps. A
     * leaked mapping per visitor would exceed the limit. */
    EXPECT(mappings_present() < mappings + 60);
    EXPECT_EQ(descriptors_open(), descriptors);
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 0);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- Loaded late, closed early ---- */

/* Returns a function of the loaded library, not of the one linked here. */
static void *function_of(void *library, const char *name)
{
    void *function = dlsym(library, name);

    if (function == NULL)
        (void)dprintf(STDERR_FILENO, "%s\n", dlerror());
    REQUIRE(function != NULL);
    return function;
}

/* dlsym returns object pointers, and these are functions; POSIX requires this
 * conversion to work. */
#define LOAD(pointer, library, name) \
    *(void **)&(pointer) = function_of(library, name)

struct loaded {
    void *handle; /* from dlopen */
    moat_status (*create)(moat_co **, moat_entry, const moat_co_options *);
    moat_status (*resume)(moat_co *, void *, moat_event *);
    void (*destroy)(moat_co *);
    moat_status (*shutdown)(void);
};

static void load(struct loaded *out)
{
    out->handle = dlopen(MOAT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (out->handle == NULL)
        (void)dprintf(STDERR_FILENO, "%s\n", dlerror());
    REQUIRE(out->handle != NULL);
    LOAD(out->create, out->handle, "moat_co_create");
    LOAD(out->resume, out->handle, "moat_co_resume");
    LOAD(out->destroy, out->handle, "moat_co_destroy");
    LOAD(out->shutdown, out->handle, "moat_engine_shutdown");
}

static void *trap_in_library(void *arg)
{
    const struct loaded *moat = arg;
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co = NULL;

    for (int i = 0; i < 3; i++) {
        REQUIRE(moat->create(&co, write_null, NULL) == MOAT_OK);
        EXPECT_EQ(moat->resume(co, NULL, &event), MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        moat->destroy(co);
    }
    return NULL;
}

static void the_library_is_loaded_and_closed(const void *arg)
{
    struct dispositions before;
    struct loaded moat;
    pthread_t thread;

    (void)arg;
    REQUIRE(unsetenv("MOAT_TRAP_SOURCE") == 0); /* only libc is loaded beside
                                                 * it */
    dispositions_note(&before);
    for (int i = 0; i < 5; i++) {
        expect_context("load %d", i);
        load(&moat);
        (void)trap_in_library(&moat);
        REQUIRE(pthread_create(&thread, NULL, trap_in_library, &moat) == 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        EXPECT_EQ(moat.shutdown(), MOAT_OK);
        EXPECT_EQ(dlclose(moat.handle), 0);
        dispositions_expect_kept(&before);
    }
}

/* The library is closed by mistake while its handlers are installed: it stays
 * loaded. */
static void a_close_without_shutdown_leaves_no_hole(const void *arg)
{
    struct loaded moat;

    (void)arg;
    REQUIRE(unsetenv("MOAT_TRAP_SOURCE") == 0);
    install(&first, 0, first_handler);
    load(&moat);
    (void)trap_in_library(&moat);
    EXPECT_EQ(dlclose(moat.handle), 0);
    expect_host_fault_reaches(&first);
}

static struct child_case cases[] = {
    CHILD_CASE(one_installs_over_us_and_calls_us),
    CHILD_CASE(a_sandwich_of_handlers_works),
    CHILD_CASE(we_are_removed_last),
    CHILD_CASE(we_are_removed_first),
    CHILD_CASE(the_one_below_us_leaves_in_between),
    CHILD_CASE(we_come_and_go_a_hundred_times),
    CHILD_CASE(a_runtime_below_us_gets_its_own_faults),
    CHILD_CASE(a_runtime_over_us_passes_guests_faults_on),
    CHILD_CASE(a_declined_region_is_left_to_the_runtime),
    CHILD_CASE(a_host_arms_its_stack_after_us),
    CHILD_CASE(a_child_process_goes_on),
    {"fork_beside_threads_that_trap", fork_beside_threads_that_trap, NULL,
     UNDER_ASAN ? "its allocator's locks stay taken in a child" : NULL, 0, 0},
    CHILD_CASE(an_exec_starts_anew),
    CHILD_CASE(threads_that_come_and_go_leave_nothing),
    CHILD_CASE(the_library_is_loaded_and_closed),
    CHILD_CASE(a_close_without_shutdown_leaves_no_hole),
};

int main(int argc, char **argv)
{
    ssize_t length = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);

    if (length < 0)
        return 2;
    own_path[length] = '\0';
    if (argc > 1 && strcmp(argv[1], "--after-exec") == 0)
        return after_exec();
    return child_cases_run("moat and other users of signals", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
