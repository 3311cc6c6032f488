/*
 * test_mappings.c: what guests map, unmap and resize, and the break.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guests.h"

#define PAGE ((size_t)4096)

static void *map_pages(size_t pages)
{
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool is_zero(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != 0)
            return false;
    }
    return true;
}

static size_t used(moat_co *self)
{
    return moat_heap_used(moat_co_heap(self));
}

static void *map_and_unmap(moat_co *self, void *input)
{
    for (int i = 0; i < 100; i++) {
        char *at = map_pages(1), *more = map_pages(10);

        REQUIRE(at != MAP_FAILED && more != MAP_FAILED);
        EXPECT(moat_heap_of(at) == moat_co_heap(self));
        EXPECT_EQ((uintptr_t)at % PAGE, 0);
        EXPECT(is_zero(at, PAGE) && is_zero(more, 10 * PAGE));
        EXPECT_EQ(used(self), 11 * PAGE);
        memset(at, 1, PAGE);
        memset(more, 1, 10 * PAGE);
        EXPECT_EQ(munmap(at, PAGE), 0);
        EXPECT_EQ(munmap(more, 10 * PAGE), 0);
        EXPECT_EQ(used(self), 0);
        free(memset(malloc(30000), 1, 30000));
    }
    return input;
}

static void *unmap_parts(moat_co *self, void *input)
{
    char *at = map_pages(10), *second;

    REQUIRE(at != MAP_FAILED);
    memset(at, 1, 10 * PAGE);
    EXPECT_EQ(munmap(at, PAGE), 0);
    EXPECT_EQ(munmap(at + 9 * PAGE, PAGE), 0);
    EXPECT_EQ(munmap(at + 4 * PAGE, 2 * PAGE), 0);
    EXPECT_EQ(munmap(at + 4 * PAGE, 2 * PAGE), 0); /* nothing there */
    EXPECT_EQ(used(self), 6 * PAGE);
    EXPECT(at[PAGE] == 1 && at[3 * PAGE] == 1);
    EXPECT(at[6 * PAGE] == 1 && at[9 * PAGE - 1] == 1);
    second = map_pages(2);
    EXPECT(is_zero(second, 2 * PAGE));
    /* All parts at once, and more. */
    EXPECT_EQ(munmap(second, 2 * PAGE), 0);
    EXPECT_EQ(munmap(at, 10 * PAGE), 0);
    EXPECT_EQ(used(self), 0);
    EXPECT_EQ(munmap(at + 1, PAGE), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(munmap(at, 0), -1);
    return input;
}

static void *change_protection(moat_co *self, void *input)
{
    char *at =
        mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(at != MAP_FAILED);
    EXPECT_EQ(mprotect(at, 2 * PAGE, PROT_READ | PROT_WRITE), 0);
    memset(at, 1, 2 * PAGE);
    EXPECT_EQ(munmap(at, 4 * PAGE), 0);
    /* The heap uses the pages again. */
    at = malloc(4 * PAGE);
    REQUIRE(at != NULL);
    memset(at, 2, 4 * PAGE);
    free(at);
    EXPECT_EQ(used(self), 0);
    return input;
}

static void *map_a_file(moat_co *self, void *input)
{
    FILE *file = input;
    int fd = fileno(file);
    char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *over;

    REQUIRE(at != MAP_FAILED);
    EXPECT(moat_heap_of(at) == moat_co_heap(self));
    EXPECT(memcmp(at, "contents", 8) == 0);
    memcpy(at, "CONTENTS", 8);
    /* Another page over the second one. */
    over = mmap(at + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    EXPECT(over == at + PAGE && memcmp(over, "CONTENTS", 8) == 0);
    EXPECT(mremap(at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
    EXPECT(mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
                0) == MAP_FAILED);
    EXPECT_EQ(errno, EEXIST);
    EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED);
    EXPECT_EQ(errno, EBADF);
    if (moat_co_user(self) == NULL)
        EXPECT_EQ(munmap(at, 2 * PAGE), 0);
    EXPECT_EQ(used(self), moat_co_user(self) == NULL ? 0 : 2 * PAGE);
    return input;
}

static void *fixed_elsewhere(moat_co *self, void *input)
{
    char *host = input, *block = malloc(4 * PAGE);

    EXPECT(mmap(host, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0) == MAP_FAILED);
    EXPECT_EQ(errno, ENOMEM);
    /* A block is no mapping. */
    EXPECT(mmap(block, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0) == MAP_FAILED);
    EXPECT_EQ(munmap(block, PAGE), 0);
    memset(block, 1, 4 * PAGE);
    EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
                -1, 0) == MAP_FAILED);
    EXPECT(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
           MAP_FAILED);
    EXPECT_EQ(errno, EINVAL);
    /* A hint is not followed. */
    EXPECT(moat_heap_of(mmap(host, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
                             -1, 0)) == moat_co_heap(self));
    /* The host's own, which it has handed over. */
    EXPECT_EQ(munmap(host, PAGE), 0);
    return input;
}

static void *resize(moat_co *self, void *input)
{
    char *at = map_pages(2), *in_the_way, *moved;

    memset(at, 1, 2 * PAGE);
    at = mremap(at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    REQUIRE(at != MAP_FAILED);
    EXPECT(at[0] == 1 && at[2 * PAGE - 1] == 1);
    EXPECT(is_zero(at + 2 * PAGE, 2 * PAGE));
    EXPECT_EQ(used(self), 4 * PAGE);
    in_the_way = map_pages(1);
    EXPECT(mremap(at, 4 * PAGE, 64 * PAGE, 0) == MAP_FAILED);
    EXPECT_EQ(errno, ENOMEM);
    moved = mremap(at, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    REQUIRE(moved != MAP_FAILED);
    EXPECT(moved[0] == 1 && is_zero(moved + 4 * PAGE, 60 * PAGE));
    EXPECT_EQ(used(self), 65 * PAGE);
    EXPECT(mremap(moved, 64 * PAGE, PAGE, 0) == moved);
    EXPECT_EQ(used(self), 2 * PAGE);
    EXPECT(mremap(moved, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                  in_the_way) == MAP_FAILED);
    EXPECT_EQ(munmap(moved, PAGE), 0);
    EXPECT_EQ(munmap(in_the_way, PAGE), 0);
    EXPECT_EQ(used(self), 0);
    return input;
}

static void *move_the_break(moat_co *self, void *input)
{
    char *first = sbrk(0), *at = first;

    REQUIRE(first != (void *)-1);
    EXPECT(moat_heap_of(first) == moat_co_heap(self));
    for (int i = 0; i < 500; i++) {
        EXPECT(sbrk(1000) == at);
        EXPECT(is_zero(at, 1000));
        memset(at, 1, 1000);
        free(memset(malloc(5000), 1, 5000)); /* does not stand in its way */
        at += 1000;
    }
    EXPECT_EQ(used(self), 500000);
    EXPECT(sbrk(-400000) == at);
    EXPECT(sbrk(0) == first + 100000);
    EXPECT(sbrk(50000) == first + 100000);
    EXPECT(is_zero(first + 102400, 40000));
    EXPECT_EQ(brk(first + 10), 0);
    EXPECT(sbrk(0) == first + 10);
    EXPECT(sbrk(-11) == (void *)-1);
    EXPECT_EQ(brk(first), 0);
    EXPECT_EQ(used(self), 0);
    return input;
}

static void the_hosts_are_the_kernels(const void *arg)
{
    char *at = map_pages(2), *end = sbrk(0);

    (void)arg;
    guest_run(map_and_unmap, NULL);
    EXPECT(at != MAP_FAILED && !moat_heap_had(at));
    EXPECT(sbrk(4096) == end && !moat_heap_had(end));
    at = mremap(at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    EXPECT(at != MAP_FAILED);
    EXPECT_EQ(munmap(at, 4 * PAGE), 0);
}

static void files_can_be_mapped(const void *arg)
{
    FILE *file = tmpfile();
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    char text[9] = "";

    (void)arg;
    REQUIRE(file != NULL && ftruncate(fileno(file), 2 * PAGE) == 0);
    for (int i = 0; i < 40; i++) {
        moat_co *co;

        REQUIRE(pwrite(fileno(file), "contents", 8, 0) == 8);
        limits.memory_bytes = QUOTA;
        options.limits = &limits;
        options.user = i % 2 == 0 ? NULL : file; /* it unmaps it or not */
        REQUIRE(moat_co_create(&co, map_a_file, &options) == MOAT_OK);
        EXPECT_EQ(guest_resume(co, file), MOAT_EVENT_RETURN);
        moat_co_destroy(co);
        REQUIRE(pread(fileno(file), text, 8, 0) == 8);
        EXPECT_STR(text, "CONTENTS");
    }
    (void)fclose(file);
}

static void *leave_a_mapping(moat_co *self, void *input)
{
    *(void **)input = map_pages(2);
    (void)self;
    return input;
}

static void only_its_guest_ends_a_mapping(const void *arg)
{
    moat_co *co = guest_with(leave_a_mapping, QUOTA);
    char *at;

    (void)arg;
    EXPECT_EQ(guest_resume(co, &at), MOAT_EVENT_RETURN);
    EXPECT_EQ(munmap(at, PAGE), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT(mremap(at, PAGE, 2 * PAGE, 0) == MAP_FAILED);
    at[0] = 1;
    moat_co_destroy(co);
}

static void each(const void *arg)
{
    const moat_entry *entry = arg;

    guest_run(*entry, NULL);
    guest_run(*entry, NULL);
}

static void mapping_elsewhere_is_refused(const void *arg)
{
    (void)arg;
    guest_run(fixed_elsewhere, map_pages(1));
}

static const moat_entry entries[] = {map_and_unmap, unmap_parts,
                                     change_protection, resize, move_the_break};

static const struct child_case cases[] = {
    {"map_and_unmap", each, &entries[0], NULL, 0, 0},
    {"unmap_parts", each, &entries[1], NULL, 0, 0},
    {"change_protection", each, &entries[2], NULL, 0, 0},
    {"resize", each, &entries[3], NULL, 0, 0},
    {"move_the_break", each, &entries[4], NULL, 0, 0},
    CHILD_CASE(files_can_be_mapped),
    CHILD_CASE(mapping_elsewhere_is_refused),
    CHILD_CASE(only_its_guest_ends_a_mapping),
    CHILD_CASE(the_hosts_are_the_kernels),
};

int main(int argc, char **argv)
{
    return child_cases_run("malloc.mappings", cases,
                           sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
