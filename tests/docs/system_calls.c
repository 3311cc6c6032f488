/*
 * system_calls.c: does what docs/system-calls.md lists, one thing after the
 * other. Before each it makes a call that the trace shows and that fails: a
 * write of its name to a descriptor that is not open.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

/* system_calls.sh looks for it. */
#define MARK_DESCRIPTOR 1000

#define COUNT 150

static int null_device;
static moat_co *all[100000];
static size_t count;

static void check(moat_status status)
{
    if (status == MOAT_OK)
        return;
    (void)fprintf(stderr, "system_calls: %s\n", moat_status_name(status));
    exit(1);
}

static void begin(const char *what)
{
    (void)!write(MARK_DESCRIPTOR, what, strlen(what));
}

/* Calls that are not moat's come after it. */
static void end(void)
{
    begin("end");
}

/* ---- Guests ---- */

static void *echo(moat_co *self, void *input)
{
    while (input == NULL)
        input = moat_co_yield(self, input);
    return input;
}

static void *write_null(moat_co *self, void *input)
{
    (void)self;
    *(volatile int *)input = 1;
    return NULL;
}

static void *loop(moat_co *self, void *input)
{
    while (*(volatile int *)input == 0)
        continue;
    return self;
}

static void resume(moat_co *co, void *input, moat_event_kind kind)
{
    moat_event event;

    check(moat_co_resume(co, input, &event));
    if (event.kind != kind)
        check(MOAT_E_STATE);
}

static void destroy_all(void)
{
    while (count > 0)
        moat_co_destroy(all[--count]);
}

/* ---- Coroutines ---- */

static void create(void)
{
    begin("create");
    while (count < COUNT)
        check(moat_co_create(&all[count++], echo, NULL));
    end();
}

static void create_n(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_bytes = (size_t)32 << 10;
    begin("create_n");
    check(moat_co_create_n(all, echo, &options, NULL, COUNT, &count));
    end();
}

static void run(void)
{
    begin("resume");
    for (size_t i = 0; i < count; i++)
        resume(all[i], NULL, MOAT_EVENT_YIELD);
    end();
}

static void destroy(void)
{
    begin("destroy");
    destroy_all();
    end();
}

static void scrub(uint64_t how, const char *name)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.flags = how;
    check(moat_co_create_n(all, echo, &options, NULL, COUNT, &count));
    for (size_t i = 0; i < count; i++)
        resume(all[i], NULL, MOAT_EVENT_YIELD);
    begin(name);
    destroy_all();
    end();
}

/* Reservations without a coroutine are released whole; one keeps its. */
static void trim(void)
{
    moat_co *kept;

    check(moat_co_create_n(all, echo, NULL, NULL, COUNT, &count));
    for (size_t i = 0; i < count; i++)
        resume(all[i], NULL, MOAT_EVENT_YIELD);
    kept = all[--count];
    destroy_all();
    begin("trim");
    check(moat_engine_trim(0, NULL));
    end();
    moat_co_destroy(kept);
}

static void refuse(void)
{
    struct rlimit former, tight;

    (void)getrlimit(RLIMIT_DATA, &former);
    tight = former;
    tight.rlim_cur = (rlim_t)32 << 20;
    (void)setrlimit(RLIMIT_DATA, &tight);
    while (count < COUNT * 3 &&
           moat_co_create(&all[count], echo, NULL) == MOAT_OK)
        count++;
    begin("refused create");
    if (moat_co_create(&all[count], echo, NULL) == MOAT_OK)
        check(MOAT_E_STATE);
    end();
    (void)setrlimit(RLIMIT_DATA, &former);
    destroy_all();
}

/* ---- Traps and limits ---- */

static moat_co *trap(void)
{
    moat_co *co;

    check(moat_co_create(&co, write_null, NULL));
    begin("trap");
    resume(co, NULL, MOAT_EVENT_TRAP);
    end();
    return co;
}

static void describe(const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_stack_info stack;

    begin("trap_info");
    check(moat_co_trap_info(co, &info));
    begin("stack_info");
    check(moat_co_stack_info(co, &stack));
    end();
}

static void limit(void)
{
    static int word;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co;

    limits.wall_ns = 5000000;
    limits.resume_cpu_ns = 5000000;
    options.limits = &limits;
    begin("limited create");
    check(moat_co_create(&co, loop, &options));
    begin("limited resume");
    resume(co, &word, MOAT_EVENT_TRAP);
    end();
    moat_co_destroy(co);
    /* The timer's last signal comes now. */
    (void)usleep(50000);
}

/* The call that is dispatched is no call that a trace shows. */
static void *call_kernel(moat_co *self, void *input)
{
    (void)self;
    (void)getppid();
    return input;
}

/* Returns whether the kernel dispatches system calls. */
static bool filter(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_syscall_policy policy = MOAT_SYSCALL_POLICY_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_status status;
    moat_co *co;

    limits.syscalls = &policy;
    options.limits = &limits;
    begin("filtered create");
    status = moat_co_create(&co, call_kernel, &options);
    end();
    if (status == MOAT_E_UNSUPPORTED)
        return false;
    check(status);
    begin("denied call");
    resume(co, NULL, MOAT_EVENT_TRAP);
    end();
    moat_co_destroy(co);
    return true;
}

/* With what the rest of this program needs. */
static void confine(void)
{
    static const long calls[] = {SYS_write, SYS_newfstatat};

    begin("confine");
    check(moat_thread_confine(calls, 2));
    end();
}

/* ---- Reports ---- */

static void report(const moat_co *co)
{
    moat_frame frames[64];
    size_t found;

    begin("backtrace");
    check(moat_backtrace(frames, 64, &found));
    check(moat_co_backtrace(co, frames, 64, &found));
    begin("report");
    check(moat_co_print_report(co, null_device));
    check(moat_co_write_json(co, null_device));
    begin("core");
    check(moat_co_write_core(co, null_device));
    end();
}

static void cancel(void)
{
    moat_event event;
    moat_co *co;

    check(moat_co_create(&co, echo, NULL));
    resume(co, NULL, MOAT_EVENT_YIELD);
    begin("cancel");
    check(moat_co_cancel(co, &event));
    end();
    moat_co_destroy(co);
}

/* ---- Registrations ---- */

static moat_fault_verdict decline(void *address, moat_access access, void *user)
{
    (void)address;
    (void)access;
    (void)user;
    return MOAT_FAULT_DECLINED;
}

static void register_all(void *page)
{
    static const moat_code_line lines[] = {{0, 1}};
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id;
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region region;

    code.start = page;
    code.size = 64;
    code.name = "registered";
    code.file = "file";
    code.lines = lines;
    code.line_count = 1;
    code.unwind = MOAT_CODE_UNWIND_FP;
    begin("code");
    check(moat_code_register(&code, &id));
    check(moat_code_unregister(id));
    end();
    options.begin = page;
    options.bytes = 4096;
    options.fix = decline;
    begin("region");
    check(moat_fault_region_register(&options, &region));
    check(moat_fault_region_unregister(region));
    end();
}

/* ---- Guest heaps ---- */

static void use_heap(void)
{
    moat_heap *heap;

    begin("detail");
    if (moat_heap_create(NULL, 1) == MOAT_OK || moat_error_detail()[0] != 'M')
        exit(2);
    end();
    begin("heap");
    check(moat_heap_create(&heap, (size_t)1 << 20));
    moat_heap_free(heap, moat_heap_alloc(heap, 100000));
    moat_heap_destroy(heap);
    end();
}

/* ---- The engine ---- */

static moat_engine_info ask(const char *when)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    begin(when);
    check(moat_engine_get_info(&info));
    end();
    return info;
}

static void fork_once(void)
{
    pid_t child;
    int status;

    child = fork();
    if (child == 0)
        _exit(0);
    (void)waitpid(child, &status, 0);
}

int main(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_engine_info info;
    bool filters;
    moat_co *co;

    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)ask("info before init");
    begin("init");
    check(moat_engine_init(NULL));
    end();
    info = ask("info");
    begin("check");
    check(moat_engine_check());
    begin("attach");
    check(moat_thread_attach());
    end();
    create();
    run();
    destroy();
    create_n();
    destroy_all();
    scrub(MOAT_CO_SCRUB_ZERO, "scrub to zeros");
    scrub(MOAT_CO_SCRUB_DISCARD, "scrub by discarding");
    trim();
    refuse();
    co = trap();
    describe(co);
    report(co);
    begin("reset");
    check(moat_co_reset(co));
    end();
    moat_co_destroy(co);
    cancel();
    limit();
    filters = filter();
    register_all(page);
    use_heap();
    fork_once();
    confine();
    begin("detach");
    check(moat_thread_detach());
    begin("shutdown");
    check(moat_engine_shutdown());
    end();
    /* Calls that this kernel lacks cannot be seen. */
    (void)printf("ioctl %u\nprocess_madvise %u\nprctl %u\n", info.pagemap_scan,
                 info.process_madvise, filters);
    return 0;
}
