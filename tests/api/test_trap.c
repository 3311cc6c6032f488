/*
 * test_trap.c: names of traps, and the record as data: sizes, regions, code
 * bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/moat.h>

#include "support/fixture.h"

static void every_kind_has_its_number_and_texts(const void *arg)
{
    (void)arg;
#define CHECK(name, number, text)                 \
    EXPECT_EQ(name, number);                      \
    EXPECT_STR(moat_trap_kind_name(name), #name); \
    EXPECT_STR(moat_trap_kind_str(name), text);
    MOAT_TRAP_MAP(CHECK)
#undef CHECK
    for (int number = -1; number <= 21; number += 22) {
        EXPECT_STR(moat_trap_kind_name((moat_trap_kind)number), "MOAT_TRAP_?");
        EXPECT_STR(moat_trap_kind_str((moat_trap_kind)number), "unknown trap");
    }
    EXPECT_STR(moat_trap_kind_name(MOAT_TRAP_NONE), "MOAT_TRAP_?");
}

static void accesses_and_regions_have_their_numbers(const void *arg)
{
    (void)arg;
    EXPECT_EQ(MOAT_ACCESS_NONE, 0);
    EXPECT_EQ(MOAT_ACCESS_READ, 1);
    EXPECT_EQ(MOAT_ACCESS_WRITE, 2);
    EXPECT_EQ(MOAT_ACCESS_EXEC, 3);
    EXPECT_EQ(MOAT_REGION_UNKNOWN, 0);
    EXPECT_EQ(MOAT_REGION_OWN_GUARD, 1);
    EXPECT_EQ(MOAT_REGION_OWN_STACK, 2);
    EXPECT_EQ(MOAT_REGION_OTHER_GUARD, 3);
    EXPECT_EQ(MOAT_REGION_OTHER_STACK, 4);
    EXPECT_EQ(MOAT_REGION_ARENA, 5);
}

/* ---- Guests ---- */

/* Stores at the given address. */
static void *store_at(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movb $1, (%0)" : : "r"(input) : "memory");
    return NULL;
}

static void *jump_to(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("call *%0" : : "r"(input) : "memory");
    return NULL;
}

static void *raise_33(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise(33);
}

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, NULL) == MOAT_OK);
    return co;
}

static moat_trap_info trap_with(moat_co *co, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event;

    REQUIRE(moat_co_reset(co) == MOAT_OK);
    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    REQUIRE(event.kind == MOAT_EVENT_TRAP);
    EXPECT(event.value == NULL);
    REQUIRE(moat_co_trap_info(co, &info) == MOAT_OK);
    return info;
}

static moat_stack_info stack_of(const moat_co *co)
{
    moat_stack_info info;

    REQUIRE(moat_co_stack_info(co, &info) == MOAT_OK);
    return info;
}

/* ---- The record ---- */

static void the_record_stays_in_its_callers_struct(const void *arg)
{
    moat_co *co = create(raise_33);
    moat_trap_info full = trap_with(co, NULL), part;
    size_t part_bytes = offsetof(moat_trap_info, user_code);

    (void)arg;
    memset(&part, 0xee, sizeof part);
    part.struct_size = part_bytes;
    EXPECT_EQ(moat_co_trap_info(co, &part), MOAT_OK);
    EXPECT_EQ(part.struct_size, part_bytes);
    EXPECT_EQ(part.kind, full.kind);
    EXPECT_EQ(part.pc, full.pc);
    EXPECT_EQ((unsigned)part.user_code, 0xeeeeeeeeu);
    EXPECT_EQ(full.struct_size, sizeof full);
    moat_co_destroy(co);
}

static void *exit_with(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    moat_trap_raise_as(MOAT_TRAP_EXIT, -3);
}

static void a_raise_may_have_another_kind(const void *arg)
{
    moat_co *co = create(exit_with);
    moat_trap_info info = trap_with(co, NULL);

    (void)arg;
    EXPECT_EQ(info.kind, MOAT_TRAP_EXIT);
    EXPECT(info.user_code == -3 && !info.in_host_call);
    moat_co_destroy(co);
}

static void a_raise_needs_no_signal(const void *arg)
{
    moat_co *co = create(raise_33);
    moat_trap_info info = trap_with(co, NULL);
    moat_stack_info stack = stack_of(co);

    (void)arg;
    EXPECT_EQ(info.kind, MOAT_TRAP_RAISED);
    EXPECT_EQ(info.user_code, 33);
    EXPECT_EQ(info.signo, 0);
    EXPECT_EQ(info.code, 0);
    EXPECT_EQ(info.access, MOAT_ACCESS_NONE);
    EXPECT_EQ(info.address, 0);
    EXPECT_EQ(info.region, MOAT_REGION_UNKNOWN);
    EXPECT(info.sp >= stack.limit && info.sp < stack.base);
    EXPECT_EQ(info.stack_used, stack.base - info.sp);
    EXPECT_EQ(stack.used, info.stack_used);
    EXPECT_EQ(info.regs->pc, info.pc);
    EXPECT_EQ(info.regs->sp, info.sp);
    EXPECT_EQ(info.regs->fp, info.fp);
    moat_co_destroy(co);
}

static void the_code_at_pc_is_shown(const void *arg)
{
    moat_co *co = create(store_at);
    moat_trap_info info = trap_with(co, NULL);

    (void)arg;
    EXPECT_EQ(info.byte_count, sizeof info.bytes);
    EXPECT(memcmp(info.bytes, (const void *)info.pc, info.byte_count) == 0);
    moat_co_destroy(co);
}

static void code_that_is_not_there_is_not_shown(const void *arg)
{
    moat_co *co = create(jump_to);
    moat_trap_info info = trap_with(co, NULL);

    (void)arg;
    EXPECT_EQ(info.pc, 0);
    EXPECT_EQ(info.byte_count, 0);
    moat_co_destroy(co);
}

/* Code that ends at its page's end: only its readable bytes are recorded. */
static void code_at_the_end_of_a_mapping_is_cut_off(const void *arg)
{
    static const unsigned char ud2[2] = {0x0f, 0x0b};
    unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    moat_co *co = create(jump_to);
    moat_trap_info info;

    (void)arg;
    REQUIRE(page != MAP_FAILED);
    memcpy(page + 4096 - sizeof ud2, ud2, sizeof ud2);
    REQUIRE(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
    REQUIRE(munmap(page + 4096, 4096) == 0);
    info = trap_with(co, page + 4096 - sizeof ud2);
    EXPECT_EQ(info.kind, MOAT_TRAP_ILLEGAL);
    EXPECT_EQ(info.byte_count, sizeof ud2);
    EXPECT(memcmp(info.bytes, ud2, sizeof ud2) == 0);
    moat_co_destroy(co);
}

/* ---- The owner of the memory ---- */

static void expect_store(moat_co *co, uintptr_t address, moat_trap_kind kind,
                         moat_region region)
{
    moat_trap_info info = trap_with(co, (void *)address);

    expect_context("store at %#lx", (unsigned long)address);
    EXPECT_EQ(info.kind, kind);
    EXPECT_EQ(info.region, region);
    EXPECT_EQ(info.address, address);
    EXPECT_EQ(info.access, MOAT_ACCESS_WRITE);
}

static void the_faulting_address_is_told_by_owner(const void *arg)
{
    moat_co *co = create(store_at), *other = create(store_at);
    moat_stack_info own = stack_of(co), its = stack_of(other);

    (void)arg;
    expect_store(co, own.limit - 1, MOAT_TRAP_STACK_OVERFLOW,
                 MOAT_REGION_OWN_GUARD);
    expect_store(co, own.guard, MOAT_TRAP_STACK_OVERFLOW,
                 MOAT_REGION_OWN_GUARD);
    expect_store(co, its.guard, MOAT_TRAP_MEMORY, MOAT_REGION_OTHER_GUARD);
    expect_store(co, 0, MOAT_TRAP_NULL, MOAT_REGION_UNKNOWN);
    expect_store(co, (uintptr_t)&stack_of & ~(uintptr_t)0xfff, MOAT_TRAP_MEMORY,
                 MOAT_REGION_UNKNOWN);
    moat_co_destroy(other);
    moat_co_destroy(co);
}

/* Stores into a slot of the arena that no coroutine has used. Slots are taken
 * from the top down. */
static void unused_memory_of_an_arena_is_told(const void *arg)
{
    moat_co *co = create(store_at);
    moat_stack_info stack = stack_of(co);

    (void)arg;
    expect_store(co, stack.guard - 1, MOAT_TRAP_MEMORY, MOAT_REGION_ARENA);
    moat_co_destroy(co);
}

static void a_jump_to_the_own_stack_is_told(const void *arg)
{
    moat_co *co = create(jump_to);
    moat_stack_info stack = stack_of(co);
    moat_trap_info info = trap_with(co, (void *)stack.limit);

    (void)arg;
    EXPECT_EQ(info.kind, MOAT_TRAP_EXEC);
    EXPECT_EQ(info.access, MOAT_ACCESS_EXEC);
    EXPECT_EQ(info.address, stack.limit);
    EXPECT_EQ(info.region, MOAT_REGION_OWN_STACK);
    moat_co_destroy(co);
}

int main(void)
{
    const struct child_case cases[] = {
        CHILD_CASE(every_kind_has_its_number_and_texts),
        CHILD_CASE(accesses_and_regions_have_their_numbers),
        CHILD_CASE(the_record_stays_in_its_callers_struct),
        CHILD_CASE(a_raise_needs_no_signal),
        CHILD_CASE(a_raise_may_have_another_kind),
        CHILD_CASE(the_code_at_pc_is_shown),
        CHILD_CASE(code_that_is_not_there_is_not_shown),
        CHILD_CASE(code_at_the_end_of_a_mapping_is_cut_off),
        CHILD_CASE(the_faulting_address_is_told_by_owner),
        CHILD_CASE(unused_memory_of_an_arena_is_told),
        CHILD_CASE(a_jump_to_the_own_stack_is_told),
    };

    return child_cases_run("trap", cases, sizeof cases / sizeof cases[0], NULL);
}
