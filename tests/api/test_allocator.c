/*
 * test_allocator.c: moat/allocator.h: whose memory a caller takes, blocks that
 * come back from outside, mappings, and the trap of a memory limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <moat/moat.h>

#include "support/fixture.h"
#include "support/surroundings.h"

#define MIB  ((size_t)1 << 20)
#define PAGE ((size_t)4096)

static moat_heap *make(size_t quota)
{
    moat_heap *heap = NULL;

    REQUIRE(moat_heap_create(&heap, quota) == MOAT_OK);
    return heap;
}

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static moat_event_kind resume(moat_co *co, void *input)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event.kind;
}

/* ---- Whose memory -------------------------------------------------------- */

static void *ask_in_host_call(void *arg)
{
    moat_heap *heap = NULL;

    EXPECT_EQ(moat_guest_heap(&heap, MIB), MOAT_E_STATE);
    EXPECT(heap == NULL);
    return arg;
}

static void *ask(moat_co *self, void *input)
{
    moat_heap *heap = NULL, *again = NULL;

    EXPECT_EQ(moat_guest_heap(&heap, 0), MOAT_OK);
    EXPECT(heap == NULL);
    EXPECT_EQ(moat_guest_heap(&heap, SIZE_MAX), MOAT_E_INVAL);
    EXPECT_EQ(moat_guest_heap(&heap, MIB), MOAT_OK);
    EXPECT(heap != NULL && heap == moat_co_heap(self));
    EXPECT_EQ(moat_guest_heap(&again, 0), MOAT_OK);
    EXPECT(again == heap);
    EXPECT(moat_heap_alloc(heap, 100) != NULL);
    EXPECT(moat_call_on_parent(self, ask_in_host_call, self) == self);
    moat_notrap_enter();
    EXPECT_EQ(moat_guest_heap(&again, 0), MOAT_OK);
    moat_notrap_leave();
    return input;
}

static void *ask_inside(moat_co *self, void *input)
{
    moat_co *inner = create(ask);
    moat_heap *heap = NULL;

    EXPECT_EQ(moat_guest_heap(&heap, MIB), MOAT_OK);
    EXPECT_EQ(resume(inner, input), MOAT_EVENT_RETURN);
    EXPECT(moat_co_heap(inner) != heap);
    EXPECT(moat_co_heap(self) == heap);
    moat_co_destroy(inner);
    return input;
}

static void the_stack_in_use_decides(const void *arg)
{
    (void)arg;
    (void)ask_in_host_call(NULL);
    for (int i = 0; i < 3; i++) {
        moat_co *co = create(ask_inside);

        EXPECT_EQ(resume(co, NULL), MOAT_EVENT_RETURN);
        moat_co_destroy(co);
    }
}

/* A coroutine that is used again has no heap of the one before. */
static void a_late_heap_ends_with_its_coroutine(const void *arg)
{
    moat_co *co;

    (void)arg;
    for (int i = 0; i < 50; i++) {
        co = create(ask);
        EXPECT(moat_co_heap(co) == NULL);
        EXPECT_EQ(resume(co, NULL), MOAT_EVENT_RETURN);
        EXPECT(moat_heap_used(moat_co_heap(co)) != 0);
        moat_co_destroy(co);
    }
    co = create(ask);
    EXPECT_EQ(resume(co, NULL), MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(moat_heap_used(moat_co_heap(co)), 0);
    moat_co_destroy(co);
}

static void *leave_text(moat_co *self, void *input)
{
    moat_heap *heap = NULL;
    char *text;

    (void)self;
    (void)input;
    REQUIRE(moat_guest_heap(&heap, MIB) == MOAT_OK && heap != NULL);
    text = moat_heap_alloc(heap, 100);
    REQUIRE(text != NULL);
    return strcpy(text, "left");
}

static moat_co *create_with_heap(moat_entry entry)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    limits.memory_bytes = MIB;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static char *text_of(moat_co *co)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    return event.value;
}

/* One made late, and one of a limit. */
static void a_heap_that_was_taken_over_stays(const void *arg)
{
    moat_co *(*const make_one[])(moat_entry) = {create, create_with_heap};

    (void)arg;
    EXPECT(moat_co_take_heap(NULL) == NULL);
    for (size_t i = 0; i < 10; i++) {
        moat_co *co = make_one[i % 2](leave_text);
        char *text = text_of(co);
        moat_heap *heap = moat_co_take_heap(co), *second;

        REQUIRE(heap != NULL && heap == moat_heap_of(text));
        EXPECT(moat_co_heap(co) == heap && moat_co_take_heap(co) == NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        EXPECT(moat_co_heap(co) != heap);
        EXPECT((moat_co_heap(co) != NULL) == (i % 2 != 0));
        EXPECT(text_of(co) != text);
        second = moat_co_take_heap(co);
        EXPECT(second != NULL && second != heap);
        moat_co_destroy(co);
        EXPECT(strcmp(text, "left") == 0);
        moat_heap_destroy(heap);
        moat_heap_destroy(second);
        EXPECT(moat_heap_of(text) == NULL);
    }
    /* One that was lent is not the coroutine's to give. */
    {
        moat_co_options options = MOAT_CO_OPTIONS_INIT;
        moat_co *co = NULL;

        options.heap = make(MIB);
        REQUIRE(moat_co_create(&co, leave_text, &options) == MOAT_OK);
        EXPECT(moat_co_take_heap(co) == NULL);
        moat_co_destroy(co);
        moat_heap_destroy(options.heap);
    }
}

/* ---- Blocks of the guest on whose stack the caller is -------------------- */

/* What is called otherwise. */
static size_t asked;
static void *returned;

static void *note_asked(size_t bytes)
{
    asked = bytes;
    return &asked;
}

static void note_returned(void *pointer)
{
    returned = pointer;
}

static void otherwise_it_is_told(void *pointer)
{
    EXPECT(moat_guest_alloc_or(2 * MIB, note_asked) == &asked);
    EXPECT_EQ(asked, 2 * MIB);
    moat_guest_free_or(pointer, note_returned);
    EXPECT(returned == pointer);
}

static void *no_block_of_a_guest(void *arg)
{
    EXPECT(moat_guest_alloc(100) == NULL);
    EXPECT(moat_guest_realloc(arg, 200) == NULL);
    EXPECT(!moat_guest_free(arg));
    otherwise_it_is_told(arg);
    return arg;
}

/* Also blocks of a span that is then all free. */
static void take_and_free_or(moat_heap *heap, size_t bytes)
{
    void *blocks[40];

    for (int i = 0; i < 40; i++) {
        blocks[i] = moat_guest_alloc_or(bytes, NULL);
        REQUIRE(moat_heap_of(blocks[i]) == heap);
    }
    for (int i = 0; i < 40; i++)
        moat_guest_free_or(blocks[i], NULL);
}

static void *take_and_free(moat_co *self, void *input)
{
    const size_t sizes[] = {0, 1, 100, 8192, 8193, 300000};
    moat_heap *heap = moat_co_heap(self);
    size_t used = moat_heap_used(heap);
    char *block;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        block = moat_guest_alloc(sizes[i]);
        REQUIRE(block != NULL && moat_heap_of(block) == heap);
        EXPECT(moat_heap_block_bytes(heap, block) >= sizes[i]);
        memset(block, 7, sizes[i]);
        EXPECT(moat_call_on_parent(self, no_block_of_a_guest, block) == block);
        block = moat_guest_realloc(block, sizes[i] + 5000);
        REQUIRE(block != NULL && moat_heap_of(block) == heap);
        EXPECT(sizes[i] == 0 || block[sizes[i] - 1] == 7);
        moat_notrap_enter();
        EXPECT(moat_guest_free(block));
        moat_notrap_leave();
    }
    for (size_t i = 0; i < 4; i++)
        take_and_free_or(heap, sizes[i]);
    EXPECT_EQ(moat_heap_used(heap), used);
    EXPECT(moat_guest_alloc(2 * MIB) == NULL);
    otherwise_it_is_told(input);
    /* The host's, and no block at all. */
    EXPECT(moat_guest_realloc(input, 100) == NULL);
    EXPECT(!moat_guest_free(input) && !moat_guest_free(NULL));
    return input;
}

static void *have_none(moat_co *self, void *input)
{
    (void)self;
    return no_block_of_a_guest(input);
}

static void *free_twice(moat_co *self, void *input)
{
    void *block = moat_guest_alloc(100);

    (void)self;
    EXPECT(moat_guest_free(block));
    (void)moat_guest_free(block);
    return input;
}

static void a_guest_takes_and_frees_blocks(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    const moat_entry entries[] = {take_and_free, take_and_free, free_twice};
    moat_heap *heap = make(MIB);
    void *block = malloc(100), *heaps = moat_heap_alloc(heap, 100);
    moat_co *co = create(have_none);

    (void)arg;
    (void)no_block_of_a_guest(heaps);
    EXPECT_EQ(resume(co, heaps), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    options.heap = heap;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        REQUIRE(moat_co_create(&co, entries[i], &options) == MOAT_OK);
        EXPECT_EQ(resume(co, block),
                  i < 2 ? MOAT_EVENT_RETURN : MOAT_EVENT_TRAP);
        moat_co_destroy(co);
    }
    EXPECT(strcmp(moat_heap_misuse(heap), "freed a block twice") == 0);
    moat_heap_destroy(heap);
    free(block);
}

/* ---- Addresses ----------------------------------------------------------- */

static void addresses_are_known(const void *arg)
{
    static char elsewhere;
    moat_heap *heap = make(MIB);
    char *block = moat_heap_alloc(heap, 100);
    char *large = moat_heap_alloc(heap, 100000);

    (void)arg;
    EXPECT(moat_heap_may_own(block) && moat_heap_had(block));
    EXPECT(!moat_heap_had(&elsewhere) && !moat_heap_had(NULL));
    EXPECT_EQ(moat_heap_find_block(heap, block), 112);
    EXPECT_EQ(moat_heap_find_block(heap, block + 16), 0);
    EXPECT(moat_heap_find_block(heap, large) >= 100000);
    EXPECT_EQ(moat_heap_find_block(heap, large + PAGE), 0);
    EXPECT_EQ(moat_heap_find_block(heap, large + 24 * PAGE), 0);
    EXPECT_EQ(moat_heap_find_block(heap, heap), 0);
    EXPECT_EQ(moat_heap_find_block(heap, &elsewhere), 0);
    moat_heap_destroy(heap);
    EXPECT(moat_heap_of(block) == NULL && moat_heap_had(block));
}

/* ---- Blocks that come back from outside ---------------------------------- */

#define BLOCKS 3000

static void *blocks[BLOCKS];

static void take_all(moat_heap *heap)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = moat_heap_alloc(heap, (size_t)(i % 300 + 1) * 8);
        REQUIRE(blocks[i] != NULL);
    }
}

static void *return_all_later(void *arg)
{
    for (int i = 0; i < BLOCKS; i++)
        EXPECT_EQ(moat_heap_free_later(arg, blocks[i]), MOAT_OK);
    return NULL;
}

static void look_for_memory(moat_heap *heap)
{
    moat_heap_free(heap, moat_heap_alloc(heap, 100000));
}

static void blocks_come_back_from_other_threads(const void *arg)
{
    moat_heap *heap = make(16 * MIB);
    pthread_t thread;

    (void)arg;
    for (int i = 0; i < 5; i++) {
        take_all(heap);
        REQUIRE(pthread_create(&thread, NULL, return_all_later, heap) == 0);
        if (i % 2 == 0) {
            for (int j = 0; j < 200; j++)
                look_for_memory(heap);
        }
        REQUIRE(pthread_join(thread, NULL) == 0);
        look_for_memory(heap);
        EXPECT_EQ(moat_heap_used(heap), 0);
    }
    take_all(heap);
    (void)return_all_later(heap);
    EXPECT_EQ(moat_heap_reset(heap), MOAT_OK);
    take_all(heap);
    (void)return_all_later(heap);
    moat_heap_destroy(heap);
}

static void what_is_no_block_is_ignored(const void *arg)
{
    moat_heap *heap = make(MIB);
    char *block = moat_heap_alloc(heap, 100), *other = moat_heap_alloc(heap, 5),
         *mapped = moat_heap_map(heap, PAGE);

    (void)arg;
    moat_heap_free(heap, other);
    EXPECT_EQ(moat_heap_free_later(heap, block + 16), MOAT_OK);
    EXPECT_EQ(moat_heap_free_later(heap, other), MOAT_OK); /* again */
    EXPECT_EQ(moat_heap_free_later(heap, mapped), MOAT_OK);
    EXPECT_EQ(moat_heap_free_later(heap, heap), MOAT_OK);
    EXPECT_EQ(moat_heap_free_later(heap, NULL), MOAT_OK);
    EXPECT_EQ(moat_heap_free_later(heap, &heap), MOAT_OK);
    look_for_memory(heap);
    EXPECT_EQ(moat_heap_used(heap), 112 + PAGE);
    EXPECT(moat_heap_misuse(heap) == NULL);
    EXPECT_EQ(moat_heap_free_later(NULL, block), MOAT_E_INVAL);
    moat_heap_destroy(heap);
}

/* ---- Mappings ------------------------------------------------------------ */

static void mappings_keep_to_the_quota(const void *arg)
{
    moat_heap *heap = make(MIB);
    char *pages;
    int count = 0;

    (void)arg;
    EXPECT(moat_heap_map(heap, 0) == NULL);
    EXPECT(moat_heap_map(heap, SIZE_MAX) == NULL);
    while ((pages = moat_heap_map(heap, 3 * PAGE)) != NULL) {
        memset(pages, 1, 3 * PAGE);
        count++;
    }
    EXPECT_EQ(count, MIB / PAGE / 3);
    EXPECT(moat_heap_alloc(heap, PAGE * 2) == NULL);
    EXPECT(moat_heap_break(heap, (ptrdiff_t)(2 * PAGE)) == NULL);
    /* The whole heap at once, and nothing else of it. */
    EXPECT(moat_heap_unmap(heap, NULL, SIZE_MAX / 2 + 1));
    EXPECT_EQ(moat_heap_used(heap), 0);
    pages = moat_heap_map(heap, MIB);
    REQUIRE(pages != NULL);
    EXPECT(pages[0] == 0 && pages[MIB - 1] == 0);
    EXPECT(moat_heap_remap(heap, pages, MIB, MIB + 1, true) == NULL);
    EXPECT(moat_heap_remap(heap, pages, MIB, 1, false) == pages);
    EXPECT_EQ(moat_heap_used(heap), PAGE);
    EXPECT(moat_heap_remap(heap, pages + PAGE, PAGE, PAGE, true) == NULL);
    EXPECT(!moat_heap_map_over(heap, pages, 2 * PAGE));
    EXPECT(!moat_heap_map_over(heap, &heap, 1));
    EXPECT_EQ(moat_heap_clear(heap, MIB), MOAT_OK);
    EXPECT_EQ(moat_heap_used(heap), 0);
    moat_heap_destroy(heap);
}

/* ---- The trap ------------------------------------------------------------ */

/* A guest must not use up vm.max_map_count by its mmap and munmap. */
static void returned_mappings_join_their_neighbours(const void *arg)
{
    moat_heap *heap = make(16 * MIB);
    char *pages[200];
    int before;

    (void)arg;
    for (size_t i = 0; i < 200; i++)
        REQUIRE((pages[i] = moat_heap_map(heap, 4 * PAGE)) != NULL);
    before = mappings_present();
    for (size_t i = 0; i < 200; i += 2)
        EXPECT(moat_heap_unmap(heap, pages[i], 4 * PAGE));
    EXPECT(mappings_present() <= before + 8);
    moat_heap_destroy(heap);
}

static void *pass_the_limit(moat_co *self, void *input)
{
    moat_notrap_enter();
    moat_trap_memory_limit();
    moat_notrap_leave();
    moat_trap_memory_limit();
    EXPECT(self == NULL); /* not reached */
    return input;
}

static void a_memory_limit_traps(const void *arg)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *co = create(pass_the_limit);

    (void)arg;
    moat_trap_memory_limit(); /* no effect on the host's stack */
    EXPECT_EQ(resume(co, NULL), MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_MEMORY_LIMIT);
    EXPECT_EQ(info.signo, 0);
    EXPECT_EQ(info.limit, MOAT_LIMIT_MEMORY);
    moat_co_destroy(co);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(the_stack_in_use_decides),
        CHILD_CASE(a_heap_that_was_taken_over_stays),
        CHILD_CASE(a_guest_takes_and_frees_blocks),
        CHILD_CASE(a_late_heap_ends_with_its_coroutine),
        CHILD_CASE(addresses_are_known),
        CHILD_CASE(blocks_come_back_from_other_threads),
        CHILD_CASE(what_is_no_block_is_ignored),
        CHILD_CASE(mappings_keep_to_the_quota),
        CHILD_CASE(returned_mappings_join_their_neighbours),
        CHILD_CASE(a_memory_limit_traps),
    };

    return child_cases_run("api.allocator", cases, sizeof cases / sizeof *cases,
                           NULL);
}
