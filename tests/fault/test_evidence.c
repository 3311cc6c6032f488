/*
 * test_evidence.c: faults for which the CPU and the kernel report little about
 * the cause.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

/* ---- An instruction at the end of readable memory ---- */

#define PAGE         4096
#define OPERAND_SIZE 0x66
#define HLT          0xf4
#define OF_TWO_BYTES 0x0f
#define MAX_PREFIXES 14

/* `count` prefixes and `last`, which is the last readable byte. */
static moat_entry code_at_page_end(size_t count, unsigned char last)
{
    unsigned char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *code = pages + PAGE - 1 - count;
    moat_entry entry;

    REQUIRE(pages != MAP_FAILED);
    memset(code, OPERAND_SIZE, count);
    code[count] = last;
    REQUIRE(mprotect(pages, PAGE, PROT_READ | PROT_EXEC) == 0);
    REQUIRE(mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
    memcpy(&entry, &code, sizeof(entry));
    return entry;
}

static void
an_instruction_at_the_end_of_memory_is_read_no_further(const void *arg)
{
    static const unsigned char last[] = {HLT, OF_TWO_BYTES, OPERAND_SIZE};

    (void)arg;
    for (size_t count = 0; count <= MAX_PREFIXES; count++) {
        for (size_t i = 0; i < sizeof(last); i++) {
            moat_entry entry = code_at_page_end(count, last[i]);
            moat_co *co = guest_create(entry);
            moat_trap_info info = MOAT_TRAP_INFO_INIT;

            expect_context("%zu prefixes, then %#x", count, last[i]);
            EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
            EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
            EXPECT(info.pc - (uintptr_t)entry <= count + 1);
            EXPECT_EQ(info.byte_count, (uintptr_t)entry + count + 1 - info.pc);
            moat_co_destroy(co);
        }
    }
}

/* ---- A signal without room for its frame ---- */

#define ROOM_LEFT 512

static volatile sig_atomic_t alarms;

static void count_alarm(int signo)
{
    (void)signo;
    alarms++;
}

/* Sends itself a signal whose frame cannot be pushed. */
static void *signal_with_little_room(moat_co *self, void *input)
{
    moat_stack_info stack;
    uintptr_t low;

    (void)self;
    if (moat_stack_bounds(&stack) != MOAT_OK)
        return NULL;
    low = stack.limit + ROOM_LEFT;
    *(uintptr_t *)input = low;
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %0, %%rsp\n\t"
                     "syscall\n\t"
                     "movq %%rbx, %%rsp"
                     :
                     : "r"(low), "a"(SYS_tgkill), "D"((long)getpid()),
                       "S"(syscall(SYS_gettid)), "d"((long)SIGALRM)
                     : "rbx", "rcx", "r11", "memory");
    return input;
}

static void *divide_by_zero(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("xorl %%edx, %%edx\n\t"
                     "xorl %%ecx, %%ecx\n\t"
                     "divl %%ecx"
                     :
                     :
                     : "rax", "rcx", "rdx", "cc");
    return input;
}

static void handle_alarms_on_the_guests_stack(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = count_alarm;
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
}

static void expect_an_overflow_near_sp(void)
{
    moat_co *co = guest_create(signal_with_little_room);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    uintptr_t low = 0;

    guest_expect_trap(co, &low, MOAT_TRAP_STACK_OVERFLOW);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.sp, low);
    EXPECT(info.address - (low - PAGE) <= PAGE);
    EXPECT_EQ(info.access, MOAT_ACCESS_WRITE);
    EXPECT_EQ(alarms, 0);
    moat_co_destroy(co);
}

static void
a_signal_without_room_for_its_frame_is_a_stack_overflow(const void *arg)
{
    (void)arg;
    handle_alarms_on_the_guests_stack();
    guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
    expect_an_overflow_near_sp();
}

/* The context of such a signal holds the number of the thread's last exception,
 * whatever that was. */
static void
a_signal_without_room_is_an_overflow_in_a_new_process(const void *arg)
{
    (void)arg;
    handle_alarms_on_the_guests_stack();
    expect_an_overflow_near_sp();
}

static void
a_signal_without_room_is_an_overflow_after_a_division_by_zero(const void *arg)
{
    moat_co *co = guest_create(divide_by_zero);

    (void)arg;
    handle_alarms_on_the_guests_stack();
    guest_expect_trap(co, NULL, MOAT_TRAP_ARITHMETIC);
    expect_an_overflow_near_sp();
}

static const struct child_case cases[] = {
    CHILD_CASE(an_instruction_at_the_end_of_memory_is_read_no_further),
    CHILD_CASE(a_signal_without_room_for_its_frame_is_a_stack_overflow),
    CHILD_CASE(a_signal_without_room_is_an_overflow_in_a_new_process),
    CHILD_CASE(a_signal_without_room_is_an_overflow_after_a_division_by_zero),
};

int main(int argc, char **argv)
{
    return child_cases_run("evidence is read with care", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
