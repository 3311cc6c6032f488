/*
 * test_heap.c: guest heaps: blocks, quotas, misuse, and a guest that is stopped
 * at any instruction of the allocator.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "support/fixture.h"
#include "support/surroundings.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static moat_heap *make(size_t quota)
{
    moat_heap *heap = NULL;

    REQUIRE(moat_heap_create(&heap, quota) == MOAT_OK);
    return heap;
}

/* ---- Blocks -------------------------------------------------------------- */

static void each_size_has_an_aligned_block(const void *arg)
{
    moat_heap *heap = make(64 * MIB);

    (void)arg;
    for (size_t bytes = 0; bytes < 20000; bytes += bytes < 300 ? 1 : 37) {
        unsigned char *block = moat_heap_alloc(heap, bytes);

        REQUIRE(block != NULL);
        EXPECT_EQ((uintptr_t)block % 16, 0);
        EXPECT(moat_heap_block_bytes(heap, block) >= bytes);
        EXPECT(bytes > 16 && bytes <= 8192
                   ? moat_heap_block_bytes(heap, block) < bytes + bytes / 8 + 16
                   : true);
        memset(block, 0x5a, moat_heap_block_bytes(heap, block));
    }
    moat_heap_destroy(heap);
}

static void blocks_have_the_alignment_asked_for(const void *arg)
{
    static const size_t sizes[] = {0, 1, 24, 100, 4097, 8192, 8193, 100000};
    moat_heap *heap = make(64 * MIB);

    (void)arg;
    for (size_t alignment = 1; alignment <= MIB; alignment *= 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            char *block = moat_heap_alloc_aligned(heap, alignment, sizes[i]);

            REQUIRE(block != NULL);
            EXPECT_EQ((uintptr_t)block % alignment, 0);
            memset(block, 1, sizes[i]);
            if (i % 2 == 0)
                moat_heap_free(heap, block);
        }
    }
    EXPECT(moat_heap_alloc_aligned(heap, 0, 8) == NULL);
    EXPECT(moat_heap_alloc_aligned(heap, 24, 8) == NULL);
    EXPECT(moat_heap_alloc_aligned(heap, (size_t)1 << 63, 8) == NULL);
    moat_heap_destroy(heap);
}

/* The contents of a block follow from its number. */
struct shadow {
    unsigned char *block;
    size_t bytes;
};

static unsigned char at(size_t number, size_t offset)
{
    return (unsigned char)(number * 7 + offset);
}

static void fill(const struct shadow *shadow, size_t number, size_t from)
{
    for (size_t i = from; i < shadow->bytes; i++)
        shadow->block[i] = at(number, i);
}

static bool is_whole(const struct shadow *shadow, size_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (shadow->block[i] != at(number, i))
            return false;
    }
    return true;
}

static uint32_t seed = 1;

static uint32_t random_number(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static size_t random_size(void)
{
    switch (random_number() % 16) {
    case 0:
        return random_number() % 200000;
    case 1:
    case 2:
        return random_number() % 9000;
    default:
        return random_number() % 300;
    }
}

static bool is_zero(const unsigned char *block, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (block[i] != 0)
            return false;
    }
    return true;
}

static void take_one(moat_heap *heap, struct shadow *shadow, size_t number)
{
    shadow->bytes = random_size();
    if (random_number() % 2 == 0) {
        shadow->block = moat_heap_alloc_zeroed(heap, shadow->bytes);
        REQUIRE(shadow->block != NULL);
        EXPECT(is_zero(shadow->block, shadow->bytes));
    } else {
        shadow->block = moat_heap_alloc(heap, shadow->bytes);
        REQUIRE(shadow->block != NULL);
    }
    fill(shadow, number, 0);
}

static void resize_one(moat_heap *heap, struct shadow *shadow, size_t number)
{
    size_t had = shadow->bytes, bytes = random_size();
    size_t kept = had < bytes ? had : bytes;

    shadow->block = moat_heap_realloc(heap, shadow->block, bytes);
    REQUIRE(shadow->block != NULL);
    shadow->bytes = bytes;
    EXPECT(is_whole(shadow, number, kept));
    fill(shadow, number, kept);
}

#define SHADOWS ((size_t)2000)

/* MOAT_TEST_TURNS: how many. */
static long turns(void)
{
    const char *asked = getenv("MOAT_TEST_TURNS");

    return asked != NULL ? strtol(asked, NULL, 10) : 50000;
}

static void blocks_never_overlap(const void *arg)
{
    long count = turns();
    static struct shadow shadows[SHADOWS];
    moat_heap *heap = make(256 * MIB);

    (void)arg;
    for (long i = 0; i < count; i++) {
        size_t number = random_number() % SHADOWS;
        struct shadow *shadow = &shadows[number];

        if (shadow->block == NULL) {
            take_one(heap, shadow, number);
        } else if (random_number() % 3 == 0) {
            resize_one(heap, shadow, number);
        } else {
            EXPECT(is_whole(shadow, number, shadow->bytes));
            moat_heap_free(heap, shadow->block);
            shadow->block = NULL;
        }
    }
    for (size_t i = 0; i < SHADOWS; i++)
        moat_heap_free(heap, shadows[i].block);
    EXPECT_EQ(moat_heap_used(heap), 0);
    moat_heap_destroy(heap);
}

static void large_blocks_grow_and_shrink_in_place(const void *arg)
{
    moat_heap *heap = make(16 * MIB);
    char *block = moat_heap_alloc(heap, 100 * KIB);

    (void)arg;
    REQUIRE(block != NULL);
    EXPECT(moat_heap_realloc(heap, block, 3 * MIB) == block);
    EXPECT_EQ(moat_heap_used(heap), 3 * MIB);
    EXPECT(moat_heap_realloc(heap, block, 40 * KIB) == block);
    EXPECT_EQ(moat_heap_used(heap), 40 * KIB);
    /* The freed memory is used for the next one, and lets it grow again. */
    EXPECT((char *)moat_heap_alloc(heap, 64 * KIB) == block + 40 * KIB);
    EXPECT(moat_heap_realloc(heap, block, 20 * MIB) == NULL);
    EXPECT(moat_heap_realloc(heap, block, 100) != NULL);
    moat_heap_destroy(heap);
}

static void resizing_to_nothing_keeps_a_block(const void *arg)
{
    moat_heap *heap = make(MIB);
    void *block = moat_heap_realloc(heap, NULL, 100);

    (void)arg;
    REQUIRE(block != NULL);
    block = moat_heap_realloc(heap, block, 0);
    EXPECT(block != NULL);
    EXPECT_EQ(moat_heap_used(heap), 16);
    moat_heap_free(heap, block);
    moat_heap_free(heap, NULL);
    EXPECT_EQ(moat_heap_used(heap), 0);
    moat_heap_destroy(heap);
}

/* ---- Quotas -------------------------------------------------------------- */

/* Takes blocks, and touches them, until the quota is used up. Returns their
 * number; the last one is linked to the one before, and so on. */
static size_t take_all(moat_heap *heap, size_t bytes, void **last)
{
    size_t count = 0;

    *last = NULL;
    for (;;) {
        void **block = moat_heap_alloc(heap, bytes);

        if (block == NULL)
            return count;
        memset(block, 0x5a, bytes);
        *block = *last;
        *last = block;
        count++;
    }
}

static void return_all(moat_heap *heap, void *last)
{
    while (last != NULL) {
        void *next = *(void **)last;

        moat_heap_free(heap, last);
        last = next;
    }
}

#if UNDER_ASAN || UNDER_TSAN
#    define MEASURES 0 /* the sanitizer's own memory grows, too */
#else
#    define MEASURES 1
#endif

/* The quota is memory: neither the sizes of the blocks nor what was freed
 * before let a heap take more. */
static void a_quota_bounds_memory(const void *arg)
{
    static const size_t sizes[] = {16, 24, 200, 1000, 5000, 70000, 16};
    moat_heap *heap = make(32 * MIB);
    size_t before = resident_bytes();
    void *last;

    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t count = take_all(heap, sizes[i], &last);

        expect_context("blocks of %zu bytes", sizes[i]);
        EXPECT(moat_heap_used(heap) <= 32 * MIB);
        EXPECT(count * sizes[i] >= 32 * MIB / 8 * 5);
        EXPECT(moat_heap_peak(heap) <= 32 * MIB);
        if (MEASURES && before != 0)
            EXPECT(resident_bytes() - before <= 32 * MIB / 100 * 105);
        return_all(heap, last);
        EXPECT_EQ(moat_heap_used(heap), 0);
    }
    moat_heap_destroy(heap);
}

static void a_small_quota_is_kept_too(const void *arg)
{
    void *last;

    (void)arg;
    for (size_t quota = 1; quota <= 256 * KIB; quota *= 2) {
        size_t pages = (quota + 4095) / 4096 * 4096;
        moat_heap *heap = make(quota);
        size_t count = take_all(heap, 64, &last);

        EXPECT(count * 64 <= pages);
        EXPECT_EQ(count * 64, pages);
        EXPECT(moat_heap_alloc(heap, 5000) == NULL);
        return_all(heap, last);
        /* Room that blocks of another size had. */
        EXPECT(moat_heap_alloc(heap, pages) != NULL);
        moat_heap_destroy(heap);
    }
}

static void impossible_sizes_are_refused(const void *arg)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2,
                                   (size_t)1 << 40, 2 * MIB};
    moat_heap *heap = make(MIB);
    void *block = moat_heap_alloc(heap, 10);

    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        EXPECT(moat_heap_alloc(heap, sizes[i]) == NULL);
        EXPECT(moat_heap_alloc_zeroed(heap, sizes[i]) == NULL);
        EXPECT(moat_heap_alloc_aligned(heap, 64, sizes[i]) == NULL);
        EXPECT(moat_heap_alloc_aligned(heap, MIB, sizes[i]) == NULL);
        EXPECT(moat_heap_realloc(heap, block, sizes[i]) == NULL);
    }
    EXPECT_EQ(moat_heap_used(heap), 16);
    moat_heap_destroy(heap);
}

static void freed_memory_goes_back(const void *arg)
{
    moat_heap *heap = make(256 * MIB);
    size_t before = resident_bytes();
    void *last;

    (void)arg;
    (void)take_all(heap, 100, &last);
    return_all(heap, last);
    moat_heap_trim(heap);
    if (MEASURES && before != 0)
        EXPECT(resident_bytes() - before < 8 * MIB);
    /* And without being asked, once as much is used no more. */
    (void)take_all(heap, 100 * KIB, &last);
    return_all(heap, last);
    for (int i = 0; i < 5000; i++)
        moat_heap_free(heap, moat_heap_alloc(heap, 10000));
    if (MEASURES && before != 0)
        EXPECT(resident_bytes() - before < 16 * MIB);
    moat_heap_destroy(heap);
}

/* Sizes that do not fit 32 bits. Nothing but the touched page takes memory. */
static void large_memory_is_zero_again(const void *arg)
{
    const size_t bytes = ((size_t)4 << 30) + 8 * KIB;
    moat_heap *heap = make((size_t)5 << 30);
    char *block = moat_heap_alloc(heap, bytes);

    (void)arg;
    if (block == NULL) {
        (void)fputs("skipped: the system commits less\n", stderr);
        return;
    }
    block[bytes / 2] = 1;
    moat_heap_free(heap, block);
    moat_heap_trim(heap);
    block = moat_heap_alloc_zeroed(heap, bytes);
    REQUIRE(block != NULL);
    EXPECT_EQ(block[bytes / 2], 0);
    moat_heap_destroy(heap);
}

static void take_and_return(moat_heap *heap, size_t bytes)
{
    static void *blocks[1000];

    for (size_t i = 0; i < 1000; i++) {
        blocks[i] = moat_heap_alloc(heap, bytes + i % 64);
        REQUIRE(blocks[i] != NULL);
        memset(blocks[i], 0x5a, bytes + i % 64);
    }
    for (size_t i = 0; i < 1000; i += 3)
        moat_heap_free(heap, blocks[i]);
}

/* Cleared heaps are new ones: blocks begin where the first one's did, large
 * blocks are zeros, and the whole quota is there. */
static void a_cleared_heap_is_as_new(const void *arg)
{
    moat_heap *heap = make(4 * MIB);
    void *first = moat_heap_alloc(heap, 100);
    size_t keep[] = {0, 4 * KIB, 256 * KIB, 64 * MIB};

    (void)arg;
    for (size_t i = 0; i < 4 * sizeof keep / sizeof keep[0]; i++) {
        const char *block;

        take_and_return(heap, i % 2 == 0 ? 40 : 3000);
        EXPECT_EQ(moat_heap_clear(heap, keep[i / 4]), MOAT_OK);
        EXPECT_EQ(moat_heap_used(heap), 0);
        EXPECT_EQ(moat_heap_peak(heap), 0);
        EXPECT(moat_heap_alloc(heap, 100) == first);
        block = moat_heap_alloc(heap, 4 * MIB - 8 * KIB);
        REQUIRE(block != NULL);
        for (size_t at = 0; at < 4 * MIB - 8 * KIB; at++)
            REQUIRE(block[at] == 0);
        EXPECT_EQ(moat_heap_clear(heap, keep[i / 4]), MOAT_OK);
    }
    moat_heap_destroy(heap);
}

/* Pages in memory, of a range. */
static size_t resident_in(uintptr_t begin, size_t bytes)
{
    static unsigned char pages[4096];
    size_t count = 0;

    REQUIRE(bytes / 4096 <= sizeof pages);
    REQUIRE(mincore((void *)begin, bytes, pages) == 0);
    for (size_t i = 0; i < bytes / 4096; i++)
        count += pages[i] & 1;
    return count;
}

static void a_cleared_heap_keeps_its_memory(const void *arg)
{
    moat_heap *heap = make(4 * MIB);
    uintptr_t block = (uintptr_t)moat_heap_alloc(heap, MIB);

    (void)arg;
    REQUIRE(block % 4096 == 0);
    memset((void *)block, 1, MIB);
    EXPECT_EQ(resident_in(block, MIB), 256);
    EXPECT_EQ(moat_heap_clear(heap, 2 * MIB), MOAT_OK);
    EXPECT_EQ(resident_in(block, MIB), 256);
    EXPECT_EQ((uintptr_t)moat_heap_alloc(heap, MIB), block);
    EXPECT_EQ(moat_heap_clear(heap, MIB - 1), MOAT_OK);
    EXPECT_EQ(resident_in(block, MIB), 0);
    moat_heap_destroy(heap);
}

static void protect(moat_heap *heap, char *block)
{
    (void)heap;
    REQUIRE(mprotect(block + 64 * KIB, 64 * KIB, PROT_NONE) == 0);
}

static void unmap(moat_heap *heap, char *block)
{
    (void)heap;
    REQUIRE(munmap(block + 64 * KIB, 64 * KIB) == 0);
}

static void overwrite(moat_heap *heap, char *block)
{
    memset(heap, 0x55, 4096);
    protect(heap, block);
}

static void erase(moat_heap *heap, char *block)
{
    char *pages = moat_heap_map(heap, 64 * KIB);

    REQUIRE(pages != NULL);
    protect(heap, block);
    REQUIRE(mmap(pages, 64 * KIB, PROT_READ,
                 MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == pages);
    memset(heap, 0, 4096);
}

/* Whatever the guest did to its heap. */
static void a_damaged_heap_is_cleared(const void *arg)
{
    static void (*const damages[])(moat_heap *, char *) = {protect, unmap,
                                                           overwrite, erase};
    moat_heap *heap = make(4 * MIB);
    char *block;

    (void)arg;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        REQUIRE((block = moat_heap_alloc(heap, MIB)) != NULL);
        memset(block, 1, MIB);
        damages[i](heap, block);
        EXPECT_EQ(moat_heap_clear(heap, 2 * MIB), MOAT_OK);
        EXPECT_EQ(moat_heap_used(heap), 0);
        block = moat_heap_alloc(heap, 4 * MIB - 8 * KIB);
        REQUIRE(block != NULL);
        for (size_t at = 0; at < 4 * MIB - 8 * KIB; at++)
            REQUIRE(block[at] == 0);
        EXPECT_EQ(moat_heap_clear(heap, 0), MOAT_OK);
    }
    moat_heap_destroy(heap);
}

/* Memory that is refused is not a want of mappings. */
static void a_limit_on_memory_is_no_guard_limit(const void *arg)
{
    const struct rlimit little = {4 * MIB, 4 * MIB};
    const struct rlimit none = {1, 4 * MIB};
    moat_heap *heap = make(MIB), *large = NULL;

    (void)arg;
    REQUIRE(setrlimit(RLIMIT_DATA, &little) == 0);
    EXPECT_EQ(moat_heap_create(&large, (size_t)4 << 30), MOAT_E_NOMEM);
    REQUIRE(setrlimit(RLIMIT_DATA, &none) == 0);
    EXPECT_EQ(moat_heap_reset(heap), MOAT_E_NOMEM);
    moat_heap_destroy(heap);
}

/* Returns whether the mapping of an address has a flag, by its VmFlags in
 * /proc/self/smaps (proc(5)). */
static bool mapping_has_flag(uintptr_t address, const char *flag)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    bool here = false, found = false;
    char line[512];

    REQUIRE(smaps != NULL);
    while (fgets(line, sizeof line, smaps) != NULL) {
        uintptr_t low, high;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &low, &high) == 2)
            here = address >= low && address < high;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    (void)fclose(smaps);
    return found;
}

/* They would take memory that the quota does not count. */
static void heaps_have_no_huge_pages(const void *arg)
{
    moat_heap *heap = make(64 * MIB);

    (void)arg;
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
        child_leave_out("this kernel has no huge pages");
    for (int i = 0; i < 2; i++) {
        EXPECT(mapping_has_flag((uintptr_t)heap, " nh"));
        EXPECT(
            mapping_has_flag((uintptr_t)moat_heap_alloc(heap, 4 * MIB), " nh"));
        EXPECT_EQ(moat_heap_reset(heap), MOAT_OK);
    }
    moat_heap_destroy(heap);
    heap = make(64 * MIB);
    EXPECT(mapping_has_flag((uintptr_t)heap, " nh"));
    moat_heap_destroy(heap);
}

static void bad_quotas_are_refused(const void *arg)
{
    moat_heap *heap = NULL;

    (void)arg;
    EXPECT_EQ(moat_heap_create(NULL, MIB), MOAT_E_INVAL);
    EXPECT_EQ(moat_heap_create(&heap, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_heap_create(&heap, ((size_t)256 << 30) + 1), MOAT_E_INVAL);
    EXPECT_EQ(moat_heap_create(&heap, SIZE_MAX), MOAT_E_INVAL);
    EXPECT(heap == NULL);
    EXPECT_EQ(moat_heap_reset(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_heap_reset((moat_heap *)&heap), MOAT_E_INVAL);
    EXPECT_EQ(moat_heap_clear(NULL, MIB), MOAT_E_INVAL);
    EXPECT_EQ(moat_heap_clear((moat_heap *)&heap, MIB), MOAT_E_INVAL);
    moat_heap_destroy(NULL);
}

/* ---- Owners -------------------------------------------------------------- */

static void an_address_leads_to_its_heap(const void *arg)
{
    moat_heap *first = make(MIB), *second = make(MIB);
    char *block = moat_heap_alloc(second, 100000);
    int local;

    (void)arg;
    EXPECT(moat_heap_of(block) == second);
    EXPECT(moat_heap_of(block + 99999) == second);
    EXPECT(moat_heap_of(moat_heap_alloc(first, 1)) == first);
    EXPECT(moat_heap_of(&local) == NULL);
    EXPECT(moat_heap_of(NULL) == NULL);
    EXPECT(moat_heap_of((void *)~(uintptr_t)0) == NULL);
    moat_heap_destroy(second);
    EXPECT(moat_heap_of(block) == NULL);
    moat_heap_destroy(first);
}

static void *make_and_end(void *arg)
{
    for (int i = 0; i < 200; i++) {
        moat_heap *heap = make((size_t)(i % 7 + 1) * MIB);
        char *block = moat_heap_alloc(heap, 1000);

        REQUIRE(block != NULL && is_zero((unsigned char *)block + 16, 984));
        memset(block, 1, 1000);
        EXPECT(moat_heap_of(block) == heap);
        moat_heap_destroy(heap);
    }
    return arg;
}

static void threads_have_heaps_of_their_own(const void *arg)
{
    pthread_t threads[4];

    (void)arg;
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, make_and_end, NULL) == 0);
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
}

/* ---- Guests -------------------------------------------------------------- */

static moat_heap *heap_of_guest(moat_co *self)
{
    moat_heap *heap = moat_co_heap(self);

    REQUIRE(heap != NULL);
    return heap;
}

static void *write_after_free(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    uint64_t *block = moat_heap_alloc(heap, 40);

    (void)moat_heap_alloc(heap, 40);
    moat_heap_free(heap, block);
    *block = (uint64_t)(uintptr_t)&input;
    (void)moat_heap_alloc(heap, 40);
    return moat_heap_alloc(heap, 40);
}

/* A text's end lies outside of its block: in the number of the next free one.
 */
static void *write_one_too_many(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    char *block = moat_heap_alloc(heap, 64);
    void *volatile next = moat_heap_alloc(heap, 64);

    EXPECT(next == block + 64);
    moat_heap_free(heap, next);
    block[64] = '\0';
    next = moat_heap_alloc(heap, 64);
    return input;
}

/* A block's own end of the list looks as if it had been freed just once. */
static void *write_and_free_twice(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    uint64_t *block = moat_heap_alloc(heap, 64);

    moat_heap_free(heap, block);
    block[0] = 0;
    moat_heap_free(heap, block);
    return input;
}

static void *free_twice(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    void *block = moat_heap_alloc(heap, 40), *other = moat_heap_alloc(heap, 40);

    moat_heap_free(heap, block);
    moat_heap_free(heap, other);
    moat_heap_free(heap, block);
    return input;
}

static void *free_the_middle(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);

    moat_heap_free(heap, (char *)moat_heap_alloc(heap, 100) + 16);
    return input;
}

static void *free_the_middle_of_a_large_one(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);

    moat_heap_free(heap, (char *)moat_heap_alloc(heap, 100000) + 8192);
    return input;
}

static void *free_a_local(moat_co *self, void *input)
{
    moat_heap_free(heap_of_guest(self), &input);
    return input;
}

static void *free_a_large_one_twice(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    void *block = moat_heap_alloc(heap, 100000);

    moat_heap_free(heap, block);
    moat_heap_free(heap, block);
    return input;
}

static void *write_past_the_end(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    char *block = moat_heap_alloc(heap, 1500);

    memset(block + 1496, 'x', 20);
    moat_heap_free(heap, block);
    return input;
}

static void *write_past_the_end_and_resize(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    char *block = moat_heap_alloc(heap, 8000);

    block = moat_heap_realloc(heap, block, 5000);
    block[5000] = 'x';
    return moat_heap_realloc(heap, block, 5100) != NULL ? input : NULL;
}

/* It need not move. */
static void *resize_a_freed_one(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    void *block = moat_heap_alloc(heap, 100);

    moat_heap_free(heap, block);
    return moat_heap_realloc(heap, block, 90) != NULL ? input : NULL;
}

/* As when chance has it that a guest's data look like a free block. */
static void *look_like_free(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);
    uint64_t *block = moat_heap_alloc(heap, 40), mark;

    moat_heap_free(heap, block);
    mark = block[1];
    block = moat_heap_alloc(heap, 40);
    block[1] = mark;
    moat_heap_free(heap, block);
    return input;
}

static moat_co *create_with(moat_entry entry, uint64_t memory_bytes,
                            moat_heap *heap)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.memory_bytes = memory_bytes;
    options.limits = &limits;
    options.heap = heap;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static void misuse_ends_the_guest(const void *arg)
{
    static const struct {
        moat_entry entry;
        const char *text;
    } cases[] = {
        {write_after_free, "wrote to a block after freeing it"},
        {write_one_too_many, "wrote to a block after freeing it"},
        {free_twice, "freed a block twice"},
        {write_and_free_twice, "freed a block twice"},
        {resize_a_freed_one, "freed a block twice"},
        {write_past_the_end, "wrote past the end of a block"},
        {write_past_the_end_and_resize, "wrote past the end of a block"},
        {free_the_middle, "freed or resized what is not a block"},
        {free_the_middle_of_a_large_one,
         "freed or resized what is not a block"},
        {free_a_local, "freed or resized what is not a block"},
        {free_a_large_one_twice, "freed or resized what is not a block"},
    };

    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        moat_co *co = create_with(cases[i].entry, MIB, NULL);
        moat_trap_info info = {.struct_size = sizeof info};
        moat_event event;

        expect_context("%s", cases[i].text);
        REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
        REQUIRE(event.kind == MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
        EXPECT_EQ(info.kind, MOAT_TRAP_ABORT);
        EXPECT_STR(moat_heap_misuse(moat_co_heap(co)), cases[i].text);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT(moat_heap_misuse(moat_co_heap(co)) == NULL);
        moat_co_destroy(co);
    }
}

static void expect_return(moat_co *co)
{
    moat_event event = {.kind = MOAT_EVENT_TRAP};

    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
}

/* All bytes that the heap says may be used, whatever was there before. */
static void use_all(moat_heap *heap, char *block, size_t at_least)
{
    size_t bytes = moat_heap_block_bytes(heap, block);

    EXPECT(bytes >= at_least);
    EXPECT_EQ(moat_heap_find_block(heap, block), bytes);
    memset(block, (int)bytes, bytes);
}

static void tails_follow_the_size(const void *arg)
{
    moat_heap *heap = make(MIB);

    (void)arg;
    for (size_t bytes = 1000; bytes < 8300; bytes += 7) {
        char *block = moat_heap_alloc(heap, bytes);

        use_all(heap, block, bytes);
        for (size_t less = bytes; less > bytes / 3; less -= less / 5) {
            block = moat_heap_realloc(heap, block, less);
            use_all(heap, block, less);
        }
        block = moat_heap_realloc(heap, block, bytes - 3);
        use_all(heap, block, bytes - 3);
        moat_heap_free(heap, block);
    }
    moat_heap_destroy(heap);
}

static void data_may_look_like_a_free_block(const void *arg)
{
    moat_co *co = create_with(look_like_free, MIB, NULL);

    (void)arg;
    expect_return(co);
    moat_co_destroy(co);
}

static void the_hosts_misuse_is_fatal(const void *arg)
{
    moat_heap *heap = make(MIB);
    void *block = moat_heap_alloc(heap, 40);

    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    moat_heap_free(heap, block);
    moat_heap_free(heap, block);
}

static void *take_some(moat_co *self, void *input)
{
    moat_heap *heap = heap_of_guest(self);

    (void)input;
    for (int i = 0; i < 1000; i++)
        (void)moat_heap_alloc(heap, (size_t)i);
    return moat_heap_alloc(heap, 100);
}

static void a_coroutine_has_a_heap_of_its_own(const void *arg)
{
    moat_co *co = create_with(take_some, 4 * MIB, NULL);
    moat_heap *heap = moat_co_heap(co);
    moat_event event;

    (void)arg;
    REQUIRE(heap != NULL);
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT(moat_heap_of(event.value) == heap);
    EXPECT(moat_heap_used(heap) > 400 * KIB);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(moat_heap_used(heap), 0);
    expect_return(co);
    moat_co_destroy(co);
    EXPECT(moat_heap_of(event.value) == NULL);
    EXPECT(moat_co_heap(NULL) == NULL);
}

static void a_heap_of_the_host_outlives_its_guest(const void *arg)
{
    moat_heap *heap = make(4 * MIB);
    moat_co *co = create_with(take_some, 0, heap);
    size_t used;

    (void)arg;
    EXPECT(moat_co_heap(co) == heap);
    expect_return(co);
    used = moat_heap_used(heap);
    EXPECT(used > 400 * KIB);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    moat_co_destroy(co);
    EXPECT_EQ(moat_heap_used(heap), used);
    moat_heap_destroy(heap);
}

static void impossible_heaps_are_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    (void)arg;
    options.limits = &limits;
    limits.memory_bytes = ((uint64_t)256 << 30) + 1;
    EXPECT_EQ(moat_co_create(&co, take_some, &options), MOAT_E_INVAL);
    limits.memory_bytes = MIB;
    options.heap = make(MIB);
    EXPECT_EQ(moat_co_create(&co, take_some, &options), MOAT_E_INVAL);
    moat_heap_destroy(options.heap);
    limits.memory_bytes = 0;
    EXPECT_EQ(moat_co_create(&co, take_some, &options), MOAT_E_INVAL);
    EXPECT(co == NULL);
}

static void each_of_many_has_its_own(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *cos[100];
    size_t made;

    (void)arg;
    limits.memory_bytes = MIB;
    options.limits = &limits;
    REQUIRE(moat_co_create_n(cos, take_some, &options, NULL, 100, &made) ==
            MOAT_OK);
    for (size_t i = 0; i < 100; i++) {
        expect_return(cos[i]);
        EXPECT(i == 0 || moat_co_heap(cos[i]) != moat_co_heap(cos[i - 1]));
    }
    for (size_t i = 0; i < 100; i++)
        moat_co_destroy(cos[i]);
}

static void *write_below(moat_co *self, void *input)
{
    *((volatile char *)heap_of_guest(self) - 1) = 1;
    return input;
}

static void *write_beyond(moat_co *self, void *input)
{
    volatile char *block = moat_heap_alloc(heap_of_guest(self), 100);

    for (size_t i = 0; i < 16 * MIB; i++)
        block[i] = 1;
    return input;
}

static void writing_beyond_a_heap_traps(const void *arg)
{
    static const moat_entry entries[] = {write_below, write_beyond};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        moat_co *co = create_with(entries[i], MIB, NULL);
        moat_heap *other = make(MIB);
        void *block = moat_heap_alloc(other, 8);
        moat_trap_info info = {.struct_size = sizeof info};
        moat_event event;

        REQUIRE(block != NULL);
        memset(block, 0, 8);
        REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
        EXPECT_EQ(info.kind, MOAT_TRAP_MEMORY);
        EXPECT(is_zero(block, 8));
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        moat_co_destroy(co);
        moat_heap_destroy(other);
    }
}

/* A guest may do to its heap whatever it likes. */
/* Bytes of a heap's records, and what they become. */
struct spoiling {
    size_t from, bytes;
    int with;
};

static void *spoil(moat_co *self, void *input)
{
    char *heap = (char *)heap_of_guest(self);

    memset(heap, 0xff, 60000);
    (void)moat_heap_alloc((moat_heap *)heap, 24);
    return input;
}

/* ---- What the host reads of a spoiled heap ------------------------------- */

static void *take_and_spoil(moat_co *self, void *input)
{
    const struct spoiling *spoiling = input;
    char *heap = (char *)heap_of_guest(self);

    for (int i = 0; i < 1000; i++)
        moat_heap_free((moat_heap *)heap,
                       moat_heap_alloc((moat_heap *)heap, 10000));
    memset(heap + spoiling->from, spoiling->with, spoiling->bytes);
    raise(SIGSEGV);
    return input;
}

/* In the second half only what describes the spans is overwritten. */
static void a_spoiled_heap_can_be_read(const void *arg)
{
    static const struct spoiling cases[] = {
        {0, 60000, 0xff}, {0, 60000, 0},       {0, 60000, 'A'},
        {0, 60000, 1},    {4096, 50000, 0xff}, {4096, 50000, 0},
        {2048, 50000, 0}, {4096, 50000, 2},
    };
    moat_co *co = create_with(take_and_spoil, MIB, NULL);
    moat_event event;

    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        REQUIRE(moat_co_resume(co, (void *)&cases[i], &event) == MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        EXPECT(moat_heap_used(moat_co_heap(co)) <= 4 * MIB);
        (void)moat_heap_peak(moat_co_heap(co));
        (void)moat_heap_misuse(moat_co_heap(co));
        moat_heap_trim(moat_co_heap(co));
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT_EQ(moat_heap_used(moat_co_heap(co)), 0);
    }
    moat_co_destroy(co);
}

static void a_spoiled_heap_can_be_reset_and_ended(const void *arg)
{
    moat_co *co = create_with(spoil, MIB, NULL);
    moat_event event;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        EXPECT(moat_heap_misuse(moat_co_heap(co)) == NULL);
        if (i < 2)
            EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

/* ---- Stopped at any instruction ------------------------------------------ */

static long steps, stop_at;

/* The guest runs with the trap flag set: this comes after each instruction. */
static void on_step(int signo, siginfo_t *info, void *ucontext)
{
    if (++steps == stop_at)
        REQUIRE(moat_trap_handle(signo, info, ucontext));
}

static void set_trap_flag(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static void clear_trap_flag(void)
{
    __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

/* The call that is stepped through; the others run at full speed. */
static int calls, stepped_call;

static void before_call(void)
{
    if (calls++ == stepped_call)
        set_trap_flag();
}

static void *alloc(moat_heap *heap, size_t bytes)
{
    void *block;

    before_call();
    block = moat_heap_alloc(heap, bytes);
    clear_trap_flag();
    return block;
}

static void *resize(moat_heap *heap, void *block, size_t bytes)
{
    before_call();
    block = moat_heap_realloc(heap, block, bytes);
    clear_trap_flag();
    return block;
}

static void give_back(moat_heap *heap, void *block)
{
    before_call();
    moat_heap_free(heap, block);
    clear_trap_flag();
}

/* Every path of the allocator: first blocks of a class, full spans, empty ones,
 * large blocks that grow, shrink and merge. */
static void use(moat_heap *heap)
{
    void *blocks[40], *large;

    calls = 0;
    large = alloc(heap, 20000);
    for (int i = 0; i < 40; i++)
        blocks[i] = alloc(heap, i % 2 == 0 ? 1000 : 48);
    large = resize(heap, large, 50000);
    for (int i = 0; i < 40; i++)
        give_back(heap, blocks[i]);
    large = resize(heap, large, 9000);
    blocks[0] = moat_heap_alloc_aligned(heap, 16384, 20000);
    give_back(heap, large);
    give_back(heap, blocks[0]);
}

static void *use_by_steps(moat_co *self, void *input)
{
    use(heap_of_guest(self));
    return input;
}

static long steps_of_call(moat_co *co, int call)
{
    steps = stop_at = 0;
    stepped_call = call;
    expect_return(co);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
    return steps;
}

static void stop_and_use_again(moat_co *co, long at)
{
    moat_event event;
    moat_heap *heap = moat_co_heap(co);

    steps = 0;
    stop_at = at;
    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
    EXPECT_EQ(moat_heap_used(heap), 0);
    stepped_call = -1;
    use(heap);
    EXPECT_EQ(moat_heap_used(heap), 0);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
}

/* MOAT_TEST_EVERY: one of so many instructions is tried. */
static long distance(void)
{
    const char *text = getenv("MOAT_TEST_EVERY");

    return text != NULL ? strtol(text, NULL, 10) : 1999;
}

static void it_may_be_stopped_at_any_instruction(const void *arg)
{
    const struct sigaction stepper = {.sa_sigaction = on_step,
                                      .sa_flags = SA_SIGINFO | SA_ONSTACK};
    moat_co *co = create_with(use_by_steps, MIB, NULL);
    long first = 1;

    (void)arg;
    REQUIRE(sigaction(SIGTRAP, &stepper, NULL) == 0);
    stepped_call = -1;
    expect_return(co);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
    for (int call = 0, all = calls; call < all; call++) {
        long count = steps_of_call(co, call);

        EXPECT(count > 10);
        for (; first < count; first += distance()) {
            stepped_call = call;
            stop_and_use_again(co, first);
        }
        first -= count - 1;
    }
    moat_co_destroy(co);
}

/* ---- Hooks --------------------------------------------------------------- */

static void the_hooks_free_and_resize(const void *arg)
{
    moat_heap *heap = make(MIB);
    void *block = moat_heap_lua(heap, NULL, 0, 100);

    (void)arg;
    REQUIRE(block != NULL);
    block = moat_heap_lua(heap, block, 100, 3000);
    EXPECT(moat_heap_used(heap) >= 3000);
    EXPECT(moat_heap_lua(heap, block, 3000, 0) == NULL);
    EXPECT_EQ(moat_heap_used(heap), 0);
    EXPECT(moat_heap_lua(heap, NULL, 0, 0) == NULL);
    EXPECT(moat_heap_duk_alloc(heap, 0) == NULL);
    block = moat_heap_duk_alloc(heap, 10);
    block = moat_heap_duk_realloc(heap, block, 1000);
    EXPECT(moat_heap_duk_realloc(heap, block, 0) == NULL);
    moat_heap_duk_free(heap, moat_heap_duk_realloc(heap, NULL, 5));
    EXPECT_EQ(moat_heap_used(heap), 0);
    moat_heap_destroy(heap);
}

#ifdef UNDER_UBSAN
#    define NEEDS_GARBAGE "the library works on what the guest has spoiled"
#else
#    define NEEDS_GARBAGE NULL
#endif

#if UNDER_ASAN || UNDER_TSAN
#    define NEEDS_STEPS "the sanitizer's code would be stepped through"
#else
#    define NEEDS_STEPS NULL
#endif

#if UNDER_ASAN || UNDER_TSAN
#    define NEEDS_LIMITS "the sanitizer's own memory counts"
#else
#    define NEEDS_LIMITS NULL
#endif

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(each_size_has_an_aligned_block),
        CHILD_CASE(blocks_have_the_alignment_asked_for),
        CHILD_CASE(blocks_never_overlap),
        CHILD_CASE(large_blocks_grow_and_shrink_in_place),
        CHILD_CASE(resizing_to_nothing_keeps_a_block),
        CHILD_CASE(a_quota_bounds_memory),
        CHILD_CASE(a_small_quota_is_kept_too),
        CHILD_CASE(impossible_sizes_are_refused),
        CHILD_CASE(freed_memory_goes_back),
        CHILD_CASE(large_memory_is_zero_again),
        {"a_limit_on_memory_is_no_guard_limit",
         a_limit_on_memory_is_no_guard_limit, NULL, NEEDS_LIMITS, 0, 0},
        CHILD_CASE(a_cleared_heap_is_as_new),
        CHILD_CASE(a_cleared_heap_keeps_its_memory),
        CHILD_CASE(a_damaged_heap_is_cleared),
        CHILD_CASE(heaps_have_no_huge_pages),
        CHILD_CASE(bad_quotas_are_refused),
        CHILD_CASE(an_address_leads_to_its_heap),
        CHILD_CASE(threads_have_heaps_of_their_own),
        CHILD_CASE(misuse_ends_the_guest),
        CHILD_CASE(data_may_look_like_a_free_block),
        CHILD_CASE(tails_follow_the_size),
        {"the_hosts_misuse_is_fatal", the_hosts_misuse_is_fatal, NULL, NULL,
         SIGABRT, 0},
        CHILD_CASE(a_coroutine_has_a_heap_of_its_own),
        CHILD_CASE(a_heap_of_the_host_outlives_its_guest),
        CHILD_CASE(impossible_heaps_are_refused),
        CHILD_CASE(each_of_many_has_its_own),
        CHILD_CASE(writing_beyond_a_heap_traps),
        {"a_spoiled_heap_can_be_read", a_spoiled_heap_can_be_read, NULL,
         NEEDS_GARBAGE, 0, 0},
        {"a_spoiled_heap_can_be_reset_and_ended",
         a_spoiled_heap_can_be_reset_and_ended, NULL, NEEDS_GARBAGE, 0, 0},
        {"it_may_be_stopped_at_any_instruction",
         it_may_be_stopped_at_any_instruction, NULL, NEEDS_STEPS, 0, 0},
        CHILD_CASE(the_hooks_free_and_resize),
    };

    return child_cases_run("heap", cases, sizeof cases / sizeof cases[0], NULL);
}
