/*
 * test_stack_needs.c: how much stack each public function needs, next to what
 * docs/memory.md says. "list" prints the latter, for the test of the document.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/small_stack.h"
#include "guests.h"

#define KIB ((size_t)1 << 10)

/* ---- What the calls work on ---- */

static moat_co *co, *other;
static moat_co *many[64];
static moat_event event;
static moat_status status;
static size_t count;
static int sink = -1;
static moat_code_id code_id;
static moat_fault_region region;
static _Alignas(4096) char area[4096];
static moat_script_walk *script_walk;

static void nothing(void *arg)
{
    (void)arg;
}

static void *return_input(void *input)
{
    return input;
}

static void *yield_twice(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return moat_co_yield(self, input);
}

static void *write_to_null(moat_co *self, void *input)
{
    (void)self;
    write_null();
    return input;
}

static void make_fresh(void)
{
    co = guest_create(yield_twice);
    other = guest_create(yield_twice);
    sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void make_suspended(void)
{
    make_fresh();
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(moat_co_resume(other, NULL, &event), MOAT_OK);
}

static void make_trapped(void)
{
    make_fresh();
    moat_co_destroy(co);
    co = guest_create(write_to_null);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
}

static void destroy_both(void)
{
    (void)close(sink);
    moat_co_destroy(co);
    moat_co_destroy(other);
}

static void destroy_many(void)
{
    for (size_t i = 0; i < count; i++)
        moat_co_destroy(many[i]);
}

static void make_many(void)
{
    count = 64;
    for (size_t i = 0; i < count; i++)
        many[i] = guest_create(yield_twice);
}

/* ---- The calls ---- */

static void call_backtrace(void)
{
    static moat_frame frames[100];

    status = moat_backtrace(frames, 100, &count);
}

static void call_backtrace_fp(void)
{
    static moat_frame frames[100];

    status = moat_backtrace_fp(frames, 100, &count);
}

static void call_co_backtrace(void)
{
    static moat_frame frames[100];

    status = moat_co_backtrace(co, frames, 100, &count);
}

static void make_copied(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.stack_kind = MOAT_STACK_COPIED;
    EXPECT_EQ(moat_co_create(&co, yield_twice, &options), MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
}

static void call_clone(void)
{
    status = moat_co_clone(co, &other);
#if UNDER_ASAN || UNDER_TSAN
    EXPECT_EQ(status, MOAT_E_UNSUPPORTED);
    other = NULL;
    status = MOAT_OK;
#endif
}

static void call_cancel(void)
{
    status = moat_co_cancel(co, &event);
}

static void call_create(void)
{
    status = moat_co_create(&co, yield_twice, NULL);
}

static void destroy_created(void)
{
    moat_co_destroy(co);
}

static void call_create_n(void)
{
    count = 64;
    status = moat_co_create_n(many, yield_twice, NULL, NULL, count, &count);
}

static moat_spec *spec;

static void make_spec(void)
{
    static const moat_limits limits = {.struct_size = sizeof(moat_limits),
                                       .wall_ns = 1000000000};
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    options.name = "spec";
    options.limits = &limits;
    status = moat_spec_create(&spec, &options);
}

static void destroy_spec(void)
{
    moat_spec_destroy(spec);
}

static void call_create_from(void)
{
    status = moat_co_create_from(&co, spec, yield_twice, NULL);
}

static void destroy_created_and_spec(void)
{
    moat_co_destroy(co);
    moat_spec_destroy(spec);
}

static void call_prepare(void)
{
    status = moat_spec_prepare(spec, 100);
}

static void call_defer(void)
{
    status = moat_co_defer(co, nothing, NULL);
}

static void call_describe(void)
{
    static moat_described_frame frames[100];

    status = moat_co_describe(co, frames, 100, &count);
}

static void call_destroy(void)
{
    moat_co_destroy(co);
    co = NULL;
    status = MOAT_OK;
}

static void call_small(void)
{
    const moat_co *running = moat_co_current();

    EXPECT(running == NULL || running == co);
    status = moat_co_get_state(co) == MOAT_CO_FRESH ? MOAT_OK : MOAT_E_STATE;
    EXPECT(moat_co_name(co) != NULL && moat_co_user(co) == NULL);
    EXPECT(moat_co_entry(co) != NULL);
    EXPECT(moat_co_size(0, NULL) != 0);
    EXPECT(moat_co_state_str(MOAT_CO_DONE) != NULL);
    EXPECT(moat_status_name(MOAT_OK) != NULL && moat_status_str(MOAT_OK));
    EXPECT(moat_trap_kind_name(MOAT_TRAP_NULL) != NULL);
    EXPECT(moat_trap_kind_str(MOAT_TRAP_NULL) && moat_version() != NULL);
    EXPECT(moat_limit_name(MOAT_LIMIT_WALL) && moat_limit_str(MOAT_LIMIT_WALL));
    EXPECT(moat_syscall_name(0) != NULL);
    EXPECT(moat_stack_reserve(1) == MOAT_OK && moat_co_heap(co) == NULL &&
           moat_co_take_heap(co) == NULL);
    EXPECT(moat_error_note(MOAT_E_SYSTEM, "%s: %e", (uintptr_t) "x", 0) ==
           MOAT_E_SYSTEM);
}

static void call_is_poisoned(void)
{
    status = moat_co_is_poisoned(co) ? MOAT_E_STATE : MOAT_OK;
}

static void call_lock_function(void)
{
    const char *function;

    status = moat_co_lock_function(co, &function);
}

static void call_print_report(void)
{
    status = moat_co_print_report(co, sink);
}

/* A function of the C library that is called for the first time may be bound by
 * the dynamic linker. */
static void call_error_detail(void)
{
    EXPECT(moat_error_note(MOAT_E_SYSTEM, "%s: %e", (uintptr_t) "x", 0) ==
           MOAT_E_SYSTEM);
    EXPECT(moat_error_detail()[0] == 'M');
    status = MOAT_OK;
}

static void call_error_str(void)
{
    EXPECT(moat_error_note(MOAT_E_SYSTEM, "%s: %e", (uintptr_t) "x", 0) ==
           MOAT_E_SYSTEM);
    EXPECT(moat_error_str(MOAT_E_SYSTEM)[0] == 'M');
    status = MOAT_OK;
}

static char report_text[65536];

static void call_format_report(void)
{
    status = moat_co_format_report(co, MOAT_REPORT_TEXT, report_text,
                                   sizeof report_text, &count);
}

static void take_part(const char *bytes, size_t bytes_count, void *arg)
{
    (void)bytes;
    *(size_t *)arg += bytes_count;
}

static void call_pass_report(void)
{
    status = moat_co_pass_report(co, MOAT_REPORT_TEXT, take_part, &count);
}

/* Whatever it is, it is not C++'s. */
static void call_exception_describe(void)
{
    static const uint64_t exception[8];
    moat_exception_info info = MOAT_EXCEPTION_INFO_INIT;

    status = moat_exception_describe(exception, &info);
}

static void call_write_json(void)
{
    status = moat_co_write_json(co, sink);
}

static void call_write_core(void)
{
    status = moat_co_write_core(co, sink);
}

static void call_reset(void)
{
    status = moat_co_reset(co);
}

static void *make_and_leave(void *arg)
{
    make_suspended();
    return arg;
}

static void make_anothers(void)
{
    pthread_t thread;

    EXPECT_EQ(pthread_create(&thread, NULL, make_and_leave, NULL), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

static void call_adopt(void)
{
    status = moat_co_adopt(co);
}

static void call_resume(void)
{
    status = moat_co_resume(co, NULL, &event);
}

static void call_resume_n(void)
{
    static moat_event events[64];

    status = moat_co_resume_n(many, NULL, events, count, &count);
}

static void call_stack_info(void)
{
    moat_stack_info info;

    status = moat_co_stack_info(co, &info);
}

static void call_usage(void)
{
    moat_usage usage = MOAT_USAGE_INIT;

    status = moat_co_usage(co, &usage);
}

static void call_trap_info(void)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    status = moat_co_trap_info(co, &info);
}

static void call_code_register(void)
{
    moat_code code = MOAT_CODE_INIT;

    code.start = area;
    code.size = sizeof area;
    code.name = "code";
    code.unwind = MOAT_CODE_UNWIND_FP;
    status = moat_code_register(&code, &code_id);
}

static void call_code_unregister(void)
{
    status = moat_code_unregister(code_id);
}

static moat_fault_verdict fix(void *address, moat_access access, void *user)
{
    (void)access;
    return address == user ? MOAT_FAULT_FIXED : MOAT_FAULT_DECLINED;
}

static void call_region_register(void)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;

    options.begin = area;
    options.bytes = sizeof area;
    options.fix = fix;
    status = moat_fault_region_register(&options, &region);
}

static void call_region_unregister(void)
{
    status = moat_fault_region_unregister(region);
}

static void call_check(void)
{
    status = moat_engine_check();
}

static void call_get_info(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    status = moat_engine_get_info(&info);
}

static void call_init(void)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    status = moat_engine_init(&options);
}

static void call_shutdown(void)
{
    status = moat_engine_shutdown();
}

static void call_trim(void)
{
    status = moat_engine_trim(0, &count);
}

static void call_frame_describe(void)
{
    const moat_frame frame = {(uintptr_t)write_to_null + 4, 0, NULL, 0};
    char line[100];

    status = moat_frame_describe(&frame, line, sizeof line);
}

static void call_attach(void)
{
    status = moat_thread_attach();
}

/* What the test itself needs to end. */
static void call_confine(void)
{
    static const long calls[] = {SYS_write, SYS_close};

    status = moat_thread_confine(calls, 2);
    if (status == MOAT_E_UNSUPPORTED)
        status = MOAT_OK;
}

static void call_detach(void)
{
    status = moat_thread_detach();
}

/* On the host's stack, below its resume. */
static void *park_and_unpark(void *arg)
{
    moat_parked *parked = moat_guest_park();

    EXPECT(parked != NULL);
    status = moat_guest_unpark(parked);
    return arg;
}

static void *have_it_parked(moat_co *self, void *input)
{
    return moat_call_on_parent(self, park_and_unpark, input);
}

static void make_parked(void)
{
    make_fresh();
    moat_co_destroy(co);
    co = guest_create(have_it_parked);
}

static void call_park(void)
{
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
}

static moat_stack_id stack_id;

static void call_stack_register(void)
{
    status = moat_stack_register(area, sizeof area, &stack_id);
}

static void call_stack_unregister(void)
{
    status = moat_stack_unregister(stack_id);
}

static size_t ranges;

static void count_range(void *begin, void *end_of_range, void *arg)
{
    ranges += begin != end_of_range;
    (void)arg;
}

static void call_visit_roots(void)
{
    moat_stack_info info;

    EXPECT_EQ(moat_co_visit_roots(co, count_range, NULL), MOAT_OK);
    EXPECT_EQ(moat_visit_roots(count_range, NULL), MOAT_OK);
    EXPECT(ranges > 1);
    status = moat_stack_at(co->sp, &info);
}

/* ---- Heaps ---- */

static moat_heap *heap;
static void *block;

static void call_heap_create(void)
{
    status = moat_heap_create(&heap, 64 * KIB * KIB);
}

static void call_heap_destroy(void)
{
    moat_heap_destroy(heap);
    status = MOAT_OK;
}

static void call_heap_reset(void)
{
    status = moat_heap_reset(heap);
}

static void call_heap_clear(void)
{
    status = moat_heap_clear(heap, 64 * KIB);
}

static void take_block(void)
{
    call_heap_create();
    block = moat_heap_alloc(heap, 100);
}

static void call_heap_take(void)
{
    void *zeros = moat_heap_alloc_zeroed(heap, 300 * KIB);
    void *aligned = moat_heap_alloc_aligned(heap, 64 * KIB, 100);

    EXPECT(zeros != NULL && aligned != NULL);
    EXPECT(moat_heap_alloc(heap, 5000) != NULL);
    block = moat_heap_realloc(heap, block, 400 * KIB);
    EXPECT(block != NULL && moat_heap_block_bytes(heap, block) >= 400 * KIB);
    moat_heap_free(heap, zeros);
    moat_heap_free(heap, aligned);
    moat_heap_trim(heap);
    status = MOAT_OK;
}

static void call_heap_hooks(void)
{
    void *other_block = moat_heap_lua(heap, NULL, 0, 100);

    EXPECT(moat_heap_lua(heap, other_block, 100, 0) == NULL);
    other_block = moat_heap_duk_alloc(heap, 100);
    other_block = moat_heap_duk_realloc(heap, other_block, 10000);
    EXPECT(other_block != NULL);
    moat_heap_duk_free(heap, other_block);
    status = MOAT_OK;
}

static void call_heap_ask(void)
{
    EXPECT(moat_heap_used(heap) > 0 && moat_heap_peak(heap) > 0);
    EXPECT(moat_heap_misuse(heap) == NULL && moat_heap_of(block) == heap);
    status = MOAT_OK;
}

static void call_heap_map(void)
{
    char *pages = moat_heap_map(heap, 20 * KIB);

    EXPECT(pages != NULL && moat_heap_map_over(heap, pages, 4 * KIB));
    EXPECT(moat_heap_unmap(heap, pages + 4 * KIB, 4 * KIB));
    pages = moat_heap_map(heap, 20 * KIB);
    pages = moat_heap_remap(heap, pages, 20 * KIB, 300 * KIB, true);
    EXPECT(pages != NULL && moat_heap_break(heap, 100000) != NULL);
    status = MOAT_OK;
}

static void call_heap_find(void)
{
    EXPECT(moat_heap_may_own(block) && moat_heap_had(block));
    EXPECT(moat_heap_find_block(heap, block) != 0);
    EXPECT(moat_heap_kept(NULL) == 0 && moat_heap_kept_block(block) == 0);
    status = MOAT_OK;
}

static void show_none(moat_heap_scan scan)
{
    scan(&status, sizeof status);
}

static void call_heap_keep(void)
{
    EXPECT_EQ(moat_heap_keep(show_none, 1), MOAT_OK);
    status = moat_heap_keep(NULL, 0);
}

static void call_heap_free_later(void)
{
    status = moat_heap_free_later(heap, block);
}

/* ---- Calls of guests ---- */

static void call_for_guest(void)
{
    status = moat_call_for_guest(moat_co_current(), return_input, NULL,
                                 &status) == &status
                 ? MOAT_OK
                 : MOAT_E_STATE;
}

static void call_parent(void)
{
    status =
        moat_call_on_parent(moat_co_current(), return_input, &status) == &status
            ? MOAT_OK
            : MOAT_E_STATE;
}

static void call_yield(void)
{
    status = MOAT_OK;
    (void)moat_co_yield(moat_co_current(), NULL);
}

static void call_switch_to(void)
{
    void *input;

    status = MOAT_OK; /* it does not come back */
    status = moat_co_switch_to(moat_co_current(), other, NULL, &input);
}

static void call_notrap(void)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    status = moat_notrap_call(nothing, NULL, &info);
}

static void call_sections(void)
{
    moat_stack_info info;

    moat_notrap_enter();
    moat_notrap_leave();
    (void)moat_poll();
    status = moat_stack_bounds(&info);
}

static void call_guest_heap(void)
{
    moat_heap *own = NULL;
    void *taken, *moved;

    status = moat_guest_heap(&own, 100 * KIB);
    EXPECT(own != NULL && own == moat_co_heap(moat_co_current()));
    taken = moat_guest_alloc(100);
    moved = moat_guest_realloc(taken, 10000);
    EXPECT(taken != NULL && moved != NULL && moat_guest_free(moved));
    moat_guest_free_or(moat_guest_alloc_or(100, NULL), NULL);
}

static void call_guest_calls(void)
{
    EXPECT(moat_guest_calls());
    status = MOAT_OK;
}

static void call_memory_limit(void)
{
    status = MOAT_OK;
    moat_trap_memory_limit();
}

static void call_raise(void)
{
    status = MOAT_OK;
    moat_trap_raise(1);
}

static void call_raise_as(void)
{
    status = MOAT_OK;
    moat_trap_raise_as(MOAT_TRAP_EXIT, 1);
}

static void call_put(void)
{
    const moat_script_frame frame = {"f", "s", 1, 0, 0};

    moat_script_put(script_walk, &frame);
    status = MOAT_OK;
}

/* ---- The table ---- */

struct need {
    const char *names; /* several in one body are separated by spaces */
    size_t kib;
    void (*before)(void), (*body)(void), (*after)(void);
    enum { HOST, GUEST, WALK } where;
};

static const struct need needs[] = {
    {"moat_backtrace", 8, NULL, call_backtrace, NULL, HOST},
    {"moat_backtrace_fp", 2, make_fresh, call_backtrace_fp, destroy_both, HOST},
    {"moat_co_backtrace", 8, make_trapped, call_co_backtrace, destroy_both,
     HOST},
    {"moat_co_cancel", 8, make_suspended, call_cancel, destroy_both, HOST},
    {"moat_co_clone", 8, make_copied, call_clone, destroy_both, HOST},
    {"moat_co_create", 8, NULL, call_create, destroy_created, HOST},
    {"moat_co_create_n", 8, NULL, call_create_n, destroy_many, HOST},
    {"moat_co_create_from", 8, make_spec, call_create_from,
     destroy_created_and_spec, HOST},
    {"moat_spec_create", 8, NULL, make_spec, destroy_spec, HOST},
    {"moat_spec_prepare", 8, make_spec, call_prepare, destroy_spec, HOST},
    {"moat_spec_destroy", 8, make_spec, destroy_spec, NULL, HOST},
    {"moat_co_current moat_co_entry moat_co_get_state moat_co_name "
     "moat_co_user "
     "moat_co_size moat_co_state_str moat_status_name moat_status_str "
     "moat_trap_kind_name "
     "moat_trap_kind_str moat_limit_name moat_limit_str moat_syscall_name "
     "moat_version "
     "moat_error_note "
     "moat_stack_reserve moat_co_heap moat_co_take_heap",
     2, make_fresh, call_small, destroy_both, HOST},
    {"moat_co_defer", 8, make_fresh, call_defer, destroy_both, HOST},
    {"moat_co_describe", 192, make_trapped, call_describe, destroy_both, HOST},
    {"moat_co_destroy", 8, make_suspended, call_destroy, destroy_both, HOST},
    {"moat_co_is_poisoned", 8, make_trapped, call_is_poisoned, destroy_both,
     HOST},
    {"moat_co_lock_function", 8, make_trapped, call_lock_function, destroy_both,
     HOST},
    {"moat_co_print_report", 192, make_trapped, call_print_report, destroy_both,
     HOST},
    {"moat_co_format_report", 192, make_trapped, call_format_report,
     destroy_both, HOST},
    {"moat_co_pass_report", 192, make_trapped, call_pass_report, destroy_both,
     HOST},
    {"moat_error_detail", 8, call_init, call_error_detail, NULL, HOST},
    {"moat_error_str", 8, call_init, call_error_str, NULL, HOST},
    {"moat_exception_describe", 8, call_init, call_exception_describe, NULL,
     HOST},
    {"moat_co_write_json", 192, make_trapped, call_write_json, destroy_both,
     HOST},
    {"moat_co_write_core", 8, make_trapped, call_write_core, destroy_both,
     HOST},
    {"moat_co_reset", 8, make_suspended, call_reset, destroy_both, HOST},
    {"moat_co_adopt", 8, make_anothers, call_adopt, destroy_both, HOST},
    {"moat_co_resume", 2, make_fresh, call_resume, destroy_both, HOST},
    {"moat_co_resume_n", 2, make_many, call_resume_n, destroy_many, HOST},
    {"moat_co_stack_info", 8, make_suspended, call_stack_info, destroy_both,
     HOST},
    {"moat_co_usage", 8, make_suspended, call_usage, destroy_both, HOST},
    {"moat_co_trap_info", 8, make_trapped, call_trap_info, destroy_both, HOST},
    {"moat_code_register", 8, make_fresh, call_code_register,
     call_code_unregister, HOST},
    {"moat_code_unregister", 8, call_code_register, call_code_unregister, NULL,
     HOST},
    {"moat_fault_region_register", 8, make_fresh, call_region_register,
     call_region_unregister, HOST},
    {"moat_fault_region_unregister", 8, call_region_register,
     call_region_unregister, NULL, HOST},
    {"moat_engine_check", 8, make_fresh, call_check, destroy_both, HOST},
    {"moat_engine_get_info", 8, make_fresh, call_get_info, destroy_both, HOST},
    {"moat_engine_init", 8, NULL, call_init, NULL, HOST},
    {"moat_engine_shutdown", 8, call_init, call_shutdown, NULL, HOST},
    {"moat_engine_trim", 8, call_init, call_trim, NULL, HOST},
    {"moat_frame_describe", 192, call_init, call_frame_describe, NULL, HOST},
    {"moat_thread_attach", 8, call_init, call_attach, NULL, HOST},
    {"moat_co_visit_roots moat_visit_roots moat_stack_at", 2, make_suspended,
     call_visit_roots, destroy_both, HOST},
    {"moat_guest_park moat_guest_unpark", 2, make_parked, call_park,
     destroy_both, HOST},
    {"moat_stack_register", 8, make_fresh, call_stack_register,
     call_stack_unregister, HOST},
    {"moat_stack_unregister", 8, call_stack_register, call_stack_unregister,
     NULL, HOST},
    {"moat_heap_create", 8, NULL, call_heap_create, call_heap_destroy, HOST},
    {"moat_heap_destroy", 8, take_block, call_heap_destroy, NULL, HOST},
    {"moat_heap_reset", 8, take_block, call_heap_reset, call_heap_destroy,
     HOST},
    {"moat_heap_clear", 8, take_block, call_heap_clear, call_heap_destroy,
     HOST},
    {"moat_heap_alloc moat_heap_alloc_aligned moat_heap_alloc_zeroed "
     "moat_heap_realloc moat_heap_block_bytes moat_heap_free moat_heap_trim",
     8, take_block, call_heap_take, call_heap_destroy, HOST},
    {"moat_heap_lua moat_heap_duk_alloc moat_heap_duk_free "
     "moat_heap_duk_realloc",
     8, take_block, call_heap_hooks, call_heap_destroy, HOST},
    {"moat_heap_misuse moat_heap_of moat_heap_peak moat_heap_used", 2,
     take_block, call_heap_ask, call_heap_destroy, HOST},
    {"moat_heap_map moat_heap_map_over moat_heap_remap moat_heap_unmap "
     "moat_heap_break",
     8, take_block, call_heap_map, call_heap_destroy, HOST},
    {"moat_heap_may_own moat_heap_had moat_heap_find_block moat_heap_kept "
     "moat_heap_kept_block",
     2, take_block, call_heap_find, call_heap_destroy, HOST},
    {"moat_heap_keep", 8, take_block, call_heap_keep, call_heap_destroy, HOST},
    {"moat_heap_free_later", 8, take_block, call_heap_free_later,
     call_heap_destroy, HOST},
    {"moat_thread_confine", 8, call_attach, call_confine, NULL, HOST},
    {"moat_thread_detach", 8, call_attach, call_detach, NULL, HOST},

    {"moat_call_for_guest", 2, make_fresh, call_for_guest, destroy_both, GUEST},
    {"moat_call_on_parent", 2, make_fresh, call_parent, destroy_both, GUEST},
    {"moat_co_yield", 2, make_fresh, call_yield, destroy_both, GUEST},
    {"moat_co_switch_to", 2, make_suspended, call_switch_to, destroy_both,
     GUEST},
    {"moat_notrap_call", 8, make_fresh, call_notrap, destroy_both, GUEST},
    {"moat_notrap_enter moat_notrap_leave moat_poll moat_stack_bounds", 2,
     make_fresh, call_sections, destroy_both, GUEST},
    {"moat_trap_raise", 2, make_fresh, call_raise, destroy_both, GUEST},
    {"moat_trap_memory_limit", 2, make_fresh, call_memory_limit, destroy_both,
     GUEST},
    {"moat_guest_heap moat_guest_alloc moat_guest_alloc_or moat_guest_realloc "
     "moat_guest_free moat_guest_free_or",
     8, make_fresh, call_guest_heap, destroy_both, GUEST},
    {"moat_guest_calls", 2, make_fresh, call_guest_calls, destroy_both, GUEST},
    {"moat_trap_raise_as", 2, make_fresh, call_raise_as, destroy_both, GUEST},
    {"moat_script_put", 2, make_fresh, call_put, destroy_both, WALK},
};

/* ---- Measuring ---- */

static const struct need *current;
static size_t limit, end, used;

static void *run_in_guest(moat_co *self, void *input)
{
    moat_stack_info info;

    (void)self;
    EXPECT_EQ(moat_stack_bounds(&info), MOAT_OK);
    limit = info.limit;
    end = small_stack_fill(limit);
    current->body();
    return input;
}

static void run_on_guest(void)
{
    moat_co *guest = guest_create(run_in_guest);

    EXPECT_EQ(moat_co_resume(guest, NULL, &event), MOAT_OK);
    used = end - small_stack_lowest(limit, end);
    moat_co_destroy(guest);
}

static void fill_and_put(const moat_co *subject, moat_script_walk *walk)
{
    moat_stack_info info;

    (void)subject;
    EXPECT_EQ(moat_stack_bounds(&info), MOAT_OK);
    script_walk = walk;
    end = small_stack_fill(info.limit);
    current->body();
    used = end - small_stack_lowest(info.limit, end);
}

static void run_in_walk(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_script script = MOAT_SCRIPT_INIT;
    moat_co *subject = NULL;

    script.walk = fill_and_put;
    options.script = &script;
    REQUIRE(moat_co_create(&subject, write_to_null, &options) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(subject, NULL, &event), MOAT_OK);
    EXPECT_EQ(moat_co_print_report(subject, sink), MOAT_OK);
    moat_co_destroy(subject);
}

/* Of a sanitizer's frames; of a backend (docs/backends.md). */
#define MORE                                    \
    (UNDER_ASAN || UNDER_TSAN ? 8 * KIB         \
     : MOAT_SWITCH_PORTABLE   ? (size_t)2 * KIB \
                              : 0)

static void measure(const void *arg)
{
    current = arg;
    status = MOAT_E_SYSTEM;
    if (current->where == HOST)
        used = small_stack_run(SMALL_STACK_MAX, current->before, current->body,
                               current->after);
    else
        (void)small_stack_run(SMALL_STACK_MAX, current->before,
                              current->where == GUEST ? run_on_guest
                                                      : run_in_walk,
                              current->after);
    EXPECT_EQ(status, MOAT_OK);
    (void)dprintf(STDOUT_FILENO, "%6zu bytes: %s\n", used, current->names);
    EXPECT(used <= current->kib * KIB + MORE);
}

#define NEEDS (sizeof needs / sizeof needs[0])

static int list(void)
{
    for (size_t i = 0; i < NEEDS; i++) {
        char names[400];

        (void)snprintf(names, sizeof names, "%s", needs[i].names);
        for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
            (void)printf("%s %zu\n", name, needs[i].kib);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct child_case cases[NEEDS];

    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return list();
    for (size_t i = 0; i < NEEDS; i++)
        cases[i] = (struct child_case){
            .name = needs[i].names,
            .body = measure,
            .arg = &needs[i],
            .skip = needs[i].before == make_copied && MOAT_SWITCH_PORTABLE
                        ? "stacks are copied by the native switch alone"
                        : NULL};
    return child_cases_run("what calls need of the stack", cases, NEEDS,
                           argc > 1 ? argv[1] : NULL);
}
