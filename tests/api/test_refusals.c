/*
 * test_refusals.c: each refusal has a sentence that names the argument, its
 * value and what is allowed. checks.refusals finds those that note none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <ucontext.h>

#include <moat/moat.h>
#include <moat/source.h>

#include "support/fixture.h"
#include "support/refused.h"

static void *echo(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void nothing(void *arg)
{
    (void)arg;
}

/* ---- The calls ---- */

static void nothing_was_refused(const void *arg)
{
    moat_co *co;

    (void)arg;
    EXPECT_STR(moat_error_detail(), "");
    REQUIRE(moat_co_create(&co, echo, NULL) == MOAT_OK);
    moat_co_destroy(co);
    EXPECT_STR(moat_error_detail(), "");
}

static void coroutines(const void *arg)
{
    moat_co *co, *cos[2];
    void *inputs[1] = {NULL}, *input;
    moat_event event, events[1];
    moat_stack_info stack;
    moat_usage usage = MOAT_USAGE_INIT;
    size_t done;

    (void)arg;
    REQUIRE(moat_co_create(&co, echo, NULL) == MOAT_OK);
    cos[0] = co;
    INVAL("out is NULL", moat_co_create(NULL, echo, NULL));
    INVAL("entry is NULL", moat_co_create(&cos[1], NULL, NULL));
    INVAL("out is NULL", moat_co_create_n(NULL, echo, NULL, NULL, 1, &done));
    INVAL("entry is NULL", moat_co_create_n(cos, NULL, NULL, NULL, 1, &done));
    INVAL("done is NULL", moat_co_create_n(cos, echo, NULL, NULL, 1, NULL));
    INVAL("co is NULL", moat_co_resume(NULL, NULL, &event));
    INVAL("out is NULL", moat_co_resume(co, NULL, NULL));
    INVAL("cos is NULL", moat_co_resume_n(NULL, inputs, events, 1, &done));
    INVAL("out is NULL", moat_co_resume_n(cos, inputs, NULL, 1, &done));
    INVAL("done is NULL", moat_co_resume_n(cos, inputs, events, 1, NULL));
    INVAL("self is NULL", moat_co_switch_to(NULL, co, NULL, &input));
    INVAL("other is NULL", moat_co_switch_to(co, NULL, NULL, &input));
    INVAL("input is NULL", moat_co_switch_to(co, co, NULL, NULL));
    INVAL("co is NULL", moat_co_reset(NULL));
    INVAL("co is NULL", moat_co_cancel(NULL, &event));
    INVAL("out is NULL", moat_co_cancel(co, NULL));
    INVAL("co is NULL", moat_co_defer(NULL, nothing, NULL));
    INVAL("fn is NULL", moat_co_defer(co, NULL, NULL));
    INVAL("co is NULL", moat_co_stack_info(NULL, &stack));
    INVAL("out is NULL", moat_co_stack_info(co, NULL));
    INVAL("co is NULL", moat_co_usage(NULL, &usage));
    INVAL("out is NULL", moat_co_usage(co, NULL));
    usage.struct_size = 3;
    INVAL("out->struct_size is 3", moat_co_usage(co, &usage));
    INVAL("out is NULL", moat_stack_bounds(NULL));
    INVAL("out is NULL", moat_stack_at(0, NULL));
    moat_co_destroy(co);
}

static void options(const void *arg)
{
    moat_co_options asked = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_script script = MOAT_SCRIPT_INIT;
    const moat_co_options plain = asked;
    moat_heap *heap;
    moat_spec *spec;
    moat_co *co;
    struct {
        moat_co_options known;
        uint64_t unknown;
    } longer = {asked, 1};

    (void)arg;
    asked.struct_size = 7;
    INVAL("options->struct_size is 7|_INIT", moat_co_create(&co, echo, &asked));
    longer.known.struct_size = sizeof longer;
    REFUSED("options has fields after the first", MOAT_E_UNSUPPORTED,
            moat_co_create(&co, echo, &longer.known));
    asked = plain;
    asked.stack_bytes = 100;
    INVAL("options->stack_bytes is 100|at least 4096",
          moat_co_create(&co, echo, &asked));
    INVAL("options->stack_bytes is 100", moat_spec_create(&spec, &asked));
    asked.stack_bytes = (size_t)1 << 40;
    INVAL("options->stack_bytes is 1099511627776|at most 68719476736",
          moat_co_create(&co, echo, &asked));
    asked = plain;
    asked.guard_bytes = (size_t)1 << 40;
    INVAL("options->guard_bytes is 1099511627776|at most",
          moat_co_create(&co, echo, &asked));
    asked = plain;
    asked.flags = UINT64_C(1) << 40;
    INVAL("options->flags has 0x10000000000",
          moat_co_create(&co, echo, &asked));
    asked.flags = MOAT_CO_SCRUB_ZERO | MOAT_CO_SCRUB_DISCARD;
    INVAL("options->flags|MOAT_CO_SCRUB_", moat_co_create(&co, echo, &asked));
    asked.flags = MOAT_CO_RECOVER_CODE | MOAT_CO_RECOVER_NEVER;
    INVAL("options->flags|MOAT_CO_RECOVER_", moat_co_create(&co, echo, &asked));
    asked = plain;
    asked.limits = &limits;
    limits.slice_ns = 5;
    INVAL("limits->slice_ns is 5", moat_co_create(&co, echo, &asked));
    limits.slice_ns = 0;
    limits.struct_size = 1;
    INVAL("options->limits->struct_size is 1",
          moat_co_create(&co, echo, &asked));
    limits.struct_size = sizeof limits;
    limits.memory_bytes = UINT64_MAX;
    INVAL("limits->memory_bytes is 18446744073709551615|at most",
          moat_co_create(&co, echo, &asked));
    REQUIRE(moat_heap_create(&heap, 1 << 20) == MOAT_OK);
    asked.heap = heap;
    limits.memory_bytes = 4096;
    INVAL("options->heap|limits->memory_bytes is 4096",
          moat_co_create(&co, echo, &asked));
    moat_heap_destroy(heap);
    asked.limits = NULL;
    asked.heap = (moat_heap *)(uintptr_t)0x1000;
    INVAL("options->heap is 0x1000", moat_co_create(&co, echo, &asked));
    asked = plain;
    asked.script = &script;
    INVAL("options->script->walk", moat_co_create(&co, echo, &asked));
    script.struct_size = 2;
    INVAL("options->script->struct_size is 2",
          moat_co_create(&co, echo, &asked));
}

static void specs_and_heaps(const void *arg)
{
    moat_spec *spec;
    moat_heap *heap;
    moat_co *co;

    (void)arg;
    INVAL("out is NULL", moat_spec_create(NULL, NULL));
    INVAL("spec is NULL", moat_spec_prepare(NULL, 1));
    REQUIRE(moat_spec_create(&spec, NULL) == MOAT_OK);
    INVAL("out is NULL", moat_co_create_from(NULL, spec, echo, NULL));
    INVAL("spec is NULL", moat_co_create_from(&co, NULL, echo, NULL));
    INVAL("entry is NULL", moat_co_create_from(&co, spec, NULL, NULL));
    moat_spec_destroy(spec);
    INVAL("out is NULL", moat_heap_create(NULL, 4096));
    INVAL("quota_bytes is 0|1 to", moat_heap_create(&heap, 0));
    INVAL("quota_bytes is 18446744073709551615|1 to",
          moat_heap_create(&heap, SIZE_MAX));
    INVAL("heap is 0x0", moat_heap_reset(NULL));
    INVAL("heap is 0x10", moat_heap_clear((moat_heap *)(uintptr_t)16, 0));
    INVAL("heap is 0x10",
          moat_heap_free_later((moat_heap *)(uintptr_t)16, NULL));
}

static void engine(const void *arg)
{
    moat_engine_options asked = MOAT_ENGINE_OPTIONS_INIT;
    const moat_engine_options plain = asked;
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    moat_source source = moat_source_manual;

    (void)arg;
    asked.struct_size = 1;
    INVAL("options->struct_size is 1", moat_engine_init(&asked));
    asked = plain;
    asked.flags = 0x100;
    INVAL("options->flags is 0x100|MOAT_ENGINE_OLD_PAGES",
          moat_engine_init(&asked));
    asked = plain;
    asked.deadline_signal = SIGUSR1;
    INVAL("options->deadline_signal is 10|SIGRTMIN", moat_engine_init(&asked));
    asked.deadline_signal = -4;
    INVAL("options->deadline_signal is -4", moat_engine_init(&asked));
    asked = plain;
    asked.guard = (moat_guard_kind)77;
    INVAL("options->guard is 77", moat_engine_init(&asked));
    asked = plain;
    asked.altstack = (moat_altstack_kind)78;
    INVAL("options->altstack is 78", moat_engine_init(&asked));
    asked = plain;
    asked.source = &source;
    source.version = 99;
    REFUSED("options->source->version is 99", MOAT_E_UNSUPPORTED,
            moat_engine_init(&asked));
    source = moat_source_manual;
    source.check = NULL;
    INVAL("options->source: name, install, check", moat_engine_init(&asked));
    INVAL("out is NULL", moat_engine_get_info(NULL));
    info.struct_size = 0;
    INVAL("out->struct_size is 0", moat_engine_get_info(&info));
}

/* Each choice is made by the first init: in a child of its own. */
static void environment_guard(const void *arg)
{
    (void)arg;
    REQUIRE(setenv("MOAT_GUARD", "wall\n", 1) == 0);
    INVAL("MOAT_GUARD=wall?|auto|madvise or mprotect", moat_engine_init(NULL));
}

static void environment_source(const void *arg)
{
    (void)arg;
    REQUIRE(setenv("MOAT_TRAP_SOURCE", "x", 1) == 0);
    INVAL("MOAT_TRAP_SOURCE=x|auto, sigaction, manual or sigsegv",
          moat_engine_init(NULL));
}

static void environment_pages(const void *arg)
{
    moat_co *co;

    (void)arg;
    REQUIRE(setenv("MOAT_PAGES", "new", 1) == 0);
    INVAL("MOAT_PAGES=new|auto or old", moat_co_create(&co, echo, NULL));
}

static unsigned char some_code[64];

static void registrations(const void *arg)
{
    moat_code code = MOAT_CODE_INIT;
    const moat_code_line lines[2] = {{4, 1}, {2, 2}};
    moat_fault_region_options region = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region region_id;
    moat_stack_id stack_id;
    moat_code_id id;

    (void)arg;
    INVAL("code is NULL", moat_code_register(NULL, &id));
    INVAL("out is NULL", moat_code_register(&code, NULL));
    INVAL("code->start is 0x0", moat_code_register(&code, &id));
    code.start = some_code;
    INVAL("size 0", moat_code_register(&code, &id));
    code.size = sizeof some_code;
    code.unwind = MOAT_CODE_UNWIND_CFI;
    INVAL("code->unwind is|eh_frame", moat_code_register(&code, &id));
    code.eh_frame = some_code;
    code.eh_frame_bytes = 3;
    INVAL("code->eh_frame", moat_code_register(&code, &id));
    code.eh_frame = NULL;
    code.eh_frame_bytes = 0;
    code.unwind = MOAT_CODE_UNWIND_NONE;
    code.line_count = 2;
    INVAL("code->line_count is 2", moat_code_register(&code, &id));
    code.lines = lines;
    code.file = "f";
    INVAL("code->lines: offsets", moat_code_register(&code, &id));
    code.line_count = 0;
    code.lines = NULL;
    code.flags = 8;
    INVAL("code->flags is 0x8", moat_code_register(&code, &id));
    code.struct_size = 1;
    INVAL("code->struct_size is 1", moat_code_register(&code, &id));
    INVAL("id is 12345", moat_code_unregister(12345));
    INVAL("out is NULL", moat_stack_register(some_code, 64, NULL));
    INVAL("lowest is 0x0 and bytes 64",
          moat_stack_register(NULL, 64, &stack_id));
    INVAL("bytes 0", moat_stack_register(some_code, 0, &stack_id));
    INVAL("id is 12345", moat_stack_unregister(12345));
    INVAL("options is NULL", moat_fault_region_register(NULL, &region_id));
    INVAL("out is NULL", moat_fault_region_register(&region, NULL));
    INVAL("options->fix is NULL",
          moat_fault_region_register(&region, &region_id));
    region.struct_size = 4;
    INVAL("options->struct_size is 4",
          moat_fault_region_register(&region, &region_id));
    INVAL("region is 12345", moat_fault_region_unregister(12345));
}

static moat_fault_verdict fix_nothing(void *address, moat_access access,
                                      void *user)
{
    (void)address;
    (void)access;
    (void)user;
    return MOAT_FAULT_DECLINED;
}

static void regions(const void *arg)
{
    static _Alignas(4096) char pages[8192];
    moat_fault_region_options region = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region id, other;

    (void)arg;
    region.fix = fix_nothing;
    region.begin = pages + 1;
    region.bytes = 4096;
    INVAL("options->begin is|bytes 4096|whole pages",
          moat_fault_region_register(&region, &id));
    region.begin = pages;
    region.flags = 1;
    INVAL("options->flags is 0x1", moat_fault_region_register(&region, &id));
    region.flags = 0;
    REQUIRE(moat_fault_region_register(&region, &id) == MOAT_OK);
    INVAL("is a fault region already",
          moat_fault_region_register(&region, &other));
    EXPECT_EQ(moat_fault_region_unregister(id), MOAT_OK);
}

/* ---- Stack, arrays, buffers ---- */

static void *fault(moat_co *self, void *input)
{
    (void)self;
    moat_trap_raise(1);
    return input;
}

static moat_co *make_trapped(void)
{
    moat_event event;
    moat_co *co;

    REQUIRE(moat_co_create(&co, fault, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    return co;
}

static void traps_and_reports(const void *arg)
{
    moat_co *co = make_trapped();
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_exception_info exception = MOAT_EXCEPTION_INFO_INIT;
    const char *function;
    char text[8];
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)arg;
    INVAL("co is NULL", moat_co_trap_info(NULL, &info));
    INVAL("out is NULL", moat_co_trap_info(co, NULL));
    info.struct_size = 9;
    INVAL("out->struct_size is 9", moat_co_trap_info(co, &info));
    INVAL("co is NULL", moat_co_lock_function(NULL, &function));
    INVAL("out is NULL", moat_co_lock_function(co, NULL));
    INVAL("co is NULL", moat_co_print_report(NULL, 1));
    INVAL("fd is -1", moat_co_print_report(co, -1));
    INVAL("fd is -1", moat_co_write_json(co, -1));
    INVAL("fd is -1", moat_co_write_core(co, -1));
    INVAL("co is NULL", moat_co_write_core(NULL, 1));
    INVAL("co is NULL",
          moat_co_format_report(NULL, MOAT_REPORT_TEXT, text, 8, NULL));
    INVAL("form is 9",
          moat_co_format_report(co, (moat_report_form)9, text, 8, NULL));
    INVAL("buffer is NULL, and size is 8",
          moat_co_format_report(co, MOAT_REPORT_TEXT, NULL, 8, NULL));
    REFUSED("size is 8|bytes", MOAT_E_FULL,
            moat_co_format_report(co, MOAT_REPORT_TEXT, text, 8, NULL));
    INVAL("put is NULL", moat_co_pass_report(co, MOAT_REPORT_TEXT, NULL, NULL));
    INVAL("exception is NULL", moat_exception_describe(NULL, &exception));
    INVAL("out is NULL", moat_exception_describe(&exception, NULL));
    exception.struct_size = 0;
    INVAL("out->struct_size is 0", moat_exception_describe(co, &exception));
    if (full >= 0) {
        REFUSED("write to descriptor|ENOSPC", MOAT_E_SYSTEM,
                moat_co_print_report(co, full));
        REFUSED("write to descriptor|ENOSPC", MOAT_E_SYSTEM,
                moat_co_write_json(co, full));
    }
    moat_co_destroy(co);
}

static void backtraces(const void *arg)
{
    moat_co *co = make_trapped();
    moat_described_frame described[1];
    moat_frame frames[1];
    char line[8];
    size_t count;

    (void)arg;
    INVAL("frames is NULL", moat_backtrace(NULL, 1, &count));
    INVAL("count is NULL", moat_backtrace(frames, 1, NULL));
    INVAL("frames is NULL", moat_backtrace_fp(NULL, 1, &count));
    INVAL("co is NULL", moat_co_backtrace(NULL, frames, 1, &count));
    INVAL("frames is NULL", moat_co_backtrace(co, NULL, 1, &count));
    INVAL("count is NULL", moat_co_describe(co, described, 1, NULL));
    INVAL("frame is NULL", moat_frame_describe(NULL, line, 8));
    INVAL("buffer is NULL", moat_frame_describe(frames, NULL, 8));
    INVAL("size is 0", moat_frame_describe(frames, line, 0));
    if (moat_backtrace(frames, 1, &count) == MOAT_E_UNSUPPORTED) {
        REFUSED("MOAT_WITH_LIBUNWIND", MOAT_E_UNSUPPORTED,
                moat_backtrace(frames, 1, &count));
        return;
    }
    REFUSED("capacity is 1", MOAT_E_FULL, moat_backtrace(frames, 1, &count));
    REFUSED("capacity is 1", MOAT_E_FULL,
            moat_co_backtrace(co, frames, 1, &count));
    REFUSED("capacity is 1", MOAT_E_FULL,
            moat_co_describe(co, described, 1, &count));
    moat_co_destroy(co);
}

static void *refuse_in_a_guest(moat_co *self, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    (void)self;
    REFUSED("less than 1099511627776 bytes of the guest's stack", MOAT_E_LIMIT,
            moat_stack_reserve((size_t)1 << 40));
    INVAL("fn is NULL", moat_notrap_call(NULL, NULL, &info));
    info.struct_size = 1;
    INVAL("out->struct_size is 1", moat_notrap_call(nothing, NULL, &info));
    return input;
}

static void guests(const void *arg)
{
    moat_event event;
    moat_co *co;

    (void)arg;
    REQUIRE(moat_co_create(&co, refuse_in_a_guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    INVAL("visit is NULL", moat_visit_roots(NULL, NULL));
    INVAL("visit is NULL", moat_co_visit_roots(co, NULL, NULL));
    moat_co_destroy(co);
}

static void a_timer_that_cannot_be_made(const void *arg)
{
    static const struct rlimit none = {0, 0};
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options asked = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;

    (void)arg;
    limits.wall_ns = 1000000000;
    asked.limits = &limits;
    REQUIRE(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    REQUIRE(moat_co_create(&co, echo, &asked) == MOAT_OK);
    if (moat_co_resume(co, NULL, &event) == MOAT_OK)
        child_leave_out("timers do not count as pending signals here");
    errno = 0;
    REFUSED("timer_create|EAGAIN", MOAT_E_SYSTEM,
            moat_co_resume(co, NULL, &event));
    moat_co_destroy(co);
}

/* ---- The thread's own ---- */

static void *refuse_elsewhere(void *arg)
{
    moat_co *co;

    EXPECT_STR(moat_error_detail(), "");
    INVAL("out is NULL", moat_co_create(NULL, echo, NULL));
    INVAL("entry is NULL", moat_co_create(&co, NULL, NULL));
    return arg;
}

/* A status without a sentence of its own does not get that of an earlier call.
 */
static void a_text_for_any_status(const void *arg)
{
    moat_event event;
    moat_co *co;

    (void)arg;
    EXPECT_STR(moat_error_str(MOAT_E_STATE),
               "MOAT_E_STATE: the call is not legal in the object's state");
    EXPECT_STR(moat_error_str(MOAT_OK), "MOAT_OK: done");
    REQUIRE(moat_co_create(&co, NULL, NULL) == MOAT_E_INVAL);
    EXPECT_STR(moat_error_str(MOAT_E_INVAL), "MOAT_E_INVAL: entry is NULL");
    REQUIRE(moat_co_create(&co, echo, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    REQUIRE(moat_co_cancel(co, &event) == MOAT_OK);
    errno = ENOENT;
    EXPECT_STR(moat_error_str(moat_co_resume(co, NULL, &event)),
               "MOAT_E_STATE: the call is not legal in the object's state");
    EXPECT_EQ(errno, ENOENT);
    EXPECT_STR(moat_error_detail(), "MOAT_E_INVAL: entry is NULL");
    moat_co_destroy(co);
}

static void each_thread_has_its_own(const void *arg)
{
    pthread_t thread;

    (void)arg;
    INVAL("size is 0", moat_frame_describe(&(moat_frame){0}, &(char){0}, 0));
    REQUIRE(pthread_create(&thread, NULL, refuse_elsewhere, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_STR(moat_error_detail(), "MOAT_E_INVAL: size is 0");
}

static void libraries_note_their_own(const void *arg)
{
    char text[300];

    (void)arg;
    errno = ENOENT;
    EXPECT_EQ(moat_error_note(MOAT_E_LIMIT, "%s is %d, %x: %e, 100",
                              (uintptr_t) "it", (uint64_t)-5),
              MOAT_E_LIMIT);
    errno = 0;
    EXPECT_STR(moat_error_detail(),
               "MOAT_E_LIMIT: it is -5, : ENOENT, No such file or directory, "
               "100");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)moat_error_note(MOAT_E_SYSTEM, text, 0, 0);
    EXPECT(strlen(moat_error_detail()) < sizeof text - 1);
}

/* ---- One in the middle of another ---- */

#define TRAP_FLAG 0x100

static volatile unsigned steps, wanted;

static void note_another(int signo, siginfo_t *info, void *ucontext)
{
    greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

    (void)signo;
    (void)info;
    if (++steps != wanted)
        return;
    g[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    (void)moat_error_note(MOAT_E_INVAL, "%u and %u", 8, 9);
}

static void set_trap_flag(bool set)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
                     "pushfq\n\t"
                     "andq %1, (%%rsp)\n\t"
                     "orq %0, (%%rsp)\n\t"
                     "popfq\n\t"
                     "lea 128(%%rsp), %%rsp"
                     :
                     : "r"((uint64_t)(set ? TRAP_FLAG : 0)), "i"(~TRAP_FLAG)
                     : "memory", "cc");
}

static void a_handler_notes_another_at_each_instruction(const void *arg)
{
    struct sigaction action;
    const char *detail, *end;

    (void)arg;
    if (UNDER_TSAN)
        child_leave_out("signals are delayed");
    (void)moat_error_note(MOAT_E_INVAL, "bound", 0, 0);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = note_another;
    action.sa_flags = SA_SIGINFO;
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    do {
        steps = 0;
        wanted++;
        set_trap_flag(true);
        (void)moat_error_note(MOAT_E_INVAL, "%s or %s", (uintptr_t) "this",
                              (uintptr_t) "that");
        set_trap_flag(false);
        detail = moat_error_detail();
        end = strchr(detail, ':');
        REQUIRE(end != NULL);
        EXPECT(strcmp(end, ": this or that") == 0 ||
               strcmp(end, ": 8 and 9") == 0 || strcmp(end, ": ") == 0);
    } while (steps >= wanted);
    EXPECT(wanted > 20);
}

static const struct child_case cases[] = {
    CHILD_CASE(nothing_was_refused),
    CHILD_CASE(coroutines),
    CHILD_CASE(options),
    CHILD_CASE(specs_and_heaps),
    CHILD_CASE(engine),
    CHILD_CASE(environment_guard),
    CHILD_CASE(environment_source),
    CHILD_CASE(environment_pages),
    CHILD_CASE(registrations),
    CHILD_CASE(regions),
    CHILD_CASE(traps_and_reports),
    CHILD_CASE(backtraces),
    CHILD_CASE(guests),
    CHILD_CASE(a_timer_that_cannot_be_made),
    CHILD_CASE(a_text_for_any_status),
    CHILD_CASE(each_thread_has_its_own),
    CHILD_CASE(libraries_note_their_own),
    CHILD_CASE(a_handler_notes_another_at_each_instruction),
};

int main(void)
{
    return child_cases_run("refusals have sentences", cases,
                           sizeof cases / sizeof *cases, NULL);
}
