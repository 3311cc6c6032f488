/*
 * test_limit.c: guests that take more than their quota, by whatever means: they
 * end as they should, again and again, and nothing is left of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/malloc.h>

#include "guests.h"

#define BOMB_QUOTA ((size_t)4 << 20)

/* ---- What the process holds ---------------------------------------------- */

static size_t read_pages(int field)
{
    char text[128] = "";
    int fd = open("/proc/self/statm", O_RDONLY);
    char *at = text;

    REQUIRE(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    for (int i = 0; i < field; i++)
        at = strchr(at, ' ') + 1;
    return strtoul(at, NULL, 10);
}

static size_t resident_bytes(void)
{
    return read_pages(1) * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mapped_bytes(void)
{
    return read_pages(0) * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- Bombs --------------------------------------------------------------- */

/* Code that does not look at what malloc returned: each writes to its memory.
 */
static void *bomb_small(moat_co *self, void *input)
{
    for (;;)
        memset(malloc(100), 1, 100);
    (void)self;
    return input;
}

static void *bomb_large(moat_co *self, void *input)
{
    for (;;)
        memset(malloc(300000), 1, 300000);
    (void)self;
    return input;
}

static void *bomb_growing(moat_co *self, void *input)
{
    char *block = NULL;

    for (size_t bytes = 64;; bytes += bytes / 2) {
        block = realloc(block, bytes);
        memset(block, 1, bytes);
    }
    (void)self;
    return input;
}

static void *bomb_calloc(moat_co *self, void *input)
{
    for (;;)
        memset(calloc(10, 1000), 1, 10000);
    (void)self;
    return input;
}

static void *bomb_aligned(moat_co *self, void *input)
{
    for (;;)
        memset(aligned_alloc(4096, 12288), 1, 12288);
    (void)self;
    return input;
}

static void *bomb_strings(moat_co *self, void *input)
{
    for (;;)
        (void)strdup("words that take room");
    (void)self;
    return input;
}

static void *bomb_mmap(moat_co *self, void *input)
{
    for (;;)
        memset(mmap(NULL, 65536, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
               1, 65536);
    (void)self;
    return input;
}

static void *bomb_shared(moat_co *self, void *input)
{
    for (;;)
        memset(mmap(NULL, 65536, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0),
               1, 65536);
    (void)self;
    return input;
}

static void *bomb_mremap(moat_co *self, void *input)
{
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (size_t bytes = 4096;; bytes *= 2) {
        at = mremap(at, bytes, 2 * bytes, MREMAP_MAYMOVE);
        if (at == MAP_FAILED)
            break;
        memset(at, 1, 2 * bytes);
    }
    /* mremap fails as the kernel has it; the next one is not survived. */
    (void)self;
    return bomb_mmap(self, input);
}

static void *bomb_sbrk(moat_co *self, void *input)
{
    for (;;)
        memset(sbrk(10000), 1, 10000);
    (void)self;
    return input;
}

static void *bomb_all(moat_co *self, void *input)
{
    for (;;) {
        memset(malloc(1000), 1, 1000);
        memset(malloc(100000), 1, 100000);
        memset(sbrk(4096), 1, 4096);
        memset(mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
               1, 8192);
    }
    (void)self;
    return input;
}

static const struct bomb {
    const char *name;
    moat_entry entry;
} bombs[] = {
    {"malloc of small blocks", bomb_small},
    {"malloc of large blocks", bomb_large},
    {"realloc", bomb_growing},
    {"calloc", bomb_calloc},
    {"aligned_alloc", bomb_aligned},
    {"strdup", bomb_strings},
    {"mmap", bomb_mmap},
    {"mmap of shared memory", bomb_shared},
    {"mremap", bomb_mremap},
    {"sbrk", bomb_sbrk},
    {"all of them", bomb_all},
};
#define BOMBS (sizeof bombs / sizeof *bombs)

static size_t most_resident;

static void light(const struct bomb *bomb, size_t quota)
{
    moat_co *co = guest_with(bomb->entry, quota);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    size_t resident;

    expect_context("%s", bomb->name);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    EXPECT_EQ(guest_trap_kind(co), MOAT_TRAP_MEMORY_LIMIT);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.limit, MOAT_LIMIT_MEMORY);
    EXPECT_EQ(info.limit_asked, quota);
    EXPECT(info.limit_used <= quota && info.limit_used > quota / 2);
    resident = resident_bytes();
    if (resident > most_resident)
        most_resident = resident;
    EXPECT(moat_heap_peak(moat_co_heap(co)) <= quota);
    moat_co_destroy(co);
}

/* MOAT_TEST_BOMBS: of each kind. */
static int bombs_of_a_kind(void)
{
    const char *text = getenv("MOAT_TEST_BOMBS");

    return text != NULL ? atoi(text) : 20;
}

static void each_bomb_ends_its_guest(const void *arg)
{
    size_t resident, mapped, after;

    (void)arg;
    for (size_t i = 0; i < BOMBS; i++)
        light(&bombs[i], BOMB_QUOTA);
    resident = resident_bytes();
    mapped = mapped_bytes();
    most_resident = 0;
    for (int round = 0; round < bombs_of_a_kind(); round++) {
        for (size_t i = 0; i < BOMBS; i++)
            light(&bombs[i], BOMB_QUOTA);
    }
    /* The first printf brings pages of code along. */
    after = resident_bytes();
    printf("resident before %zu, at most %zu, after %zu bytes\n", resident,
           most_resident, after);
    (void)fflush(stdout);
    EXPECT(most_resident <= resident + BOMB_QUOTA + BOMB_QUOTA / 20 + 65536);
    EXPECT(after <= resident + 65536);
    EXPECT_EQ(mapped_bytes(), mapped);
}

static void a_heap_that_was_made_late_has_a_limit(const void *arg)
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;

    (void)arg;
    options.quota_bytes = BOMB_QUOTA;
    EXPECT_EQ(moat_malloc_configure(&options), MOAT_OK);
    for (int i = 0; i < 20; i++) {
        moat_co *co = guest_with(bomb_all, 0);

        EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
        EXPECT_EQ(guest_trap_kind(co), MOAT_TRAP_MEMORY_LIMIT);
        moat_co_destroy(co);
    }
}

static void a_report_has_the_limit(const void *arg)
{
    moat_co *co = guest_with(bomb_small, BOMB_QUOTA);
    FILE *file = tmpfile();
    char text[4096] = "";

    (void)arg;
    REQUIRE(file != NULL);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_print_report(co, fileno(file)), MOAT_OK);
    EXPECT_EQ(moat_co_write_json(co, fileno(file)), MOAT_OK);
    rewind(file);
    REQUIRE(fread(text, 1, sizeof text - 1, file) > 0);
    EXPECT(strstr(text, "memory limit passed") != NULL);
    EXPECT(strstr(text, "  limit    memory: 4194304 bytes, used 419") != NULL);
    (void)fclose(file);
    moat_co_destroy(co);
}

/* ---- Where the guest may not be stopped ---------------------------------- */

static void *count_until_null(moat_co *self, void *input)
{
    size_t count = 0;
    void *block;

    errno = 0;
    while ((block = malloc(10000)) != NULL) {
        memset(block, 1, 10000);
        count++;
    }
    EXPECT_EQ(errno, ENOMEM);
    EXPECT(count > BOMB_QUOTA / 20000);
    EXPECT(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT(sbrk(1 << 20) == (void *)-1);
    (void)self;
    return input;
}

static void *count_in_a_section(moat_co *self, void *input)
{
    moat_notrap_enter();
    (void)count_until_null(self, input);
    moat_notrap_leave();
    return input;
}

static void call_bomb(void *arg)
{
    (void)bomb_small(NULL, arg);
}

static void *recover_from_a_bomb(moat_co *self, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(moat_notrap_call(call_bomb, NULL, &info), MOAT_E_FAULT);
    EXPECT_EQ(info.kind, MOAT_TRAP_MEMORY_LIMIT);
    (void)self;
    return input;
}

static void run_with(moat_entry entry, uint64_t flags)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    limits.memory_bytes = BOMB_QUOTA;
    options.limits = &limits;
    options.flags = flags;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void what_may_not_be_stopped_gets_null(const void *arg)
{
    (void)arg;
    run_with(count_in_a_section, 0);
    run_with(count_until_null, MOAT_CO_RECOVER_NEVER);
    run_with(count_until_null, MOAT_CO_RECOVER_CODE);
    run_with(recover_from_a_bomb, 0);
}

static void by_policy_malloc_returns_null(const void *arg)
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;

    (void)arg;
    options.at_limit = MOAT_MALLOC_NULL;
    EXPECT_EQ(moat_malloc_configure(&options), MOAT_OK);
    run_with(count_until_null, 0);
}

/* The trap of the public function, without this library's malloc. */
static void *pass_the_limit(moat_co *self, void *input)
{
    moat_trap_memory_limit();
    (void)self;
    return input;
}

static void the_limit_is_a_trap(const void *arg)
{
    moat_co *co = guest_with(pass_the_limit, 0);

    (void)arg;
    moat_trap_memory_limit(); /* the host's: no effect */
    EXPECT_EQ(guest_resume(co, NULL), MOAT_EVENT_TRAP);
    EXPECT_EQ(guest_trap_kind(co), MOAT_TRAP_MEMORY_LIMIT);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(each_bomb_ends_its_guest),
    CHILD_CASE(a_heap_that_was_made_late_has_a_limit),
    CHILD_CASE(a_report_has_the_limit),
    CHILD_CASE(what_may_not_be_stopped_gets_null),
    CHILD_CASE(by_policy_malloc_returns_null),
    CHILD_CASE(the_limit_is_a_trap),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.limit", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
