/*
 * crimes.c: the table of crimes, and the functions that choose their targets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crimes.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/fixture.h"

#define KERNEL_ADDRESS 0xffff800000001000u
#define NOT_CANONICAL  0x0123456789abcdefu
#define PAGE_BYTES     4096u

/* bodies in crimes_cpu.S */
#define DECLARE(name)                               \
    void *crime_##name(moat_co *self, void *scene); \
    extern const char crime_##name##_pc[];

DECLARE(read_target)
DECLARE(write_target)
DECLARE(jump_target)
DECLARE(call_target)
DECLARE(enter_32_bit)
DECLARE(movaps_misaligned)
DECLARE(divide_by_zero)
DECLARE(divide_int_min)
DECLARE(sse_divide)
DECLARE(sse_invalid)
DECLARE(x87_divide)
DECLARE(ud2)
DECLARE(int3)
DECLARE(int1)
DECLARE(hlt)
DECLARE(cli)
DECLARE(port_in)
DECLARE(int_0x81)
DECLARE(read_cr0)
DECLARE(alignment_check)
DECLARE(direction_flag)
DECLARE(every_flag)
DECLARE(trap_flag)
DECLARE(x87_full)
DECLARE(mmx_used)
DECLARE(x87_pending)
DECLARE(fp_modes)
DECLARE(patterned_registers)
DECLARE(push_on_target)
DECLARE(null_write_on_target)
DECLARE(smashed_rbp)
DECLARE(return_to_garbage)
DECLARE(return_to_zero)
DECLARE(write_upward)
DECLARE(endless_calls)
DECLARE(endless_pushes)

/* Instructions in writable data, where nothing is executable. */
static unsigned char not_code[16] = {0x90, 0xc3};

static void aim_field(struct scene *s)
{
    s->target = 0x18;
}

static void aim_last_of_null_page(struct scene *s)
{
    s->target = PAGE_BYTES - 8;
}

static void aim_0x10(struct scene *s)
{
    s->target = 0x10;
}

static void aim_kernel(struct scene *s)
{
    s->target = KERNEL_ADDRESS;
}

static void aim_not_canonical(struct scene *s)
{
    s->target = NOT_CANONICAL;
}

/* The value that crime_return_to_garbage writes over the return address. */
static void aim_garbage(struct scene *s)
{
    s->target = 0x4141414141414141;
}

static void aim_text(struct scene *s)
{
    s->target = (uintptr_t)crime_ud2_pc;
}

static void aim_data(struct scene *s)
{
    s->target = (uintptr_t)not_code;
}

static void aim_own_guard_top(struct scene *s)
{
    s->target = s->stack.limit - 8;
}

static void aim_own_guard_bottom(struct scene *s)
{
    s->target = s->stack.guard;
}

static void aim_own_stack(struct scene *s)
{
    s->target = s->stack.limit + 256;
}

static moat_stack_info bystander_stack(const struct scene *s)
{
    moat_stack_info info = {0, 0, 0, 0, 0};

    REQUIRE(moat_co_stack_info(s->bystander, &info) == MOAT_OK);
    return info;
}

static void aim_other_guard(struct scene *s)
{
    s->target = bystander_stack(s).limit - 64;
}

static void aim_other_stack(struct scene *s)
{
    s->target = bystander_stack(s).limit + 512;
}

static stack_t alternate_stack(void)
{
    stack_t now;

    REQUIRE(sigaltstack(NULL, &now) == 0);
    REQUIRE((now.ss_flags & SS_DISABLE) == 0);
    return now;
}

static void aim_alternate_middle(struct scene *s)
{
    stack_t now = alternate_stack();

    s->target = ((uintptr_t)now.ss_sp + now.ss_size / 2) & ~(uintptr_t)15;
}

static void aim_alternate_bottom(struct scene *s)
{
    s->target = ((uintptr_t)alternate_stack().ss_sp + 79) & ~(uintptr_t)15;
}

static void aim_alternate_top(struct scene *s)
{
    stack_t now = alternate_stack();

    s->target = ((uintptr_t)now.ss_sp + now.ss_size) & ~(uintptr_t)15;
}

/* Well below the frames in use, on the thread's own stack. */
static void aim_host_stack(struct scene *s)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t bytes;

    REQUIRE(pthread_getattr_np(pthread_self(), &attributes) == 0);
    REQUIRE(pthread_attr_getstack(&attributes, &lowest, &bytes) == 0);
    (void)pthread_attr_destroy(&attributes);
    s->target = ((uintptr_t)lowest + bytes / 2) & ~(uintptr_t)15;
}

static void aim_unmapped(struct scene *s)
{
    s->mapping =
        mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(s->mapping != MAP_FAILED);
    s->mapping_bytes = PAGE_BYTES;
    s->target = (uintptr_t)s->mapping + 128;
}

/* A ud2 that 32-bit code can reach. */
static void aim_32_bit_ud2(struct scene *s)
{
    unsigned char *code =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    REQUIRE(code != MAP_FAILED);
    code[0] = 0x0f;
    code[1] = 0x0b;
    s->mapping = code;
    s->mapping_bytes = PAGE_BYTES;
    s->target = (uintptr_t)code;
}

/* The second page of a mapping whose file has only one. */
static void aim_behind_file(struct scene *s)
{
    int fd = memfd_create("short", MFD_CLOEXEC);

    REQUIRE(fd >= 0);
    REQUIRE(ftruncate(fd, PAGE_BYTES) == 0);
    s->mapping_bytes = 2 * (size_t)PAGE_BYTES;
    s->mapping =
        mmap(NULL, s->mapping_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(s->mapping != MAP_FAILED);
    (void)close(fd);
    s->target = (uintptr_t)s->mapping + PAGE_BYTES + 32;
}

/* X(name, body, preparation, kinds, signal, access, address, pc, flags). A body
 * in crimes_cpu.S has a label for its pc; a body in C has none. */
#define CPU(name, body, aim, kinds, signo, access, address, pc, flags) \
    {                                                                  \
        name, crime_##body, crime_##body##_pc, aim, kinds, signo,      \
            MOAT_ACCESS_##access, ADDRESS_##address, PC_##pc,          \
            (flags) | CRIME_KEEPS_ERRNO                                \
    }
#define C(name, body, aim, kinds, signo, access, address, flags)           \
    {                                                                      \
        name, crime_##body, NULL, aim, kinds, signo, MOAT_ACCESS_##access, \
            ADDRESS_##address, PC_CODE, flags                              \
    }

/* clang-format off */
const struct crime crimes[] = {
    /* Null and wild pointers. */
    CPU("null_read", read_target, NULL, KIND(NULL), SIGSEGV, READ, TARGET, LABEL, 0),
    CPU("null_write", write_target, NULL, KIND(NULL), SIGSEGV, WRITE, TARGET, LABEL, 0),
    CPU("null_field_read", read_target, aim_field, KIND(NULL), SIGSEGV, READ, TARGET, LABEL, 0),
    CPU("null_page_last_word_write", write_target, aim_last_of_null_page, KIND(NULL), SIGSEGV, WRITE, TARGET, LABEL, 0),
    CPU("null_call", call_target, NULL, KIND(NULL), SIGSEGV, EXEC, ZERO, TARGET, 0),
    CPU("jump_to_zero", jump_target, NULL, KIND(NULL), SIGSEGV, EXEC, ZERO, TARGET, 0),
    CPU("return_to_zero", return_to_zero, NULL, KIND(NULL), SIGSEGV, EXEC, ZERO, TARGET, 0),
    C("null_write_in_libc", swab, NULL, KIND(NULL), SIGSEGV, WRITE, TARGET, CRIME_KEEPS_ERRNO),
    CPU("unmapped_read", read_target, aim_unmapped, KIND(MEMORY), SIGSEGV, READ, TARGET, LABEL, 0),
    CPU("unmapped_write", write_target, aim_unmapped, KIND(MEMORY), SIGSEGV, WRITE, TARGET, LABEL, 0),
    CPU("kernel_read", read_target, aim_kernel, KIND(MEMORY), SIGSEGV, READ, TARGET, LABEL, 0),
    CPU("kernel_write", write_target, aim_kernel, KIND(MEMORY), SIGSEGV, WRITE, TARGET, LABEL, 0),
    CPU("kernel_jump", jump_target, aim_kernel, KIND(EXEC), SIGSEGV, EXEC, TARGET, TARGET, 0),
    CPU("not_canonical_read", read_target, aim_not_canonical, KIND(MEMORY), SIGSEGV, NONE, ZERO, LABEL, 0),
    CPU("not_canonical_write", write_target, aim_not_canonical, KIND(MEMORY), SIGSEGV, NONE, ZERO, LABEL, 0),
    CPU("not_canonical_jump", jump_target, aim_not_canonical, KIND(EXEC), SIGSEGV, EXEC, TARGET, EITHER, 0),
    CPU("not_canonical_call", call_target, aim_not_canonical, KIND(EXEC), SIGSEGV, EXEC, TARGET, EITHER, 0),
    CPU("write_to_text", write_target, aim_text, KIND(MEMORY), SIGSEGV, WRITE, TARGET, LABEL, 0),
    CPU("jump_to_data", jump_target, aim_data, KIND(EXEC), SIGSEGV, EXEC, TARGET, TARGET, 0),
    CPU("jump_to_own_stack", jump_target, aim_own_stack, KIND(EXEC), SIGSEGV, EXEC, TARGET, TARGET, 0),
    CPU("jump_to_other_stack", call_target, aim_other_stack, KIND(EXEC), SIGSEGV, EXEC, TARGET, TARGET, 0),
    CPU("misaligned_movaps", movaps_misaligned, NULL, KIND(MEMORY), SIGSEGV, NONE, ZERO, LABEL, 0),
    CPU("file_hole_read", read_target, aim_behind_file, KIND(BUS), SIGBUS, READ, TARGET, LABEL, 0),
    CPU("file_hole_write", write_target, aim_behind_file, KIND(BUS), SIGBUS, WRITE, TARGET, LABEL, 0),

    /* Stacks and guards. */
    C("overflow_by_recursion", recursion, NULL, KIND(STACK_OVERFLOW), SIGSEGV, WRITE, OWN_GUARD, CRIME_KEEPS_ERRNO),
    CPU("overflow_by_calls", endless_calls, NULL, KIND(STACK_OVERFLOW), SIGSEGV, WRITE, LIMIT, LABEL, 0),
    CPU("overflow_by_pushes", endless_pushes, NULL, KIND(STACK_OVERFLOW), SIGSEGV, WRITE, LIMIT, LABEL, 0),
    CPU("own_guard_write", write_target, aim_own_guard_top, KIND(STACK_OVERFLOW), SIGSEGV, WRITE, TARGET, LABEL, 0),
    CPU("own_guard_lowest_read", read_target, aim_own_guard_bottom, KIND(STACK_OVERFLOW), SIGSEGV, READ, TARGET, LABEL, 0),
    CPU("other_guard_write", write_target, aim_other_guard, KIND(MEMORY), SIGSEGV, WRITE, TARGET, LABEL, 0),
    CPU("other_guard_read", read_target, aim_other_guard, KIND(MEMORY), SIGSEGV, READ, TARGET, LABEL, 0),
    C("frame_of_1_mib_probed", big_frame_probed, NULL, KIND(STACK_OVERFLOW), SIGSEGV, WRITE, OWN_GUARD, CRIME_KEEPS_ERRNO),
    C("frame_of_1_mib_unprobed", big_frame_unprobed, NULL, KIND(STACK_OVERFLOW), SIGSEGV, WRITE, OWN_GUARD, CRIME_KEEPS_ERRNO | CRIME_WIDE_GUARD),
    CPU("rsp_zero_push", push_on_target, NULL, KIND(MEMORY), SIGSEGV, WRITE, BELOW, LABEL, 0),
    CPU("rsp_0x10_push", push_on_target, aim_0x10, KIND(NULL), SIGSEGV, WRITE, BELOW, LABEL, 0),
    CPU("rsp_not_canonical_push", push_on_target, aim_not_canonical, KIND(MEMORY), SIGBUS, NONE, ZERO, LABEL, 0),
    CPU("rsp_in_own_guard_push", push_on_target, aim_own_guard_top, KIND(STACK_OVERFLOW), SIGSEGV, WRITE, BELOW, LABEL, 0),
    CPU("rsp_zero_null_write", null_write_on_target, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("rsp_not_canonical_null_write", null_write_on_target, aim_not_canonical, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("rsp_in_alternate_stack_middle", null_write_on_target, aim_alternate_middle, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("rsp_in_alternate_stack_bottom", null_write_on_target, aim_alternate_bottom, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, CRIME_AUTODISARM),
    CPU("rsp_at_alternate_stack_top", null_write_on_target, aim_alternate_top, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("rsp_in_host_stack", null_write_on_target, aim_host_stack, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("rsp_in_other_stack", null_write_on_target, aim_other_stack, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("rbp_smashed", smashed_rbp, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("own_stack_smashed_to_base", return_to_garbage, aim_garbage, KIND(EXEC), SIGSEGV, EXEC, TARGET, EITHER, 0),
    CPU("own_stack_smashed_past_base", write_upward, NULL, KIND(MEMORY), SIGSEGV, WRITE, ABOVE_BASE, LABEL, 0),

    /* Arithmetic and instructions. */
    CPU("division_by_zero", divide_by_zero, NULL, KIND(ARITHMETIC), SIGFPE, NONE, ZERO, LABEL, 0),
    CPU("int_min_by_minus_one", divide_int_min, NULL, KIND(ARITHMETIC), SIGFPE, NONE, ZERO, LABEL, 0),
    CPU("sse_division_unmasked", sse_divide, NULL, KIND(ARITHMETIC), SIGFPE, NONE, ZERO, LABEL, 0),
    CPU("sse_invalid_unmasked", sse_invalid, NULL, KIND(ARITHMETIC), SIGFPE, NONE, ZERO, LABEL, 0),
    CPU("x87_division_unmasked", x87_divide, NULL, KIND(ARITHMETIC), SIGFPE, NONE, ZERO, LABEL, 0),
    CPU("ud2", ud2, NULL, KIND(ILLEGAL), SIGILL, NONE, ZERO, LABEL, 0),
    CPU("ud2_in_32_bit_code", enter_32_bit, aim_32_bit_ud2, KIND(ILLEGAL), SIGILL, NONE, ZERO, TARGET, CRIME_32_BIT),
    CPU("int3", int3, NULL, KIND(BREAKPOINT), SIGTRAP, NONE, ZERO, LABEL, 0),
    CPU("int1", int1, NULL, KIND(BREAKPOINT), SIGTRAP, NONE, ZERO, AT_INT1, 0),
    CPU("hlt", hlt, NULL, KIND(ILLEGAL), SIGSEGV, NONE, ZERO, LABEL, 0),
    CPU("cli", cli, NULL, KIND(ILLEGAL), SIGSEGV, NONE, ZERO, LABEL, 0),
    CPU("port_input", port_in, NULL, KIND(ILLEGAL), SIGSEGV, NONE, ZERO, LABEL, 0),
    CPU("software_interrupt", int_0x81, NULL, KIND(ILLEGAL), SIGSEGV, NONE, ZERO, LABEL, 0),
    CPU("control_register_read", read_cr0, NULL, KIND(ILLEGAL), SIGSEGV, NONE, ZERO, LABEL, 0),

    /* Modes that the host must not inherit. */
    CPU("misaligned_with_ac_set", alignment_check, NULL, KIND(ALIGNMENT), SIGBUS, NONE, ZERO, LABEL, CRIME_SETS_AC),
    CPU("null_write_with_df_set", direction_flag, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("null_write_with_ac_nt_df_set", every_flag, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, CRIME_SETS_AC),
    CPU("single_step", trap_flag, NULL, KIND(BREAKPOINT), SIGTRAP, NONE, ZERO, LABEL, 0),
    CPU("null_write_with_x87_full", x87_full, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("null_write_with_mmx_used", mmx_used, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("null_write_with_x87_pending", x87_pending, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("null_write_with_fp_modes_changed", fp_modes, NULL, KIND(NULL), SIGSEGV, WRITE, ZERO, LABEL, 0),
    CPU("null_write_with_every_register_set", patterned_registers, aim_field, KIND(NULL), SIGSEGV, WRITE, TARGET, LABEL, 0),

    /* Checks of the C library and of the compiler; signals that the guest
     * raises. */
    C("abort", abort, NULL, KIND(ABORT), SIGABRT, NONE, ZERO, 0),
    C("assert", assert, NULL, KIND(ABORT), SIGABRT, NONE, ZERO, CRIME_PRINTS),
    C("stack_smash_detected", smashed_canary, NULL, KIND(ABORT), SIGABRT, NONE, ZERO, CRIME_PRINTS),
    C("fortify_failure", fortify, NULL, KIND(ABORT), SIGABRT, NONE, ZERO, CRIME_PRINTS),
    C("raise_sigsegv", raise_segv, NULL, KIND(MEMORY), SIGSEGV, NONE, ZERO, 0),
    C("raise_sigbus", raise_bus, NULL, KIND(BUS), SIGBUS, NONE, ZERO, 0),
    C("raise_sigill", raise_ill, NULL, KIND(ILLEGAL), SIGILL, NONE, ZERO, 0),
    C("raise_sigfpe", raise_fpe, NULL, KIND(ARITHMETIC), SIGFPE, NONE, ZERO, 0),
    C("raise_sigtrap", raise_trap, NULL, KIND(BREAKPOINT), SIGTRAP, NONE, ZERO, 0),
    C("moat_trap_raise", trap_raise, NULL, KIND(RAISED), 0, NONE, ZERO, CRIME_KEEPS_ERRNO),
};
/* clang-format on */

const size_t crime_count = sizeof(crimes) / sizeof(crimes[0]);
