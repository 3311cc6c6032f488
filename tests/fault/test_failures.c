/*
 * test_failures.c: the n-th call into the C library fails, for every n, during
 * a whole life of the engine. Each failure gives a proper status, leaves
 * nothing half installed and leaks nothing, and the next try works.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/eh_frame.h"
#include "../support/fixture.h"
#include "../support/inject.h"
#include "../support/surroundings.h"

/* The exit status of a child in which there was no n-th call: the loop ends. */
#define NEVER_CAME 10
#define MAX_CALLS  600

int __real_sigaltstack(const stack_t *stack, stack_t *old);

static struct dispositions dispositions_before;

/* Calls keep failing, so an alternate stack cannot be restored yet. */
static bool no_way_back;

/* Returns whether a failed call may return `status`. */
static bool is_failure(moat_status status)
{
    return status == MOAT_E_NOMEM || status == MOAT_E_SYSTEM ||
           status == MOAT_E_GUARD_LIMIT || status == MOAT_E_UNSUPPORTED;
}

/* Returns whether the call succeeded; if not, its status must be a failure. */
static bool went_well(moat_status status)
{
    if (status != MOAT_OK)
        EXPECT(is_failure(status));
    return status == MOAT_OK;
}

static bool init(void)
{
    if (went_well(moat_engine_init(NULL)))
        return true;
    (void)inject_disarm();
    dispositions_expect_kept(&dispositions_before);
    EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
    return false;
}

static bool attach(void)
{
    struct thread_signals before;
    bool ok;

    thread_signals_note(&before);
    ok = went_well(moat_thread_attach());
    if (!ok && !no_way_back) {
        (void)inject_disarm();
        thread_signals_expect_kept(&before);
    }
    return ok;
}

static void *yield_then_fault(moat_co *self, void *input)
{
    volatile char used[20000];

    used[0] = 1;
    (void)moat_co_yield(self, input);
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return (void *)(uintptr_t)(unsigned char)used[0];
}

static void ignore(void *arg)
{
    (void)arg;
}

/* Resumes; a failed resume leaves state and event unchanged. */
static bool resume(moat_co *co, moat_event_kind kind)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co_state state = moat_co_get_state(co);

    if (went_well(moat_co_resume(co, NULL, &event))) {
        EXPECT_EQ(event.kind, kind);
        return true;
    }
    EXPECT_EQ(event.kind, MOAT_EVENT_PANIC);
    EXPECT_EQ(moat_co_get_state(co), state);
    EXPECT_EQ(moat_co_current(), NULL);
    return false;
}

static bool reset(moat_co *co)
{
    moat_co_state state = moat_co_get_state(co);

    if (went_well(moat_co_reset(co)))
        return true;
    EXPECT_EQ(moat_co_get_state(co), state);
    return false;
}

/* Cancels; a failed cancel leaves the coroutine unchanged. */
static bool cancel(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    if (went_well(moat_co_cancel(co, &event))) {
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
        return true;
    }
    EXPECT_EQ(event.kind, MOAT_EVENT_PANIC);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
    return false;
}

static bool live_through(moat_co *co)
{
    return went_well(moat_co_defer(co, ignore, NULL)) &&
           resume(co, MOAT_EVENT_YIELD) && resume(co, MOAT_EVENT_TRAP) &&
           reset(co) && resume(co, MOAT_EVENT_YIELD) && cancel(co) &&
           reset(co) && resume(co, MOAT_EVENT_YIELD);
}

static bool one_life(const moat_co_options *options)
{
    moat_co *const untouched = (moat_co *)(uintptr_t)0x5150;
    moat_co *co = untouched;
    bool ok;

    if (!went_well(moat_co_create(&co, yield_then_fault, options))) {
        EXPECT_EQ(co, untouched);
        return false;
    }
    ok = live_through(co);
    moat_co_destroy(co);
    return ok;
}

/* Created in one call. If it fails half-way, the coroutines created so far
 * remain, and the rest of the array is unchanged. */
#define BATCH ((size_t)5)

static bool batch_of_lives(void)
{
    moat_co *const untouched = (moat_co *)(uintptr_t)0x5150;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *cos[BATCH];
    size_t done = BATCH + 1;
    bool ok;

    for (size_t i = 0; i < BATCH; i++)
        cos[i] = untouched;
    options.stack_bytes = (size_t)128 << 10;
    options.name = "one of some";
    ok = went_well(
        moat_co_create_n(cos, yield_then_fault, &options, NULL, BATCH, &done));
    EXPECT(ok ? done == BATCH : done < BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        EXPECT((cos[i] == untouched) == (i >= done));
        if (i >= done)
            continue;
        EXPECT_EQ(moat_co_get_state(cos[i]), MOAT_CO_FRESH);
        EXPECT_STR(moat_co_name(cos[i]), options.name);
        moat_co_destroy(cos[i]);
    }
    return ok;
}

/* From a spec, with some ready in advance. */
static bool life_from(moat_spec *spec)
{
    moat_co *const untouched = (moat_co *)(uintptr_t)0x5150;
    moat_co *co = untouched;
    bool ok;

    if (!went_well(moat_co_create_from(&co, spec, yield_then_fault, NULL))) {
        EXPECT_EQ(co, untouched);
        return false;
    }
    EXPECT_STR(moat_co_name(co), "specified");
    ok = live_through(co);
    moat_co_destroy(co);
    return ok;
}

static bool lives_from_a_spec(void)
{
    moat_spec *const untouched = (moat_spec *)(uintptr_t)0x5150;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_spec *spec = untouched;
    bool ok;

    limits.memory_bytes = (uint64_t)1 << 20;
    options.limits = &limits;
    options.name = "specified";
    if (!went_well(moat_spec_create(&spec, &options))) {
        EXPECT_EQ(spec, untouched);
        return false;
    }
    ok = life_from(spec) && went_well(moat_spec_prepare(spec, 3)) &&
         life_from(spec);
    moat_spec_destroy(spec);
    return ok;
}

/* The library makes specs of these itself. */
static bool lives_that_come_again(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    char name[] = "again 0";

    for (int i = 0; i < 15; i++) {
        name[6] = (char)('0' + i / 3);
        options.name = name;
        if (!one_life(&options))
            return false;
    }
    return true;
}

/* Coroutines of several kinds, one after another. */
static bool all_lives(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    if (!one_life(NULL) || !batch_of_lives() || !lives_from_a_spec() ||
        !lives_that_come_again())
        return false;
    options.stack_bytes = (size_t)1 << 20;
    options.name = "scrubbed";
    options.flags = MOAT_CO_SCRUB_ZERO;
    if (!one_life(&options))
        return false;
    options.flags = MOAT_CO_SCRUB_DISCARD;
    if (!one_life(&options))
        return false;
    limits.wall_ns = limits.resume_cpu_ns = UINT64_C(100000000000);
    options.limits = &limits;
    return one_life(&options);
}

static moat_fault_verdict decline(void *address, moat_access access, void *user)
{
    (void)address;
    (void)access;
    (void)user;
    return MOAT_FAULT_DECLINED;
}

/* Enough for the map to be split; each one fails for lack of memory. */
static bool many_codes(void)
{
    moat_code_id ids[100];
    moat_code code = MOAT_CODE_INIT;
    size_t count = 0;
    bool ok = true;

    code.size = 16;
    code.name = "code";
    while (ok && count < 100) {
        code.start = (void *)(UINT64_C(0x200000000000) + 16 * count);
        ok = went_well(moat_code_register(&code, &ids[count]));
        count += ok;
    }
    while (count-- > 0)
        EXPECT_EQ(moat_code_unregister(ids[count]), MOAT_OK);
    return ok;
}

/* Code with unwind rules and lines, which is published to other unwinders: more
 * pieces than fit into one group. */
static bool described_codes(void)
{
    static const moat_code_line lines[] = {{0, 1}, {4, 2}};
    struct eh_frame eh = {.used = 0};
    const char *start = (const char *)UINT64_C(0x210000000000);
    moat_code code = MOAT_CODE_INIT;
    moat_code_id ids[3] = {0, 0, 0};
    bool ok;

    eh_cie(&eh, EH_ABSPTR);
    for (size_t i = 0; i < 70; i++)
        eh_fde(&eh, start + 16 * i, 16, "", 0);
    code.start = start;
    code.size = (size_t)70 * 16;
    code.name = "described";
    code.file = "file";
    code.lines = lines;
    code.line_count = 2;
    code.unwind = MOAT_CODE_UNWIND_CFI;
    code.eh_frame = eh.bytes;
    code.eh_frame_bytes = eh.used;
    ok = went_well(moat_code_register(&code, &ids[0]));
    code.eh_frame = NULL;
    code.eh_frame_bytes = 0;
    code.unwind = MOAT_CODE_UNWIND_FP;
    for (size_t i = 1; ok && i < 3; i++) {
        code.start = start + 4096 * i;
        ok = went_well(moat_code_register(&code, &ids[i]));
    }
    for (size_t i = 0; i < 3; i++) {
        if (ids[i] != 0)
            EXPECT_EQ(moat_code_unregister(ids[i]), MOAT_OK);
    }
    return ok;
}

/* Two regions, so that the removal of one leaves a table. */
static moat_fault_region regions[2];
static size_t region_count;

static bool add_regions(void)
{
    static _Alignas(4096) char area[2 * 4096];
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;

    options.bytes = 4096;
    options.fix = decline;
    while (region_count < 2) {
        options.begin = &area[region_count * 4096];
        if (!went_well(
                moat_fault_region_register(&options, &regions[region_count])))
            return false;
        region_count++;
    }
    return true;
}

static bool remove_regions(void)
{
    while (region_count > 0) {
        if (!went_well(moat_fault_region_unregister(regions[region_count - 1])))
            return false;
        region_count--;
    }
    return true;
}

static void *use_heap(moat_co *self, void *input)
{
    void *block = moat_heap_alloc(moat_co_heap(self), 100000);

    /* The system may refuse the memory of a large block. */
    moat_heap_free(moat_co_heap(self), block);
    moat_heap_free(moat_co_heap(self), moat_heap_alloc(moat_co_heap(self), 1));
    return input;
}

/* A heap that cannot be emptied can still be ended. */
static bool heap_life(void)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;
    bool well;

    limits.memory_bytes = 1 << 20;
    options.limits = &limits;
    if (!went_well(moat_co_create(&co, use_heap, &options)))
        return false;
    well = resume(co, MOAT_EVENT_RETURN) && reset(co);
    moat_co_destroy(co);
    return well;
}

/* A failed detach leaves the thread attached and its stack armed. */
static bool detach(void)
{
    stack_t before, after;

    EXPECT_EQ(__real_sigaltstack(NULL, &before), 0);
    if (went_well(moat_thread_detach()))
        return true;
    EXPECT_EQ(__real_sigaltstack(NULL, &after), 0);
    EXPECT_EQ(after.ss_sp, before.ss_sp);
    return false;
}

/* Memory that the kernel refuses to release can be used again. */
static bool trim(void)
{
    size_t released = (size_t)-1;
    moat_status status = moat_engine_trim(0, &released);

    EXPECT(status == MOAT_OK || status == MOAT_E_SYSTEM);
    EXPECT(released != (size_t)-1);
    return went_well(status);
}

static bool shut_down(void)
{
    return detach() && went_well(moat_engine_shutdown());
}

static bool everything(void)
{
    return init() && attach() && add_regions() && all_lives() && trim() &&
           all_lives() && heap_life() && many_codes() && described_codes() &&
           remove_regions() && shut_down();
}

/* The blocks that the process keeps for good. */
static long *kept_blocks;

static _Noreturn void measure_kept(void)
{
    long blocks = inject_live_blocks();

    EXPECT(everything());
    EXPECT(everything());
    *kept_blocks = inject_live_blocks() - blocks;
    child_exit();
}

static void find_kept(void)
{
    int status = -1;
    pid_t child;

    kept_blocks = mmap(NULL, sizeof *kept_blocks, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(kept_blocks != MAP_FAILED);
    child = fork();
    if (child == 0)
        measure_kept();
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(*kept_blocks < 20);
}

/* Runs in a child: makes the n-th call fail, then tries again. */
static _Noreturn void fail_nth_call(unsigned n, bool all_that_follow)
{
    struct thread_signals signals_before;
    long blocks = inject_live_blocks(), mapped = inject_live_mapped_bytes();
    int descriptors = descriptors_open();
    bool came;

    dispositions_note(&dispositions_before);
    thread_signals_note(&signals_before);
    no_way_back = all_that_follow;
    inject_arm(n, all_that_follow);
    (void)everything();
    came = inject_disarm() >= n;
    expect_context("call %u, %s, failed", n, inject_victim());
    EXPECT(everything());
    dispositions_expect_kept(&dispositions_before);
    thread_signals_expect_kept(&signals_before);
    EXPECT_EQ(inject_live_blocks(), blocks + *kept_blocks);
    EXPECT_EQ(inject_live_mapped_bytes(), mapped);
    EXPECT_EQ(descriptors_open(), descriptors);
    if (expect_failures() != 0)
        _exit(CHILD_FAILED);
    _exit(came ? 0 : NEVER_CAME);
}

static void fail_each_call(bool all_that_follow)
{
    unsigned n;

    find_kept();

    for (n = 1; n < MAX_CALLS; n++) {
        int status = 0;
        pid_t child = fork();

        REQUIRE(child >= 0);
        expect_context("call %u", n);
        if (child == 0)
            fail_nth_call(n, all_that_follow);
        REQUIRE(waitpid(child, &status, 0) == child);
        EXPECT(WIFEXITED(status));
        if (WIFEXITED(status) && WEXITSTATUS(status) == NEVER_CAME)
            break;
        EXPECT_EQ(WEXITSTATUS(status), 0);
    }
    EXPECT(n > 10);
    EXPECT(n < MAX_CALLS);
}

static void each_call_may_fail(const void *arg)
{
    (void)arg;
    fail_each_call(false);
}

static void all_calls_from_the_nth_on_may_fail(const void *arg)
{
    (void)arg;
    fail_each_call(true);
}

static void *loop(moat_co *self, void *input)
{
    (void)self;
    for (;;)
        __asm__ volatile("pause");
    return input;
}

/* A limit set by a resume that failed must not be taken as set later. */
static void expect_cut_after_failures_from(unsigned n)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = NULL;

    expect_context("from call %u on", n);
    limits.wall_ns = 20000000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, loop, &options) == MOAT_OK);
    inject_arm(n, true);
    if (moat_co_resume(co, NULL, &event) != MOAT_OK)
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    (void)inject_disarm();
    if (moat_co_get_state(co) == MOAT_CO_FRESH)
        EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    EXPECT(shut_down());
}

static void a_time_limit_holds_after_one_that_could_not_be_set(const void *arg)
{
    (void)arg;
    for (unsigned n = 1; n <= 6; n++)
        expect_cut_after_failures_from(n);
}

/* Before the last step the thread is not bounded. */
static void a_bound_that_fails_is_none(const void *arg)
{
    moat_status status = MOAT_E_NOMEM;
    unsigned n;

    (void)arg;
    REQUIRE(init() && attach());
    for (n = 1; n < 20 && status != MOAT_OK; n++) {
        EXPECT(syscall(SYS_getppid) > 0);
        inject_arm(n, true);
        status = moat_thread_confine(NULL, 0);
        (void)inject_disarm();
        if (status == MOAT_E_UNSUPPORTED)
            child_leave_out("no seccomp here");
    }
    EXPECT(n > 2 && n < 20);
    EXPECT(syscall(SYS_getppid) == -1);
}

static void *yield_for_ever(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

static void *fault_at_once(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise(1);
}

static void count_a_call(void *arg)
{
    ++*(int *)arg;
}

/* If scrubbing fails half-way, the frames are gone: the coroutine can only be
 * reset again or destroyed. Whether deferred functions have run makes no
 * difference. */
static void expect_a_failed_reset(moat_entry entry, bool resumed, bool deferred,
                                  moat_co_state after)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    int calls = 0;
    moat_co *co = NULL;

    options.flags = MOAT_CO_SCRUB_DISCARD;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    if (deferred)
        EXPECT_EQ(moat_co_defer(co, count_a_call, &calls), MOAT_OK);
    if (resumed)
        EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    inject_arm(1, true);
    EXPECT_EQ(moat_co_reset(co), MOAT_E_SYSTEM);
    (void)inject_disarm();
    EXPECT_STR(inject_victim(), "madvise");
    EXPECT_EQ(calls, deferred);
    EXPECT_EQ(moat_co_get_state(co), after);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(calls, deferred);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    moat_co_destroy(co);
}

static void
a_coroutine_that_could_not_be_scrubbed_is_not_resumed(const void *arg)
{
    (void)arg;
    expect_a_failed_reset(yield_for_ever, false, false, MOAT_CO_DONE);
    expect_a_failed_reset(yield_for_ever, false, true, MOAT_CO_DONE);
    expect_a_failed_reset(yield_for_ever, true, false, MOAT_CO_DONE);
    expect_a_failed_reset(yield_for_ever, true, true, MOAT_CO_DONE);
    expect_a_failed_reset(fault_at_once, true, false, MOAT_CO_TRAPPED);
    expect_a_failed_reset(fault_at_once, true, true, MOAT_CO_TRAPPED);
}

static bool is_among(const moat_co *co, moat_co *const *cos, size_t count)
{
    bool found = false;

    for (size_t i = 0; i < count; i++)
        found |= cos[i] == co;
    return found;
}

/* The stacks taken for the rest of the batch are free again. */
static void a_batch_that_fails_half_way_loses_no_stack(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *first[BATCH], *cos[BATCH];
    size_t done;

    (void)arg;
    options.name = "one of some";
    REQUIRE(moat_co_create_n(first, yield_for_ever, &options, NULL, BATCH,
                             &done) == MOAT_OK);
    for (size_t i = 0; i < BATCH; i++)
        moat_co_destroy(first[i]);
    /* Other options: those that came before have a spec, which has the name.
     * The first call copies the name, from a guest or from the host. */
    options.name = "one of others";
    inject_arm(3, false);
    EXPECT_EQ(
        moat_co_create_n(cos, yield_for_ever, &options, NULL, BATCH, &done),
        MOAT_E_NOMEM);
    (void)inject_disarm();
    EXPECT_STR(inject_victim(), "strdup");
    REQUIRE(done == 1);
    EXPECT_EQ(moat_co_create_n(cos + 1, yield_for_ever, &options, NULL,
                               BATCH - 1, &done),
              MOAT_OK);
    for (size_t i = 0; i < BATCH; i++) {
        EXPECT(is_among(first[i], cos, BATCH));
        moat_co_destroy(first[i]);
    }
}

/* Without a failure, everything is released. */
static void nothing_is_left_after_shutdown(const void *arg)
{
    long blocks, mapped;

    (void)arg;
    find_kept();
    blocks = inject_live_blocks();
    mapped = inject_live_mapped_bytes();
    for (int i = 0; i < 5; i++) {
        EXPECT(everything());
        EXPECT_EQ(inject_live_blocks(), blocks + *kept_blocks);
        EXPECT_EQ(inject_live_mapped_bytes(), mapped);
    }
}

/* backends.switch shows what those are. */
#define NO_FAILURE                                                       \
    (MOAT_SWITCH_PORTABLE && !SWITCH_SETS_MASK                           \
         ? "a first entry makes system calls that are taken not to fail" \
         : NULL)

static const struct child_case cases[] = {
    CHILD_CASE(nothing_is_left_after_shutdown),
    {"each_call_may_fail", each_call_may_fail, NULL, NO_FAILURE, 0, 0},
    {"all_calls_from_the_nth_on_may_fail", all_calls_from_the_nth_on_may_fail,
     NULL, NO_FAILURE, 0, 0},
    CHILD_CASE(a_batch_that_fails_half_way_loses_no_stack),
    {"a_time_limit_holds_after_one_that_could_not_be_set",
     a_time_limit_holds_after_one_that_could_not_be_set, NULL, NO_FAILURE, 0,
     0},
    CHILD_CASE(a_coroutine_that_could_not_be_scrubbed_is_not_resumed),
    {"a_bound_that_fails_is_none", a_bound_that_fails_is_none, NULL,
     UNDER_TSAN ? "ThreadSanitizer needs calls of its own" : NULL, 0, 0},
};

int main(int argc, char **argv)
{
    return child_cases_run("each failure is handled", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
