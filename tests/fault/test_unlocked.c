/*
 * test_unlocked.c: under a lock of moat's nothing is called that takes a lock
 * of the program's: not the heap, not stdio, not the dynamic linker. All of the
 * public functions are called while lock_watch.h looks on.
 *
 *   fault_unlocked           no such call is expected
 *   fault_unlocked planted   a source of faults makes one
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <moat/moat.h>
#include <moat/source.h>

#include "../support/eh_frame.h"
#include "../support/fixture.h"
#include "../support/lock_watch.h"
#include "guests.h"

static int null_device;

/* ---- Coroutines ---- */

static void use_coroutines(void)
{
    moat_co *suspended = guest_create(guest_echo);
    moat_co *trapped = guest_create(guest_write_null);
    moat_co *many[200];
    moat_stack_info stack;
    size_t done = 0;

    (void)guest_resume(suspended, NULL);
    guest_expect_trap(trapped, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_co_stack_info(suspended, &stack), MOAT_OK);
    EXPECT_EQ(moat_co_create_n(many, guest_echo, NULL, NULL, 200, &done),
              MOAT_OK);
    while (done > 0)
        moat_co_destroy(many[--done]);
    EXPECT_EQ(moat_co_reset(trapped), MOAT_OK);
    moat_co_destroy(trapped);
    moat_co_destroy(suspended);
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
}

/* Each size is a class, and each class has arenas of its own. */
static void use_classes(void)
{
    for (size_t kib = 16; kib < 48; kib += 4) {
        moat_co_options options = MOAT_CO_OPTIONS_INIT;
        moat_co *co;

        options.stack_bytes = kib << 10;
        options.name = "sized";
        EXPECT_EQ(moat_co_create(&co, guest_echo, &options), MOAT_OK);
        moat_co_destroy(co);
    }
    EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
}

static void use_limits(void)
{
    moat_co *co = guest_create_limited(guest_loop, 0, 5 * MS);

    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

/* ---- Reports ---- */

static void use_reports(void)
{
    static moat_described_frame described[64];
    moat_co *co = guest_create(guest_write_null);
    moat_frame frames[64];
    char text[256];
    size_t count;

    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_co_print_report(co, null_device), MOAT_OK);
    EXPECT_EQ(moat_co_write_json(co, null_device), MOAT_OK);
    EXPECT_EQ(moat_co_write_core(co, null_device), MOAT_OK);
    EXPECT_EQ(moat_co_backtrace(co, frames, 64, &count), MOAT_OK);
    EXPECT_EQ(moat_frame_describe(&frames[0], text, sizeof text), MOAT_OK);
    EXPECT_EQ(moat_co_describe(co, described, 64, &count), MOAT_OK);
    EXPECT_EQ(moat_backtrace(frames, 64, &count), MOAT_OK);
    moat_co_destroy(co);
}

/* ---- Registrations ---- */

#define PAGES 300

static unsigned char *code_pages;

static moat_code_id register_at(size_t page)
{
    static const moat_code_line lines[] = {{0, 1}, {4, 2}};
    struct eh_frame eh = {.used = 0};
    moat_code code = MOAT_CODE_INIT;
    moat_code_id id = 0;

    code.start = code_pages + page * 4096;
    code.size = 64;
    code.name = "registered";
    code.file = "file";
    code.lines = lines;
    code.line_count = 2;
    eh_cie(&eh, EH_ABSPTR);
    eh_fde(&eh, code.start, 32, "", 0);
    eh_fde(&eh, (const char *)code.start + 32, 32, "", 0);
    code.unwind = MOAT_CODE_UNWIND_CFI;
    code.eh_frame = eh.bytes;
    code.eh_frame_bytes = eh.used;
    EXPECT_EQ(moat_code_register(&code, &id), MOAT_OK);
    return id;
}

/* So many that groups, leaves and tables are split, merged and grown. */
static void use_code(void)
{
    static moat_code_id ids[PAGES];

    code_pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(code_pages != MAP_FAILED);
    for (size_t i = 0; i < PAGES; i++)
        ids[i] = register_at(i * 7 % PAGES);
    for (size_t i = 0; i < PAGES; i++)
        EXPECT_EQ(moat_code_unregister(ids[i * 11 % PAGES]), MOAT_OK);
}

static moat_fault_verdict refuse(void *address, moat_access access, void *user)
{
    (void)address;
    (void)access;
    (void)user;
    return MOAT_FAULT_DECLINED;
}

static void use_regions(void)
{
    static moat_fault_region regions[PAGES];
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;

    options.bytes = 4096;
    options.fix = refuse;
    for (size_t i = 0; i < PAGES; i++) {
        options.begin = code_pages + i * 4096;
        EXPECT_EQ(moat_fault_region_register(&options, &regions[i]), MOAT_OK);
    }
    for (size_t i = 0; i < PAGES; i++)
        EXPECT_EQ(moat_fault_region_unregister(regions[i]), MOAT_OK);
}

static void use_stacks(void)
{
    static moat_stack_id stacks[PAGES];

    for (size_t i = 0; i < PAGES; i++)
        EXPECT_EQ(moat_stack_register(code_pages + i * 4096, 4096, &stacks[i]),
                  MOAT_OK);
    for (size_t i = 0; i < PAGES; i++)
        EXPECT_EQ(moat_stack_unregister(stacks[i]), MOAT_OK);
}

/* ---- Guest heaps ---- */

static void use_heaps(void)
{
    static moat_heap *heaps[50];

    for (size_t i = 0; i < 50; i++) {
        EXPECT_EQ(moat_heap_create(&heaps[i], (size_t)1 << (16 + i % 5)),
                  MOAT_OK);
        EXPECT(moat_heap_alloc(heaps[i], 1000) != NULL);
    }
    for (size_t i = 0; i < 50; i++)
        moat_heap_destroy(heaps[i]);
}

/* ---- Threads and processes ---- */

static moat_co *left_behind;

static void *work(void *arg)
{
    use_coroutines();
    left_behind = guest_create(guest_echo);
    return arg;
}

static void use_threads(void)
{
    pthread_t thread;

    EXPECT_EQ(pthread_create(&thread, NULL, work, NULL), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    moat_co_destroy(left_behind);
}

static void use_forks(void)
{
    int status;
    pid_t child = fork();

    REQUIRE(child >= 0);
    if (child == 0) {
        use_coroutines();
        use_reports();
        _exit(lock_watch_calls() == 0 && expect_failures() == 0 ? 0 : 1);
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

/* ---- Want ---- */

/* Coroutines until memory is used up, which the system is asked about. */
static void use_up_memory(void)
{
    static moat_co *all[100000];
    struct rlimit former, tight;
    size_t count = 0;

    REQUIRE(getrlimit(RLIMIT_DATA, &former) == 0);
    tight = former;
    tight.rlim_cur = (rlim_t)64 << 20;
    REQUIRE(setrlimit(RLIMIT_DATA, &tight) == 0);
    while (count < 100000 &&
           moat_co_create(&all[count], guest_echo, NULL) == MOAT_OK)
        count++;
    EXPECT(count < 100000);
    REQUIRE(setrlimit(RLIMIT_DATA, &former) == 0);
    while (count > 0)
        moat_co_destroy(all[--count]);
}

/* ---- The engine ---- */

static void ask(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT(moat_engine_check() != MOAT_E_SYSTEM);
}

static void use_all(const moat_engine_options *options)
{
    ask();
    REQUIRE(moat_engine_init(options) == MOAT_OK);
    ask();
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    use_coroutines();
    use_classes();
    use_limits();
    use_reports();
    use_code();
    use_regions();
    use_stacks();
    use_heaps();
    use_threads();
    use_forks();
    use_up_memory();
    ask();
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* ---- The plant ---- */

static moat_status nothing(void)
{
    return MOAT_OK;
}

static moat_status allocate(const moat_source_range *range)
{
    (void)range;
    free(malloc(1));
    return MOAT_OK;
}

static void forget(const moat_source_range *range)
{
    (void)range;
}

static void plant(void)
{
    static moat_source source;
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;
    moat_co *co;

    source = *MOAT_SOURCE_MANUAL;
    source.install = source.check = source.remove = nothing;
    source.watch = allocate;
    source.unwatch = forget;
    options.source = &source;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
    REQUIRE(moat_co_create(&co, guest_echo, NULL) == MOAT_OK);
    moat_co_destroy(co);
}

/* Files for perf, which the environment asks for. */
static void drop_file(const char *format)
{
    char path[64];

    (void)snprintf(path, sizeof path, format, (long)getpid());
    EXPECT_EQ(unlink(path), 0);
}

int main(int argc, char **argv)
{
    lock_watch_begin((const void *)(uintptr_t)moat_engine_init);
    /* libgcc frees its index of registered code when code is withdrawn, which
     * must happen in the order of the registrations. */
    lock_watch_spare("libgcc_s");
    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)setenv("MOAT_PERF_MAP", "1", 1);
    (void)setenv("MOAT_JITDUMP", "/tmp", 1);
    if (argc > 1 && strcmp(argv[1], "planted") == 0) {
        plant();
    } else {
        use_all(NULL);
        use_all(NULL);
        EXPECT(lock_watch_locks() > 1000);
        drop_file("/tmp/perf-%ld.map");
        drop_file("/tmp/jit-%ld.dump");
    }
    (void)printf("%lu locks taken, %lu calls under a lock\n",
                 lock_watch_locks(), lock_watch_calls());
    return lock_watch_calls() == 0 && expect_failures() == 0 ? 0 : 1;
}
