/*
 * test_regions.c: fault regions: a lazy heap, a write barrier, a code guard,
 * regions that decline, and threads that fault while regions are added and
 * removed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"

#define PAGE ((size_t)4096)

/* A range of memory and the last call of its `fix`. */
struct range {
    char *begin;
    size_t pages;
    int protection; /* set on a page when it is touched */
    moat_fault_region id;
    atomic_size_t calls;
    _Atomic(uintptr_t) address; /* in the last call */
    atomic_int access;
    _Atomic(uintptr_t) frame;
    atomic_int alive; /* registered; a call that sees 0 is too late */
};

static void *page_of(void *address)
{
    return (void *)((uintptr_t)address & ~(PAGE - 1));
}

static void note(struct range *range, void *address, moat_access access)
{
    atomic_fetch_add(&range->calls, 1);
    atomic_store(&range->address, (uintptr_t)address);
    atomic_store(&range->access, (int)access);
    atomic_store(&range->frame, (uintptr_t)__builtin_frame_address(0));
}

static moat_fault_verdict open_page(void *address, moat_access access,
                                    void *user)
{
    struct range *range = user;

    note(range, address, access);
    errno = EDOM;
    return mprotect(page_of(address), PAGE, range->protection) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

static moat_fault_verdict decline(void *address, moat_access access, void *user)
{
    note(user, address, access);
    return MOAT_FAULT_DECLINED;
}

static void map(struct range *range, size_t pages, int protection)
{
    memset(range, 0, sizeof(*range));
    range->pages = pages;
    range->protection = PROT_READ | PROT_WRITE;
    range->begin = mmap(NULL, pages * PAGE, protection,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(range->begin != MAP_FAILED);
}

static moat_fault_region_options options_for(struct range *range,
                                             moat_fault_fix fix)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;

    options.begin = range->begin;
    options.bytes = range->pages * PAGE;
    options.fix = fix;
    options.user = range;
    return options;
}

static void enrol(struct range *range, moat_fault_fix fix)
{
    moat_fault_region_options options = options_for(range, fix);

    REQUIRE(moat_fault_region_register(&options, &range->id) == MOAT_OK);
    EXPECT(range->id != 0);
}

static void open_range(struct range *range, size_t pages, int protection,
                       moat_fault_fix fix)
{
    map(range, pages, protection);
    enrol(range, fix);
}

static void close_range_of(struct range *range)
{
    EXPECT_EQ(moat_fault_region_unregister(range->id), MOAT_OK);
    (void)munmap(range->begin, range->pages * PAGE);
}

/* Runs a guest that must return its input. */
static void run_well(moat_entry guest, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_TRAP};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, input, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, input);
    moat_co_destroy(co);
}

/* The file is shorter than its mapping until the rest is needed. */
static int growing_file;

static moat_fault_verdict grow_file(void *address, moat_access access,
                                    void *user)
{
    const struct range *range = user;

    note(user, address, access);
    return ftruncate(growing_file, (off_t)(range->pages * PAGE)) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

static void *write_second_page(moat_co *self, void *input)
{
    const struct range *range = input;

    (void)self;
    *(volatile char *)(range->begin + PAGE) = 42;
    return input;
}

static void a_file_grows_under_its_mapping(const void *arg)
{
    struct range range;

    (void)arg;
    memset(&range, 0, sizeof(range));
    range.pages = 3;
    growing_file = memfd_create("growing", MFD_CLOEXEC);
    REQUIRE(growing_file >= 0);
    range.begin = mmap(NULL, range.pages * PAGE, PROT_READ | PROT_WRITE,
                       MAP_SHARED, growing_file, 0);
    REQUIRE(range.begin != MAP_FAILED);
    enrol(&range, grow_file);
    run_well(write_second_page, &range);
    EXPECT_EQ(atomic_load(&range.calls), 1);
    EXPECT_EQ(atomic_load(&range.address), range.begin + PAGE);
    EXPECT_EQ(range.begin[PAGE], 42);
    EXPECT_EQ(ftruncate(growing_file, 0), 0);
    EXPECT_EQ(range.begin[2 * PAGE], 0); /* touched by the host itself */
    EXPECT_EQ(atomic_load(&range.calls), 2);
    close_range_of(&range);
    (void)close(growing_file);
}

/* Runs a guest that must trap. */
static void run_badly(moat_entry guest, void *input, moat_trap_kind kind,
                      uintptr_t address)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, input, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, kind);
    EXPECT_EQ(info.address, address);
    moat_co_destroy(co);
}

/* ---- A lazy heap ---- */

#define HEAP_PAGES (((size_t)64 << 20) / PAGE)

static void fill(const struct range *heap, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        volatile size_t *word = (size_t *)(void *)(heap->begin + i * PAGE);

        EXPECT_EQ(*word, 0);
        *word = i + 1;
    }
}

static void *fill_second_half(moat_co *self, void *input)
{
    (void)self;
    fill(input, HEAP_PAGES / 2, HEAP_PAGES / 2);
    return input;
}

static void expect_filled(const struct range *heap)
{
    for (size_t i = 0; i < heap->pages; i++)
        EXPECT_EQ(*(size_t *)(void *)(heap->begin + i * PAGE), i + 1);
}

static void a_lazy_heap_is_filled_by_host_and_guest(const void *arg)
{
    struct range heap;

    (void)arg;
    open_range(&heap, HEAP_PAGES, PROT_NONE, open_page);
    fill(&heap, 0, HEAP_PAGES / 2);
    EXPECT_EQ(heap.calls, HEAP_PAGES / 2);
    run_well(fill_second_half, &heap);
    EXPECT_EQ(heap.calls, HEAP_PAGES);
    expect_filled(&heap);
    EXPECT_EQ(heap.calls, HEAP_PAGES);
    close_range_of(&heap);
}

/* A repaired fault is no trap, even deep in a no-trap section. */
static void *touch_in_a_section(moat_co *self, void *input)
{
    const struct range *heap = input;

    (void)self;
    moat_notrap_enter();
    *(volatile char *)heap->begin = 1;
    moat_notrap_leave();
    return input;
}

static void *resume_a_toucher(moat_co *self, void *input)
{
    (void)self;
    run_well(touch_in_a_section, input);
    return input;
}

static void a_nested_guest_in_a_section_is_served(const void *arg)
{
    struct range heap;

    (void)arg;
    open_range(&heap, 1, PROT_NONE, open_page);
    run_well(resume_a_toucher, &heap);
    EXPECT_EQ(heap.calls, 1);
    close_range_of(&heap);
}

/* ---- A write barrier ---- */

#define BARRIER_PAGES 300u

static void *read_all_write_some(moat_co *self, void *input)
{
    struct range *range = input;

    (void)self;
    for (size_t i = 0; i < range->pages; i++) {
        volatile char *page = range->begin + i * PAGE;

        EXPECT_EQ(*page, 0);
        if (i % 3 == 0) {
            page[17] = 1;
            page[18] = 2;
        }
    }
    return input;
}

static void a_write_barrier_counts_first_writes(const void *arg)
{
    struct range range;

    (void)arg;
    open_range(&range, BARRIER_PAGES, PROT_READ, open_page);
    run_well(read_all_write_some, &range);
    EXPECT_EQ(range.calls, BARRIER_PAGES / 3);
    EXPECT_EQ(range.access, MOAT_ACCESS_WRITE);
    EXPECT_EQ(range.address,
              (uintptr_t)range.begin + (BARRIER_PAGES - 3) * PAGE + 17);
    close_range_of(&range);
}

/* ---- A guard of code ---- */

static void *call_code(moat_co *self, void *input)
{
    struct range *range = input;
    int (*code)(void) = (int (*)(void))(uintptr_t)range->begin;

    (void)self;
    EXPECT_EQ(code(), 7);
    return input;
}

static void a_code_guard_sees_a_jump(const void *arg)
{
    static const unsigned char code[] = {0xb8, 7, 0, 0, 0, 0xc3};
    struct range range;

    (void)arg;
    map(&range, 1, PROT_READ | PROT_WRITE);
    memcpy(range.begin, code, sizeof(code));
    REQUIRE(mprotect(range.begin, PAGE, PROT_READ) == 0);
    range.protection = PROT_READ | PROT_EXEC;
    enrol(&range, open_page);
    run_well(call_code, &range);
    EXPECT_EQ(range.calls, 1);
    EXPECT_EQ(range.access, MOAT_ACCESS_EXEC);
    EXPECT_EQ(range.address, range.begin);
    close_range_of(&range);
}

/* ---- How it is called ---- */

static void *touch_and_compare(moat_co *self, void *input)
{
    struct range *range = input;
    moat_stack_info stack = {0, 0, 0, 0, 0};
    stack_t alternate;
    uintptr_t low;

    (void)self;
    REQUIRE(moat_stack_bounds(&stack) == MOAT_OK);
    REQUIRE(sigaltstack(NULL, &alternate) == 0);
    errno = 4242;
    *(volatile char *)range->begin = 1;
    EXPECT_EQ(errno, 4242);
    EXPECT(range->frame < stack.guard || range->frame >= stack.base);
    low = (uintptr_t)alternate.ss_sp;
    EXPECT(range->frame >= low);
    EXPECT(range->frame < low + alternate.ss_size);
    return input;
}

static void it_runs_on_the_alternate_stack_and_leaves_no_trace(const void *arg)
{
    struct thread_signals before;
    struct range range;

    (void)arg;
    open_range(&range, 1, PROT_NONE, open_page);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    thread_signals_note(&before);
    run_well(touch_and_compare, &range);
    thread_signals_expect_kept(&before);
    close_range_of(&range);
}

/* ---- Declined ---- */

static void *write_in(moat_co *self, void *input)
{
    const struct range *range = input;

    (void)self;
    *(volatile char *)(range->begin + 100) = 1;
    return input;
}

static void a_declined_fault_is_the_guests_trap(const void *arg)
{
    struct range range;

    (void)arg;
    open_range(&range, 2, PROT_NONE, decline);
    for (size_t i = 1; i <= 3; i++) {
        run_badly(write_in, &range, MOAT_TRAP_MEMORY,
                  (uintptr_t)range.begin + 100);
        EXPECT_EQ(range.calls, i);
    }
    close_range_of(&range);
}

static void a_declined_fault_of_the_host_is_fatal(const void *arg)
{
    static struct range range;

    (void)arg;
    open_range(&range, 1, PROT_NONE, decline);
    *(volatile char *)range.begin = 1;
}

static void after_the_end_of_a_region_a_touch_is_a_trap(const void *arg)
{
    struct range range;

    (void)arg;
    open_range(&range, 1, PROT_NONE, open_page);
    EXPECT_EQ(moat_fault_region_unregister(range.id), MOAT_OK);
    run_badly(write_in, &range, MOAT_TRAP_MEMORY, (uintptr_t)range.begin + 100);
    EXPECT_EQ(range.calls, 0);
    EXPECT_EQ(moat_fault_region_unregister(range.id), MOAT_E_INVAL);
}

/* Each part has its own region; the gaps between them have none. */
static void neighbours_are_told_apart(const void *arg)
{
    struct range whole, parts[5];

    (void)arg;
    map(&whole, 5, PROT_NONE);
    for (size_t i = 0; i < 5; i++) {
        size_t place = i * 3 % 5; /* not in address order */

        memset(&parts[place], 0, sizeof(parts[place]));
        parts[place].begin = whole.begin + place * PAGE;
        parts[place].pages = 1;
        parts[place].protection = PROT_READ | PROT_WRITE;
        if (place != 3)
            enrol(&parts[place], open_page);
    }
    run_badly(write_in, &parts[3], MOAT_TRAP_MEMORY,
              (uintptr_t)parts[3].begin + 100);
    for (size_t i = 0; i < 5; i++) {
        if (i == 3)
            continue;
        run_well(write_in, &parts[i]);
        EXPECT_EQ(parts[i].calls, 1);
        EXPECT_EQ(parts[i].address, parts[i].begin + 100);
        EXPECT_EQ(moat_fault_region_unregister(parts[i].id), MOAT_OK);
    }
    EXPECT_EQ(parts[3].calls, 0);
}

/* ---- A fault in a `fix` ---- */

static sigjmp_buf way_out;

static moat_fault_verdict fault_inside(void *address, moat_access access,
                                       void *user)
{
    struct range *range = user;

    note(range, address, access);
    *(volatile char *)(range->begin + PAGE) = 1;
    return MOAT_FAULT_FIXED;
}

static void a_fault_in_a_fix_is_fatal(const void *arg)
{
    static struct range range;

    (void)arg;
    open_range(&range, 2, PROT_NONE, fault_inside);
    run_well(write_in, &range);
}

static void jump_out(int signo)
{
    siglongjmp(way_out, signo);
}

/* A former handler may jump out of `fix`: no other thread then waits for
 * ever. */
static void a_jump_out_of_a_fix_does_no_harm(const void *arg)
{
    struct sigaction action;
    static struct range range;

    (void)arg;
    memset(&action, 0, sizeof(action));
    action.sa_handler = jump_out;
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
    open_range(&range, 2, PROT_NONE, fault_inside);
    if (sigsetjmp(way_out, 1) == 0)
        *(volatile char *)range.begin = 1;
    EXPECT_EQ(range.calls, 1);
    close_range_of(&range);
    open_range(&range, 1, PROT_NONE, open_page);
    run_well(write_in, &range);
    EXPECT_EQ(range.calls, 1);
    close_range_of(&range);
}

/* ---- Misuse ---- */

static moat_status status_inside, end_inside;

static moat_fault_verdict register_inside(void *address, moat_access access,
                                          void *user)
{
    struct range *range = user,
                 other = {.begin = range->begin + 8 * PAGE, .pages = 1};
    moat_fault_region_options options = options_for(&other, decline);

    status_inside = moat_fault_region_register(&options, &other.id);
    end_inside = moat_fault_region_unregister(range->id);
    return open_page(address, access, user);
}

static void a_fix_may_not_register(const void *arg)
{
    struct range range;

    (void)arg;
    status_inside = end_inside = MOAT_OK;
    open_range(&range, 1, PROT_NONE, register_inside);
    run_well(write_in, &range);
    EXPECT_EQ(status_inside, MOAT_E_STATE);
    EXPECT_EQ(end_inside, MOAT_E_STATE);
    close_range_of(&range);
}

static void expect_refused(const moat_fault_region_options *options)
{
    moat_fault_region id = 4711;

    EXPECT_EQ(moat_fault_region_register(options, &id), MOAT_E_INVAL);
    EXPECT_EQ(id, 4711);
}

static void bad_ranges_are_refused(const void *arg)
{
    struct range range;
    moat_fault_region_options good, bad;

    (void)arg;
    map(&range, 4, PROT_NONE);
    good = bad = options_for(&range, decline);
    expect_refused(NULL);
    EXPECT_EQ(moat_fault_region_register(&good, NULL), MOAT_E_INVAL);
    bad.struct_size = 3;
    expect_refused(&bad);
    bad = good;
    bad.fix = NULL;
    expect_refused(&bad);
    bad = good;
    bad.bytes = 0;
    expect_refused(&bad);
    bad.bytes = PAGE - 1;
    expect_refused(&bad);
    bad.bytes = SIZE_MAX & ~(PAGE - 1);
    expect_refused(&bad);
    bad = good;
    bad.begin = range.begin + 8;
    expect_refused(&bad);
    bad = good;
    bad.flags = 1;
    expect_refused(&bad);
    EXPECT_EQ(moat_fault_region_unregister(0), MOAT_E_INVAL);
    EXPECT_EQ(moat_fault_region_unregister(99), MOAT_E_INVAL);
}

static void overlapping_ranges_are_refused(const void *arg)
{
    static const struct {
        size_t first, count;
    } overlaps[] = {{2, 2}, {1, 2}, {3, 2}, {0, 6}, {2, 1}, {3, 1}};
    struct range range, middle;

    (void)arg;
    map(&range, 6, PROT_NONE);
    middle = range;
    middle.begin += 2 * PAGE;
    middle.pages = 2;
    enrol(&middle, open_page);
    for (size_t i = 0; i < sizeof(overlaps) / sizeof(overlaps[0]); i++) {
        moat_fault_region_options options = options_for(&range, decline);

        expect_context("overlap %zu", i);
        options.begin = range.begin + overlaps[i].first * PAGE;
        options.bytes = overlaps[i].count * PAGE;
        expect_refused(&options);
    }
    EXPECT_EQ(moat_fault_region_unregister(middle.id), MOAT_OK);
}

static void *idle(moat_co *self, void *input)
{
    (void)moat_co_yield(self, input);
    return input;
}

static void a_stack_cannot_be_a_region(const void *arg)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_stack_info stack = {0, 0, 0, 0, 0};
    moat_co *co = NULL;

    (void)arg;
    REQUIRE(moat_co_create(&co, idle, NULL) == MOAT_OK);
    REQUIRE(moat_co_stack_info(co, &stack) == MOAT_OK);
    options.begin = (void *)stack.guard;
    options.bytes = PAGE;
    options.fix = decline;
    expect_refused(&options);
    moat_co_destroy(co);
}

static void shutdown_waits_for_the_last_region(const void *arg)
{
    struct range range;

    (void)arg;
    open_range(&range, 1, PROT_NONE, open_page);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    run_well(write_in, &range);
    close_range_of(&range);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    open_range(&range, 1, PROT_NONE, open_page);
    run_well(write_in, &range);
    close_range_of(&range);
}

static void *register_as_a_guest(moat_co *self, void *input)
{
    struct range range;

    open_range(&range, 1, PROT_NONE, open_page);
    (void)write_in(self, &range);
    EXPECT_EQ(range.calls, 1);
    close_range_of(&range);
    return input;
}

static void a_guest_may_register(const void *arg)
{
    int token = 0;

    (void)arg;
    run_well(register_as_a_guest, &token);
}

static void *register_to_nowhere(moat_co *self, void *input)
{
    static moat_fault_region *volatile nowhere = (moat_fault_region *)16;
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;

    (void)self;
    options.begin = (void *)UINT64_C(0x300000000000);
    options.bytes = 4096;
    options.fix = decline;
    (void)!moat_fault_region_register(&options, nowhere);
    return input;
}

static void a_guest_that_dies_in_a_register_holds_nothing(const void *arg)
{
    struct range range;
    moat_event event;
    moat_co *co;

    (void)arg;
    REQUIRE(moat_co_create(&co, register_to_nowhere, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    open_range(&range, 1, PROT_NONE, open_page);
    run_well(write_in, &range);
    close_range_of(&range);
    moat_co_destroy(co);
}

/* ---- fork ---- */

static void a_child_process_has_the_regions(const void *arg)
{
    struct range range, more;
    int status = -1;
    pid_t child;

    (void)arg;
    open_range(&range, 2, PROT_NONE, open_page);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        run_well(write_in, &range);
        EXPECT_EQ(range.calls, 1);
        open_range(&more, 1, PROT_NONE, open_page);
        run_well(write_in, &more);
        close_range_of(&more);
        close_range_of(&range);
        child_exit();
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(range.calls, 0);
    run_well(write_in, &range);
    close_range_of(&range);
}

/* ---- Threads that fault while regions are added and removed ---- */

#define THREADS      4
#define TRAFFIC      48
#define STORM_S      2.0
#define THREAD_PAGES 16u

static atomic_int storm_over;
static atomic_size_t too_late, served, trapped;
static struct range own[THREADS], traffic[TRAFFIC];

static moat_fault_verdict serve(void *address, moat_access access, void *user)
{
    struct range *range = user;

    (void)access;
    if (atomic_load(&range->alive) == 0)
        atomic_fetch_add(&too_late, 1);
    atomic_fetch_add(&served, 1);
    return mprotect(page_of(address), PAGE, PROT_READ | PROT_WRITE) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

/* Atomic, because several threads touch the same page. */
static void *touch(moat_co *self, void *input)
{
    (void)self;
    atomic_store_explicit((_Atomic char *)input, 1, memory_order_relaxed);
    return input;
}

/* Touches a page whose region may be gone: the access is repaired or
 * trapped. */
static void touch_traffic(moat_co *co, size_t turn)
{
    char *page = traffic[turn % TRAFFIC].begin;
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    EXPECT_EQ(moat_co_resume(co, page, &event), MOAT_OK);
    EXPECT(event.kind == MOAT_EVENT_RETURN || event.kind == MOAT_EVENT_TRAP);
    if (event.kind == MOAT_EVENT_TRAP)
        atomic_fetch_add(&trapped, 1);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    (void)mprotect(page, PAGE, PROT_NONE);
}

static void *fault_all_the_time(void *arg)
{
    struct range *range = arg;
    moat_co *co = NULL;
    moat_event event;

    REQUIRE(moat_co_create(&co, touch, NULL) == MOAT_OK);
    for (size_t turn = (size_t)(range - own); !atomic_load(&storm_over);
         turn++) {
        char *page = range->begin + turn % THREAD_PAGES * PAGE;

        *(volatile char *)page = 1;
        REQUIRE(mprotect(page, PAGE, PROT_NONE) == 0);
        EXPECT_EQ(moat_co_resume(co, page, &event), MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        REQUIRE(mprotect(page, PAGE, PROT_NONE) == 0);
        touch_traffic(co, turn * 7);
    }
    moat_co_destroy(co);
    return NULL;
}

static void toggle(struct range *range)
{
    moat_fault_region_options options = options_for(range, serve);

    if (range->id == 0) {
        atomic_store(&range->alive, 1);
        EXPECT_EQ(moat_fault_region_register(&options, &range->id), MOAT_OK);
        return;
    }
    EXPECT_EQ(moat_fault_region_unregister(range->id), MOAT_OK);
    atomic_store(&range->alive, 0);
    range->id = 0;
}

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* MOAT_TEST_SECONDS: how long. */
static double storm_seconds(void)
{
    const char *asked = getenv("MOAT_TEST_SECONDS");

    return asked != NULL ? strtod(asked, NULL) : STORM_S;
}

static void threads_fault_while_regions_come_and_go(const void *arg)
{
    pthread_t threads[THREADS];
    double end;
    size_t turn = 0;

    (void)arg;
    for (size_t i = 0; i < TRAFFIC; i++)
        map(&traffic[i], 1, PROT_NONE);
    for (size_t i = 0; i < THREADS; i++) {
        open_range(&own[i], THREAD_PAGES, PROT_NONE, serve);
        atomic_store(&own[i].alive, 1);
        REQUIRE(pthread_create(&threads[i], NULL, fault_all_the_time,
                               &own[i]) == 0);
    }
    for (end = seconds() + storm_seconds(); seconds() < end; turn++)
        toggle(&traffic[turn * 13 % TRAFFIC]);
    atomic_store(&storm_over, 1);
    for (size_t i = 0; i < THREADS; i++) {
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
        close_range_of(&own[i]);
    }
    EXPECT_EQ(too_late, 0);
    EXPECT(served > 0);
    EXPECT(trapped > 0);
    EXPECT(turn > TRAFFIC);
}

static struct child_case cases[] = {
    CHILD_CASE(a_lazy_heap_is_filled_by_host_and_guest),
    CHILD_CASE(a_nested_guest_in_a_section_is_served),
    CHILD_CASE(a_write_barrier_counts_first_writes),
    CHILD_CASE(a_code_guard_sees_a_jump),
    CHILD_CASE(it_runs_on_the_alternate_stack_and_leaves_no_trace),
    CHILD_CASE(a_file_grows_under_its_mapping),
    CHILD_CASE(a_declined_fault_is_the_guests_trap),
    {"a_declined_fault_of_the_host_is_fatal",
     a_declined_fault_of_the_host_is_fatal, NULL, NULL, SIGSEGV, 0},
    CHILD_CASE(after_the_end_of_a_region_a_touch_is_a_trap),
    CHILD_CASE(neighbours_are_told_apart),
    {"a_fault_in_a_fix_is_fatal", a_fault_in_a_fix_is_fatal, NULL, NULL,
     SIGSEGV, 0},
    CHILD_CASE(a_jump_out_of_a_fix_does_no_harm),
    CHILD_CASE(a_fix_may_not_register),
    CHILD_CASE(bad_ranges_are_refused),
    CHILD_CASE(overlapping_ranges_are_refused),
    CHILD_CASE(a_stack_cannot_be_a_region),
    CHILD_CASE(shutdown_waits_for_the_last_region),
    CHILD_CASE(a_guest_may_register),
    CHILD_CASE(a_guest_that_dies_in_a_register_holds_nothing),
    CHILD_CASE(a_child_process_has_the_regions),
    CHILD_CASE(threads_fault_while_regions_come_and_go),
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(int argc, char **argv)
{
    const char *source = getenv("MOAT_TRAP_SOURCE");

    for (size_t i = 0; i < CASES; i++) {
        if (cases[i].body != a_jump_out_of_a_fix_does_no_harm)
            continue;
        if (source != NULL && strcmp(source, "manual") == 0)
            cases[i].skip = "the host's handler is not moat's";
        if (UNDER_TSAN)
            cases[i].skip = "ThreadSanitizer cannot follow the jump";
    }
    return child_cases_run("fault regions", cases, CASES,
                           argc > 1 ? argv[1] : NULL);
}
