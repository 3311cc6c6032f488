/*
 * test_heap_misuse.c: guests that misuse their heap harm no other memory, and
 * are ended where the heap can notice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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

/* ---- What was once a block ----------------------------------------------- */

/* The freed block has become part of the free memory before it. */
static void *free_a_merged_one_twice(moat_co *self, void *input)
{
    moat_heap *heap = input;
    void *before = moat_heap_alloc(heap, 10000),
         *block = moat_heap_alloc(heap, 10 * MIB);

    (void)self;
    (void)moat_heap_alloc(heap, 10000);
    moat_heap_free(heap, before);
    moat_heap_free(heap, block);
    moat_heap_free(heap, block);
    return input;
}

static void *free_the_last_page(moat_co *self, void *input)
{
    moat_heap *heap = input;

    (void)self;
    moat_heap_free(heap, (char *)moat_heap_alloc(heap, 12 * KIB) + 8 * KIB);
    return input;
}

/* The other block's memory belongs to the one before it by now. */
static void *free_what_was_joined(moat_co *self, void *input)
{
    moat_heap *heap = input;
    void *block = moat_heap_alloc(heap, 10000),
         *other = moat_heap_alloc(heap, 10000);

    (void)self;
    (void)moat_heap_alloc(heap, 10000);
    moat_heap_free(heap, other);
    EXPECT(moat_heap_realloc(heap, block, 20000) == block);
    moat_heap_free(heap, other);
    return input;
}

/* Where small blocks were there are other small blocks, and further on a large
 * one. */
static void *free_where_small_ones_were(moat_co *self, void *input)
{
    moat_heap *heap = input;
    char *small[64];

    (void)self;
    for (size_t i = 0; i < 64; i++)
        small[i] = moat_heap_alloc(heap, 2000);
    for (size_t i = 0; i < 64; i++)
        moat_heap_free(heap, small[i]);
    (void)moat_heap_alloc(heap, 8 * MIB);
    (void)moat_heap_alloc(heap, 100 * KIB);
    moat_heap_free(heap, small[63]);
    return input;
}

static void what_is_no_block_any_more_is_noticed(const void *arg)
{
    static const moat_entry entries[] = {
        free_a_merged_one_twice,
        free_the_last_page,
        free_what_was_joined,
        free_where_small_ones_were,
    };
    moat_heap *heap = make(64 * MIB);

    (void)arg;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        moat_trap_info info = {.struct_size = sizeof info};
        moat_event event = {.kind = MOAT_EVENT_RETURN};
        moat_co *co = NULL;

        expect_context("guest %zu", i);
        REQUIRE(moat_co_create(&co, entries[i], NULL) == MOAT_OK);
        REQUIRE(moat_co_resume(co, heap, &event) == MOAT_OK);
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
        EXPECT_EQ(info.kind, MOAT_TRAP_ABORT);
        EXPECT(moat_heap_misuse(heap) != NULL);
        EXPECT_EQ(moat_heap_reset(heap), MOAT_OK);
        moat_co_destroy(co);
    }
    moat_heap_destroy(heap);
}

/* ---- At random ----------------------------------------------------------- */

#define BLOCKS 64
#define LEFT   256

static uint64_t seed;

static unsigned number(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(seed >> 33) % below;
}

static size_t some_size(void)
{
    static const unsigned most[] = {200, 1024, 9000, 16000, 100000, 3000000};

    return number(most[number(6)]);
}

struct play {
    moat_heap *heap;
    char *blocks[BLOCKS];
    char *left[LEFT]; /* that were freed, or moved */
    unsigned count;
};

static void leave(struct play *play, char *block)
{
    play->left[play->count++ % LEFT] = block;
}

static void play_fair(struct play *play, char **block)
{
    char *before = *block;

    if (before == NULL) {
        *block = moat_heap_alloc_aligned(play->heap, (size_t)1 << number(15),
                                         some_size());
    } else if (number(3) == 0) {
        *block = moat_heap_realloc(play->heap, before, some_size());
        if (*block == NULL)
            *block = before;
        else if (*block != before)
            leave(play, before);
    } else {
        moat_heap_free(play->heap, before);
        leave(play, before);
        *block = NULL;
    }
}

static void play_foul(struct play *play, const char *block)
{
    char *left = play->left[number(LEFT)];

    switch (number(5)) {
    case 0:
        if (left != NULL)
            memset(left, (int)number(256), 16);
        break;
    case 1:
        (void)moat_heap_realloc(play->heap, left, some_size());
        break;
    case 2:
        if (block != NULL)
            moat_heap_free(play->heap, (char *)block + number(64) * 16);
        break;
    case 3:
        if (block != NULL)
            moat_heap_free(play->heap, (char *)block + number(64) * 4 * KIB);
        break;
    default:
        moat_heap_free(play->heap, left);
    }
}

static void *play_on(moat_co *self, void *input)
{
    struct play *play = input;

    (void)self;
    for (int i = 0; i < 2000; i++) {
        char **block = &play->blocks[number(BLOCKS)];

        if (number(200) == 0)
            play_foul(play, *block);
        else
            play_fair(play, block);
    }
    return NULL;
}

#define WITNESS_BYTES (14 * MIB)

static char *fill(moat_heap *heap)
{
    char *block = moat_heap_alloc(heap, WITNESS_BYTES);

    REQUIRE(block != NULL);
    return memset(block, 0x5a, WITNESS_BYTES);
}

static bool is_filled(const char *block)
{
    return block[0] == 0x5a && memcmp(block, block + 1, WITNESS_BYTES - 1) == 0;
}

static void play_once(moat_heap *heap)
{
    static struct play play;
    moat_trap_info info = {.struct_size = sizeof info};
    moat_event event = {.kind = MOAT_EVENT_PANIC};
    moat_co *co = NULL;

    memset(&play, 0, sizeof play);
    play.heap = heap;
    REQUIRE(moat_co_create(&co, play_on, NULL) == MOAT_OK);
    REQUIRE(moat_co_resume(co, &play, &event) == MOAT_OK);
    if (event.kind == MOAT_EVENT_TRAP) {
        EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
        EXPECT_EQ(info.kind, MOAT_TRAP_ABORT);
        EXPECT(moat_heap_misuse(heap) != NULL);
    }
    moat_co_destroy(co);
    EXPECT_EQ(moat_heap_reset(heap), MOAT_OK);
}

static void misuse_harms_no_neighbour(const void *arg)
{
    moat_heap *heaps[] = {make(16 * MIB), make(16 * MIB), make(16 * MIB)};
    const char *below = fill(heaps[0]), *above = fill(heaps[2]);

    (void)arg;
    for (uint64_t i = 1; i <= 400; i++) {
        expect_context("seed %u", (unsigned)i);
        seed = i * 77777;
        play_once(heaps[1]);
    }
    EXPECT(is_filled(below) && is_filled(above));
    for (size_t i = 0; i < 3; i++)
        moat_heap_destroy(heaps[i]);
}

/* ---- Locked memory ------------------------------------------------------- */

#if UNDER_ASAN || UNDER_TSAN
#    define NEEDS_LOCKS "a sanitizer's memory cannot be locked"
#else
#    define NEEDS_LOCKS NULL
#endif

/* Takes blocks of a size until the quota is used up, and returns them. */
static void take_and_return_all(moat_heap *heap, size_t bytes)
{
    void **block, **last = NULL;

    while ((block = moat_heap_alloc(heap, bytes)) != NULL) {
        *block = (void *)last;
        last = block;
    }
    EXPECT(last != NULL);
    for (; last != NULL; last = block) {
        block = *last;
        moat_heap_free(heap, (void *)last);
    }
}

/* All addresses count, of which a heap has more than its quota. */
static size_t locked_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    size_t kib = 0;
    char line[256];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "VmLck: %zu", &kib);
    if (file != NULL)
        (void)fclose(file);
    return kib * KIB;
}

static void the_addresses_of_heaps_count_as_locked(const void *arg)
{
    size_t before;

    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        child_leave_out("no memory can be locked"); /* RLIMIT_MEMLOCK */
    before = locked_bytes();
    moat_heap_destroy(make(32 * MIB));
    EXPECT(before == 0 || locked_bytes() - before >= 64 * MIB);
}

/* What is accessible takes memory then, and what was freed keeps it. */
static void locked_memory_is_within_the_quota(const void *arg)
{
    static const size_t sizes[] = {16, 1000, 70000, 300000, 40, 5000};
    moat_heap *heap;
    size_t before;

    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        child_leave_out("no memory can be locked"); /* RLIMIT_MEMLOCK */
    heap = make(32 * MIB);
    before = resident_bytes();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        take_and_return_all(heap, sizes[i]);
        EXPECT_EQ(moat_heap_used(heap), 0);
        EXPECT(before == 0 || resident_bytes() - before <= 34 * MIB);
    }
    moat_heap_destroy(heap);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(what_is_no_block_any_more_is_noticed),
        CHILD_CASE(misuse_harms_no_neighbour),
        {"the_addresses_of_heaps_count_as_locked",
         the_addresses_of_heaps_count_as_locked, NULL, NEEDS_LOCKS, 0, 0},
        {"locked_memory_is_within_the_quota", locked_memory_is_within_the_quota,
         NULL, NEEDS_LOCKS, 0, 0},
    };

    return child_cases_run("heap_misuse", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
